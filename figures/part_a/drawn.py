"""1.7.1: drawn and web pictures."""

import torch

from figures.page.html.studio import Section
from figures.part_a.sdedit import edited
from minidiff.files.images import save_grid

SECTION = Section(
    "1.7.1", "Hand-drawn and web pictures",
    "The same with pictures that no one would mistake for samples: it takes them over to what the "
    "model knows. A crooked drawing becomes a digit as people write it.",
    "as in 1.7",
    "Up to 10 noise has drowned the drawings, and since it is the same noise all three end as the "
    "same digit. From 15 on they shine through: the 3 is written with a natural pen, the spiral "
    "becomes something between a digit and itself, and at 26 stays what it is. Dark ink on "
    "light is inverted first, or the model would see a white sheet.",
    "make sample-sdedit ARGS='--image figures/inputs/drawn-spiral.png --steps 33 --start 10'",
    ("minidiff/editing.py: sdedit", "minidiff/photos.py: load_image"),
)


def draw(out, studio):
    """Draw what goes in and what comes out, at every i_start, for one web picture and two drawn."""
    every = []
    for name, told in (("web-5", "typeset"), ("drawn-3", "drawn by hand"),
                       ("drawn-spiral", "drawn by hand")):
        x_0 = studio.picture(name)
        noisy = [studio.noised(x_0, studio.levels[k]) for k in studio.starts]
        results = [edited(studio, x_0, "", k) for k in studio.starts]
        path = out / f"drawn-{name}.png"
        save_grid(path, torch.cat([*noisy, x_0, *results, x_0]), f"{name}, {told}; columns: "
                  f"i_start of 33 strided steps, then the picture; prompt '', seed 0; "
                  f"{studio.model.summary}", len(results) + 1, ("noised", "result"),
                  [*(f"{k}\nt={studio.levels[k]}" for k in studio.starts), "picture"])
        yield path
        every += [*results, x_0]
    yield from studio.upsampled(out / "drawn-upsampled.png", torch.cat(every), "all three results",
                                len(studio.starts) + 1)
