"""What every section of the page has: its words, and a studio with all that is drawn from.

The original page shows a photo, web pictures and drawings to a model that knows them all. A digit
model knows digits; so the photo's part is played by test digits, and the others are in inputs/.
"""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch

from minidiff.data import dataset
from minidiff.editing.image_to_image import noised
from minidiff.files import checkpoint, images, photos, runs
from minidiff.models import (
    generate,
    upsampler,
    zoo,  # CHECK models
)
from minidiff.models.options import SampleOptions
from minidiff.network import registry
from minidiff.theory import schedule
from minidiff.theory.samplers import sample

INPUTS = Path(__file__).parent / "inputs"
STARTS = (1, 3, 5, 7, 10, 15, 20, 26)  # the course's i_start, of 33 steps, and 15 and 26


class Section(NamedTuple):
    """The words of a section. formula: Unicode, "_" before what stands low. command: makes one's
    own; code: where the idea is written down; table: rows of a table, its head first."""

    number: str
    title: str
    idea: str
    formula: str
    notice: str
    command: str
    code: tuple
    table: tuple = ()


class Studio:
    """What is drawn from: the newest or shipped models, test digits, the project's own pictures."""

    def __init__(self, data_dir=""):
        self.data_dir = data_dir

    @cached_property
    def test(self) -> dataset.Dataset:
        """MNIST's test digits or, where there is no MNIST, strokes."""
        return dataset.load("auto", "test", self.data_dir)

    @cached_property
    def model(self):
        """The class-conditioned model."""
        return zoo.load_model("class")

    @cached_property
    def judge(self):
        """The classifier."""
        return registry.rebuild(zoo.load_kind("classifier"))

    @property
    def told(self):
        """How model and guidance are told in a caption."""
        return f"{self.model.summary}, {self.guidance}"

    @property
    def guidance(self):
        """The model's own guidance."""
        return SampleOptions(**self.model.guidance)

    @property
    def schedule(self):
        """The model's schedule."""
        return self.model.schedule

    @property
    def levels(self):
        """The course's levels: steps of 3% of T, from t near T down to 0."""
        return schedule.strided(self.schedule.T, max(1, round(0.03 * self.schedule.T)))

    @property
    def starts(self):
        """The course's STARTS, as far as the levels reach."""
        return [k for k in STARTS if k < len(self.levels) - 1]

    def thirds(self):
        """Return the course's three levels of noise: a quarter, half and three quarters of T."""
        return [round(self.schedule.T * share) for share in (0.25, 0.5, 0.75)]

    def digits(self, wanted: str, skip=0):
        """Return a test digit of each class wanted, after `skip` of its class: (N,1,28,28)."""
        labels = self.test.labels
        index = [int((labels == int(d)).nonzero().flatten()[skip]) for d in wanted]
        return self.test.images_at(torch.tensor(index))

    def picture(self, name):
        """Return one of the project's own pictures, light on dark, (1,1,28,28)."""
        x = images.load_image(INPUTS / f"{name}.png", self.model.image_shape)
        return 1 - x if photos.dark_on_light(x) else x

    def eps_fn(self, prompts, **guidance):
        """Return the eps_fn that is asked for these, guided as the model is used best, or as
        told: gamma, guide_until."""
        return generate.prompted(self.model, list(prompts), **(guidance or self.guidance.options()))

    def options(self, seed=0):
        """Return what every walk is told, with a generator of its own."""
        generator = torch.Generator().manual_seed(seed)
        return {"clip": self.model.data_range, "kind": "beta_tilde", "generator": generator}

    def noised(self, x_0, t):
        """Return pictures x_0 noised to level t, seed 0."""
        return noised(self.schedule, x_0, t, self.options()["generator"])

    def draw(self, eps_fn, n, steps=20, seed=0):
        """Walk n pictures of noise down in so many steps; return them, (n,1,28,28)."""
        options = self.options(seed)
        x_T = torch.randn(n, *self.model.image_shape, generator=options["generator"])
        timesteps = schedule.evenly(self.schedule.T, min(steps, self.schedule.T))
        return sample(eps_fn, self.schedule, x_T.to(self.model.device), timesteps, **options)

    @cached_property
    def second_stage(self):
        """The upsampler, None where there is none."""
        try:
            return upsampler.load()
        except ValueError:
            return None

    def large(self, x, prompts=None, steps=20):
        """Return pictures x (N,1,28,28) drawn again by the second stage, (N,1,56,56)."""
        steps = min(steps, self.second_stage.schedule.T)
        return upsampler.upsample(self.second_stage, x.clamp(0, 1), prompts, steps=steps)

    def upsampled(self, path, x, caption, columns, *, prompts=None, view=None, **labels):
        """Draw pictures x again, larger, and yield the path; nothing where there is no second
        stage. view: how the large ones are to be seen, in further rows. labels: of save_grid."""
        if self.second_stage is None:
            return
        steps = min(20, self.second_stage.schedule.T)
        large = self.large(x, prompts, steps)
        pictures = large if view is None else torch.cat([large, view.see(large)])
        told = f"upsampled by {self.second_stage.summary}, {steps} steps: {caption}"
        images.save_grid(path, pictures, told, columns, **labels, scale=1)
        yield path

    @torch.no_grad()
    def reads(self, x):
        """Return the digit that the judge reads in each picture, int64 (N,)."""
        return self.judge(x.clamp(0, 1)).argmax(1)


def newest_snapshots(kind):
    """Return the checkpoints of the newest run's marks, early to late, and the run's loss curves.

    Where no run of the kind has reached its early epoch, the shipped ones; and say which they are.
    Raises ValueError where there are neither.
    """
    files, curves, place = _marks_of(kind)
    print(f"weights of {kind}: {place}", flush=True)
    return sorted(map(checkpoint.load, files), key=lambda found: found["epoch"]), curves


def _marks_of(kind):
    try:
        folder = runs.newest(kind, "weights-epoch-*.pt")
        files = sorted(folder.glob("weights-epoch-*.pt"))
        return files, runs.loss_curves(runs.read_log(folder)), str(folder)
    except ValueError:
        files = zoo.snapshots(kind)
        if not files:
            raise
        return files, zoo.loss_curves(kind), "shipped with the project"
