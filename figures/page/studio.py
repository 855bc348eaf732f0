"""What every section of the page has: its words, and a studio that supplies what it is drawn from.

A section's script knows the idea and the figure. What differs between models (prompts, images,
masks, strengths, how many samples) is the studio's: one class of data for each model that can be
prompted, part_a/doodles.py, part_a/digits.py and part_a/deepfloyd.py.

A figure is rows of images, [(label, images), ...], below labels of its columns.
"""

from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn.functional import interpolate

from figures.page.sheet import save_film, save_sheet
from minidiff.editing import image_to_image
from minidiff.editing.blur import gaussian_blur
from minidiff.files.photos import load_image, load_mask
from minidiff.models import upsampler
from minidiff.models.generate import generators, prompted
from minidiff.models.options import OutputOptions, SampleOptions
from minidiff.theory import samplers, schedule
from minidiff.theory.diffusion import noise_like

INPUTS = Path(__file__).parent.parent / "inputs"


class Section(NamedTuple):
    """The words of a section. formula: Unicode, "_" before a subscript. code: where the idea is
    implemented. notice, command (how to make your own): in part A each studio has its own. table:
    rows of a table, its head first."""

    number: str
    title: str
    idea: str
    formula: str
    code: tuple
    notice: str = ""
    command: str = ""
    table: tuple = ()


