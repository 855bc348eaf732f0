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
    """Return every State of images x_0 (N,C,H,W) noised to a start and sampled from there."""
    return list(sdedit(
        studio.eps_fn([prompt] * len(x_0), **guidance), studio.schedule, x_0, studio.levels, start,
        **studio.options(len(x_0)),
    ))


def rows_of(studio, name, prompt, label, **guidance):
    """Return the rows of an image: every start's results and then the image, and the same enlarged
    by the second stage. label: of the first row."""
    x_0 = studio.images(name)
    results = [edited(studio, x_0, prompt, k, **guidance)[-1].x_t for k in studio.reached]
    x = torch.cat([*results, x_0])
    return [(label, x), *studio.upsampled(x, [prompt] * len(x))]


def labels_of(studio):
    """Return the labels of the columns: every start with its t, then the image."""
    return [*(f"{k}\nt={studio.levels[k]}" for k in studio.reached), "image"]


def columns_of(studio):
    """Return in words what the columns are."""
    return f"columns: i_start of {len(studio.levels) - 1} strided steps, and its t"


def draw(out, studio):
    """Draw a test image and two "from the web" at every i_start, without a particular prompt, and
    one start as a film."""
    rows = [row for name, label in studio.edited.items()
            for row in rows_of(studio, name, studio.prompt, label)]
    how = f"prompt '{studio.prompt}', {studio.guidance}"
    yield studio.save(out / "sdedit.png", rows, f"{columns_of(studio)}; {how}", labels_of(studio))
    start = min(studio.film_start, studio.reached[-1])
    states = edited(studio, studio.images(*studio.edited), studio.prompt, start)
    yield studio.film(out / "sdedit-film.png", states, f"from i_start = {start}, "
                      f"t = {studio.levels[start]}, in {len(states) - 1} strided steps; {how}",
                      [*studio.edited.values()])
