"""What the editing scripts share: the model, the user's image, the files, the judge's readings."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from minidiff.api.inputs import photo_of
from minidiff.evaluation import judge
from minidiff.files import photos
from minidiff.system import cli
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
        self.own, self.options, self.outputs, more, self.typed, self.model, self.files = session
        self.image = more[0] if image else None
        if image and Path(self.image.image).resolve() in [f.resolve() for f in self.files.values()]:
            raise ValueError(
                f"--image and an output are the same file, {self.image.image}; name another"
            )

    def load(self, file=""):
        """Return the user's image, float32 (1,C,H,W) in [0, 1]. file: of another image."""
        return photo_of(self.model, file or self.image.image, self.image.invert, self.image.fit)

    @property
    def image_name(self):
        """The image's file for a caption."""
        return self.named(self.image.image)

    @staticmethod
    def named(file):
        """Return a file's path for a caption: relative to the current folder, if it is in it."""
        path, here = Path(file).resolve(), Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else file

    def finish(self, states, caption, shown, prompt="", film=None, **grid):
        """Sample all States, and write the files that the options name. caption: how theirs begins.
        shown: from the result to the images of the PNG. prompt: a digit becomes the npz's labels.
        film: from the result to further frames of the GIF. grid: of `images.save_grid`. Returns the
        result (n,C,H,W) in [0, 1]."""
        x, kept = generate.watch(states, self.outputs.gif)
        caption = f"{caption}; {self.model.summary}; {self.options.describe(self.model)}"
        if film and self.outputs.gif:
            kept += [kept[-1]._replace(x_t=frame) for frame in film(x)]
        labels = [int(prompt)] * len(x) if prompt.isdigit() else None
        result, larger = generate.enlarge(
            x, self.model, self.outputs, self.options.seed, [prompt] * len(x)
        )
        generate.write(
            self.files, result, kept, caption, larger=larger, labels=labels, shown=shown(result),
            **grid
        )
        return x


def start_flags(own):
    """Return the arguments of `edit_states` that say where to start, from a script's options.
    Raises ValueError where both are given, and for a strength below 0."""
    if own.strength == -1:
        return {"start": own.start}
    if own.start != 0.4:
        raise ValueError("--start and --strength say the same; give one of them")
    if own.strength < 0:
        raise ValueError(f"strength must lie in 0..1, got {own.strength:g}")
    return {"strength": own.strength}


def resized(image, x):
    """Return images (N,C,H,W) in the size of x, on its device, so that one grid shows both."""
    return F.interpolate(image, size=x.shape[2:], mode="nearest").to(x.device)


def report(model, *readings):
    """Print how many images the judge reads as prompted, if there is a judge of the model's images.

    readings: (what, images x (N,C,H,W) in [0, 1], prompt). Of a sentence, only its subject is read;
    prompts without a digit or a subject are skipped.
    """
    found = [(what, prompt, right) for what, x, prompt in readings
             if (right := judge.reads(model, model.from_unit(x), prompt)) is not None]
    for what, prompt, right in found:
        print(f"{what}: read as {prompt} in {right.sum()} of {len(right)}")
    if len(found) > 1:
        both = torch.stack([right for *_, right in found]).all(0)
        print(f"all of it in {both.sum()} of {len(both)}")
