"""What the editing scripts share: the model, the user's image, the eps_fn, the judge's readings."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from minidiff.evaluation import judge
from minidiff.files import photos
from minidiff.models.generate import generators, prompted
from minidiff.system import cli
from minidiff.theory import schedule
from minidiff.theory.diffusion import noise_like
from sample import generate


@dataclass(frozen=True)
class ImageOptions:
    """The user's own image. Raises ValueError for values out of range."""

    image: str = cli.flag("", "image file of any size and kind")
    invert: bool = cli.flag(True, "invert dark ink on a light background, for the digit models")
    fit: str = cli.flag("crop", "crop the middle, or pad what is not square", photos.FITS)


KINDS = ("class", "uncond", "doodles")


class Edit:
    """The `generate.Session` of an editing script, and what is derived from it.

    script, own, argv, about: of `generate.begin`. image: whether the script edits the user's image.
    """

    def __init__(self, script, own, argv, about, *, image=True):
        more = (ImageOptions,) if image else ()
        session = generate.begin(script, own, argv, about, kinds=KINDS, more=more)
        self.own, self.options, self.outputs, more, _, self.model, self.second, self.files = session
        self.image = more[0] if image else None
        if image and Path(self.image.image).resolve() in [f.resolve() for f in self.files.values()]:
            raise ValueError(
                f"--image and an output are the same file, {self.image.image}; name another"
            )
        self.schedule = self.model.schedule
        self.timesteps = schedule.evenly(self.schedule.T, self.options.steps)
        self.generator = generators(self.options.seed, self.own.n)  # one for each image

    @property
    def start(self):
        """The index to start at: typed, or by the strength, else 40% of the steps."""
        if self.own.strength >= 0:
            return round((1 - self.own.strength) * self.options.steps)
        return self.own.start if self.own.start != -1 else round(0.4 * self.options.steps)

    @property
    def sampling(self):
        """The keyword arguments of `trajectory`."""
        return {"generator": self.generator, **self.options.sampling(self.model)}

    def eps_fn(self, prompt):
        """Return the eps_fn(x_t, t) for the prompt in each of the n images."""
        return prompted(self.model, [prompt] * self.own.n, **self.options.guidance)

    def noise(self):
        """Return n images of noise."""
        model = self.model
        like = torch.empty(self.own.n, *model.image_shape, device=model.device)
        return noise_like(like, self.generator)

    def load(self, file=""):
        """Return the user's image n times, inverted if it is dark on light and --invert is on.
        file: of another image."""
        image, model = self.image, self.model
        x = photos.load_image(file or image.image, model.image_shape, model.data_range, image.fit)
        if image.invert and model.data_range == (0.0, 1.0) and photos.dark_on_light(x):
            print("dark ink on light ground: inverted (--no-invert keeps it)")
            x = 1 - x
        return x.to(model.device).expand(self.own.n, -1, -1, -1)

    @property
    def image_name(self):
        """The image's file for a caption: relative to the current folder, if it is in it."""
        path, here = Path(self.image.image).resolve(), Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else self.image.image

    def finish(self, states, total, caption, shown, prompt="", film=None, **grid):
        """Sample `total` states, and write the files that the options name. caption: how theirs
        begins. shown: from the result to the images of the PNG. prompt: a digit becomes the npz's
        labels. film: from the result, in [0, 1], to further frames of the GIF. grid: of
        `images.save_grid`. Returns the result (n,C,H,W)."""
        x, kept = generate.watch(states, total, self.outputs.gif)
        model = self.model
        caption = f"{caption}; {model.summary}; {self.options.describe(model)}"
        kept = [s._replace(x_t=model.to_unit(s.x_t)) for s in kept]
        if film and self.outputs.gif:
            kept += [kept[-1]._replace(x_t=frame) for frame in film(model.to_unit(x))]
        labels = [int(prompt)] * len(x) if prompt.isdigit() else None
        result, larger = generate.enlarge(
            model.to_unit(x), self.second, self.outputs, self.options, [prompt] * len(x)
        )
        seen = model.to_unit(shown(model.from_unit(result)))
        generate.write(
            self.files, result, kept, caption, larger=larger, labels=labels, shown=seen, **grid
        )
        return x


def check_start(own):
    """Raise ValueError where both a start and a strength were given, and for a strength below 0."""
    if own.strength != -1 and own.start != -1:
        raise ValueError("--start and --strength say the same; give one of them")
    if -1 < own.strength < 0:
        raise ValueError(f"strength must lie in 0..1, got {own.strength:g}")


def resized(image, x):
    """Return images (N,C,H,W) in the size of x, so that one grid shows both."""
    return F.interpolate(image, size=x.shape[2:], mode="nearest")


def report(model, *readings):
    """Print how many images the judge reads as prompted, if there is a judge of the model's images.

    readings: (what, images x (N,C,H,W) in the data range, prompt). Of a sentence, only its subject
    is read; prompts without a digit or a subject are skipped.
    """
    found = [(what, prompt, right) for what, x, prompt in readings
             if (right := judge.reads(model, x, prompt)) is not None]
    for what, prompt, right in found:
        print(f"{what}: read as {prompt} in {right.sum()} of {len(right)}")
    if len(found) > 1:
        both = torch.stack([right for *_, right in found]).all(0)
        print(f"all of it in {both.sum()} of {len(both)}")
