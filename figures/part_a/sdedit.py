"""1.7: image to image."""

import torch

from figures.page.studio import Section
from minidiff.editing.image_to_image import sdedit

SECTION = Section(
    "1.7", "Image to image",
    "Noise an image part of the way and sample from there: the model puts what it knows in place "
    "of what the noise hides. The level decides how much that is.",
    "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε   at the t of i_start,   then as in 1.4",
    ("minidiff/editing/image_to_image.py: sdedit",),
)


def edited(studio, x_0, prompt, start, **guidance):
    """Return images x_0 (N,C,H,W) noised to a start and sampled from there."""
    *_, last = sdedit(
        studio.eps_fn([prompt] * len(x_0), **guidance), studio.schedule, x_0, studio.levels, start,
        **studio.options(len(x_0)),
    )
    return last.x_t


def rows_of(studio, x_0, prompt, **guidance):
    """Return every start's results and then the image, a row for each of x_0: (N * ...,C,H,W), and
    the labels of the columns."""
    columns = [edited(studio, x_0, prompt, k, **guidance) for k in studio.reached]
    return torch.stack([*columns, x_0], 1).flatten(0, 1), labels_of(studio)


def labels_of(studio):
    """Return the labels of the columns: every start with its t, then the image."""
    return [*(f"{k}\nt={studio.levels[k]}" for k in studio.reached), "image"]


def draw(out, studio):
    """Draw a test image and two "from the web" at every i_start, without a particular prompt."""
    x, labels = rows_of(studio, studio.images(*studio.edited.values()), studio.prompt)
    n = len(labels)
    caption = (f"columns: i_start of {len(studio.levels) - 1} strided steps, and its t; prompt "
               f"'{studio.prompt}', {studio.guidance}")
    yield studio.save(out / "sdedit.png", x, caption, n, [*studio.edited], labels)
    yield from studio.upsampled(out / "sdedit-upsampled.png", x, "the same", n,
                                prompts=studio.hints(studio.prompt, len(x)), column_labels=labels)