def own(model, kind=SampleOptions):
    """Return options of a kind as the model's defaults have them."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in model.defaults.items() if name in names})


def unchanged(x):
    """Return images x: they are seen as they are."""
    return x


class Studio:
    """What part A is drawn from. A subclass for each model supplies the data below.

    model: under the contract. second_stage: an upsampler, or None.
    """

    intro: str  # the first paragraph of the page
    words: dict  # section: the fields of its Section that this model replaces
    sentences = True  # prompts are sentences: of use to the second stage
    schedule_name = "cosine"

    prompt: str  # for images that should show nothing in particular
    tests: dict  # images to noise and restore, {name: what it is}
    starts = (1, 3, 5, 7, 10, 20)  # values of i_start: the course's, of 33 steps
    steps = more_steps = None  # sampling steps, fewer and more; None: the course's levels
    generated: tuple  # prompts of section 0, and of both stages
    cascade: tuple
    generated_steps: tuple
    guided: tuple  # prompts of section 1.6
    gammas: tuple
    strong: float  # gamma where two prompts, or a prompt and an image, compete
    edited: dict  # name of an image: what it is
    drawn: dict
    holes: dict  # name of an image: (its mask, a prompt that suits it)
    hole_side = None  # size of the masks in pixels; None: the model's
    fills: tuple  # (prompt, resample); {} in a prompt is the one that suits the image
    filled = (1, 1)  # how many results are measured, and how many are shown
    prompted: tuple  # (image, prompt)
    anagrams: dict  # end of a file's name: (prompt, prompt as seen by the view, name of the view)
    hybrids: dict  # end of a file's name: (prompt from afar, prompt from near, sigma of the split)
    logo: tuple | str  # a hybrid as above, or digits that are anagrams with themselves
    tries = (1, 1)  # how many illusions are measured, and how many are shown
    film_start = 7  # i_start of the film of 1.7

    def image(self, name):
        """Return an image by its name, (1,C,H,W) in the data range."""
        return load_image(INPUTS / f"{name}.png", self.model.image_shape, self.model.data_range)

    def rate(self, illusion, *pairs):
        """Return in words how often an illusion works, "" where nobody measured it. illusion:
        (kind, two prompts, view or sigma). pairs: (images, prompt) twice, the same images seen in
        two ways."""
        return ""

    def share(self, x, prompt):
        """Return in words how many of images x show the prompt, "" without a judge."""
        return ""

    def far(self, sigma):
        """Return the sigma in pixels of the blur with which hybrids split at sigma are seen from
        afar."""
        return sigma

    def afar(self, x, sigma):
        """Return images x of either stage as seen from afar. sigma: in pixels of the first."""
        sigma = sigma * x.shape[3] / self.model.image_shape[2]
        return gaussian_blur(x, 2 * round(3 * sigma) + 1, sigma)

    @property
    def schedule(self):
        """The model's schedule."""
        return self.model.schedule

    @property
    def guidance(self):
        """The guidance that suits the model best, for captions."""
        return own(self.model).describe_guidance()

    @property
    def levels(self):
        """The course's levels: steps of 3% of T, from t near T down to 0."""
        return schedule.strided(self.schedule.T, max(1, round(0.03 * self.schedule.T)))

    @property
    def reached(self):
        """The values of i_start that the levels reach."""
        return [k for k in self.starts if k < len(self.levels) - 1]

    def thirds(self):
        """Return the course's three levels of noise: a quarter, half and three quarters of T."""
        return [round(self.schedule.T * share) for share in (0.25, 0.5, 0.75)]

    def images(self, *names):
        """Return images by their names, (N,C,H,W) on the model's device."""
        return torch.cat([self.image(name) for name in names]).to(self.model.device)

    def mask(self, words):
        """Return a hole as `load_mask` reads it, bool (1,1,H,W), scaled to the model's size."""
        C, H, W = self.model.image_shape
        side = self.hole_side or H
        mask = load_mask(words, (C, side, side)).float()
        return interpolate(mask, (H, W)).bool().to(self.model.device)

    def options(self, n, seed=0):
        """Return the options of `trajectory` of n images, with new generators."""
        return {**own(self.model).sampling(self.model), "generator": generators(seed, n)}

    def eps_fn(self, prompts, **guidance):
        """Return the eps_fn for these prompts. guidance: gamma, guide_until, or the model's own."""
        guidance = guidance or own(self.model).guidance
        return prompted(self.model, list(prompts), **guidance)

    def noised(self, x_0, t):
        """Return images x_0 noised to level t, seed 0."""
        return image_to_image.noised(self.schedule, x_0, t, self.options(len(x_0))["generator"])

    def states(self, eps_fn, n, steps=None):
        """Return every State of n samples made in so many steps; None: along the course's levels.
        """
        options = self.options(n)
        x_T = self.noise(n, options["generator"])
        return list(samplers.trajectory(eps_fn, self.schedule, x_T, self.timesteps(steps),
                                        **options))

    def sample(self, eps_fn, n, steps=None):
        """Return n samples (n,C,H,W), the last of their `states`."""
        return self.states(eps_fn, n, steps)[-1].x_t

    def noise(self, n, generator):
        """Return n images of noise, (n,C,H,W). generator: as in `noise_like`."""
        return noise_like(torch.empty(n, *self.model.image_shape, device=self.model.device),
                          generator)

    def timesteps(self, steps):
        """Return the timesteps of so many steps; None: the course's levels."""
        T = self.schedule.T
        return schedule.evenly(T, min(steps, T)) if steps else self.levels

    def describe_steps(self, steps):
        """Return a number of steps for a caption; None: the course's levels."""
        if steps:
            steps = min(steps, self.schedule.T)
            return f"{steps} step" + "s" * (steps > 1)
        return f"{len(self.levels) - 1} strided steps"

    def large(self, x, prompts, steps=20):
        """Return images x, first stage, enlarged by the second, which is guided by the prompts; of
        use only where prompts are sentences."""
        second = self.second_stage
        how = own(second, OutputOptions)
        return upsampler.upsample(
            second, x.clamp(*self.model.data_range), prompts if self.sentences else None,
            steps=min(steps, second.schedule.T), level=how.upsample_level,
            gamma=how.upsample_gamma, held=how.upsample_held, **own(second).sampling(second))

    def upsampled(self, x, prompts, views=(("upsampled", unchanged),)):
        """Return rows of images x enlarged by the second stage, none without one. views: (label,
        function from images to how they are seen), a row each."""
        if self.second_stage is None:
            return []
        large = self.large(x, prompts)
        return [(label, see(large)) for label, see in views]

    def save(self, path, rows, caption, columns=(), second=20):
        """Write rows of images in the data range as a sheet; return the path. columns: labels.
        second: steps of the second stage, or in words."""
        stages = "" if all(x.shape[1:] == self.model.image_shape for _, x in rows) else (
            f"; upsampled by {self.second_stage.summary}, "
            + (f"{min(second, self.second_stage.schedule.T)} steps"
               if isinstance(second, int) else second))
        rows = [(label, self.model.to_unit(x)) for label, x in rows]
        save_sheet(path, rows, f"{caption}; seed 0; {self.model.summary}{stages}", columns)
        return path

    def film(self, path, states, caption, columns=(), views=None):
        """Write a film of the first four images of States; return the path. views: as in
        `upsampled`; None: x_t, and below it the prediction that led to it."""
        frames = []
        for _, x_t, x_0_hat in states[1:]:
            seen = [("x_t", x_t), ("x̂_0", x_0_hat)] if views is None else [
                (label, see(x_t)) for label, see in views]
            frames.append([(label, self.model.to_unit(x[:4])) for label, x in seen])
        save_film(path, frames, f"{caption}; seed 0; {self.model.summary}", columns)
        return path
