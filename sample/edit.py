"""What the editing scripts share: the model, a person's picture, the walk, a judge's reading."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from minidiff import checkpoint, cli, images, models, photos, schedule, settings
from minidiff.classifier import Classifier
from sample.run import (
    announced,
    guidance_for,
    second_stage,
    unit,
    upsampled,
    watched,
    writable,
    write,
)


@dataclasses.dataclass(frozen=True)
class MixingFlags(settings.GuidanceFlags):
    """Guidance where two prompts share a picture: each wants to be told plainly."""

    gamma: float = cli.flag(6.0, "0 ignores the prompts, 1 only conditions")
    guide_until: float = cli.flag(0.0, "gamma above 1 holds from t/T = 1 down to this, 0 .. 1")


@dataclasses.dataclass(frozen=True)
class PictureFlags:
    """A person's own picture. Raises ValueError for values out of range."""

    image: str = cli.flag("figures/inputs/drawn-3.png", "picture file of any size and kind")
    invert: bool = cli.flag(True, "turn dark ink on light into light on dark, for the digit models")
    fit: str = cli.flag("crop", "crop the middle, or pad what is not square", photos.FITS)


class Desk(NamedTuple):
    """An edit about to be made. own: the script's flags. picture: PictureFlags."""

    own: object
    how: settings.WalkFlags
    picture: PictureFlags
    outputs: settings.OutputFlags
    files: dict
    model: models.DigitModel
    guidance: settings.GuidanceFlags
    generator: torch.Generator
    second: models.DigitModel | None

    @property
    def timesteps(self):
        """The levels of the walk, from noise to picture."""
        return schedule.evenly(self.model.schedule.T, self.how.steps)

    @property
    def start(self):
        """The step to start at; four tenths of the steps unless told."""
        return self.own.start if self.own.start != -1 else round(0.4 * self.how.steps)

    @property
    def options(self):
        """What every walk of this edit is told: `sample_path`'s keyword arguments."""
        return {"generator": self.generator, **self.how.options(self.model)}

    def eps_fn(self, prompt):
        """Return the eps_fn(x_t, t) that is asked for `prompt` in each of the n pictures."""
        return models.prompted(
            self.model, [prompt] * self.own.n, **self.guidance.options()
        )

    def noise(self):
        """Return n pictures of noise."""
        x = torch.randn(self.own.n, *self.model.image_shape, generator=self.generator)
        return x.to(self.model.device)

    def load(self):
        """Return the person's picture n times, inverted if need be and wished."""
        flags, model = self.picture, self.model
        x = images.load_image(flags.image, model.image_shape, model.data_range, flags.fit)
        if flags.invert and model.data_range == (0.0, 1.0) and photos.dark_on_light(x):
            print("dark ink on light: turned into light on dark (--no-invert keeps it)")
            x = 1 - x
        return x.to(model.device).expand(self.own.n, -1, -1, -1)

    def finish(self, path, total, told, shown, prompt="", **grid):
        """Walk a path of `total` States, and write what the flags name. told: how the caption
        begins. shown: from the result to the pictures of the PNG. prompt: a digit becomes the npz's
        labels. grid: of `images.save_grid`. Returns the result (n,C,H,W)."""
        x, states = watched(path, total, self.outputs.gif)
        caption = f"{told}; {self.model.summary}; {self.how}, {self.guidance}"
        low, high = self.model.data_range
        states = [s._replace(x_t=unit(s.x_t, self.model)) for s in states]
        labels = [int(prompt)] * len(x) if prompt.isdigit() else None
        result, larger = upsampled(
            unit(x, self.model), self.second, self.outputs, self.how, [prompt] * len(x)
        )
        seen = unit(shown(result * (high - low) + low), self.model)
        write(self.files, result, states, caption, larger=larger, labels=labels, shown=seen, **grid)
        return x


def begin(own, argv, name, about, *, picture=True, guidance=settings.GuidanceFlags) -> Desk:
    """Read the flags, check what can be checked, load the model.

    own: the script's dataclass of flags. name, about: for --help. picture: whether the script wants
    one. guidance: MixingFlags, or GuidanceFlags and the model's own values before their defaults.
    """
    classes = [own, settings.WalkFlags, settings.OutputFlags, guidance, PictureFlags]
    given = cli.parse(classes[: 5 if picture else 4], argv, f"python -m sample.{name}", about)
    told = [cls(**each) for cls, each in zip(classes, given)]
    files = writable(told[2])
    if picture and Path(told[4].image).resolve() in [file.resolve() for file in files.values()]:
        raise ValueError(f"--image and an output are the same file, {told[4].image}; name another")
    model = announced(models.find("class", told[1].model), told[1])
    if model.kind in models.FLOWS:
        raise ValueError(f"a {model.kind!r} model has no noise levels; name a 'class' one")
    told = [settings.suited(cls, each, model.habits) for cls, each in zip(classes, given)]
    flags, how, outputs, asked = told[:4]
    if guidance is settings.GuidanceFlags or not model.conditional:
        asked = guidance_for(model, given[3])
    generator, shown = torch.Generator().manual_seed(how.seed), told[4] if picture else None
    second = second_stage(outputs, how, model)
    return Desk(flags, how, shown, outputs, files, model, asked, generator, second)


def beside(picture, x):
    """Return pictures (N,C,H,W) in the size of x, to stand beside it."""
    return F.interpolate(picture, size=x.shape[2:], mode="nearest")


def judge() -> Classifier | None:
    """Return the newest or shipped classifier, if there is one."""
    try:
        return checkpoint.rebuild(models.load_kind("classifier"))
    except ValueError:
        return None


@torch.no_grad()
def reads(reader, x, prompt):
    """Tell which of pictures x (N,1,28,28) are read as the digit `prompt`: bool (N,)."""
    return reader(x.clamp(0, 1).cpu()).argmax(1) == int(prompt)


def tell(reader, *asked):
    """Print how many are read as asked. asked: (what, pictures, prompt); a judge reads digits only,
    so other prompts are passed over. Nothing is printed where there is no judge."""
    asked = [(told, x, p) for told, x, p in asked if p.isdigit() and x.shape[1:] == (1, 28, 28)]
    if reader is None or not asked:
        return
    found = [(told, p, reads(reader, x, p)) for told, x, p in asked]
    for told, p, right in found:
        print(f"{told}: read as {p} in {right.sum()} of {len(right)}")
    if len(found) > 1:
        both = torch.stack([right for *_, right in found]).all(0)
        print(f"all of it in {both.sum()} of {len(both)}")
