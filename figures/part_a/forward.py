"""1.1: what noise does to a picture."""

import torch

from figures.page.html.studio import Section
from minidiff.files.images import save_grid

SECTION = Section(
    "1.1", "The forward process",
    "Diffusion destroys a picture by making it fainter and adding noise, more and more of both. "
    "No step by step is needed: one jump leads to any level t.",
    "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε,   ε ~ N(0, I)",
    "The noise hides fine strokes first and the rough shape last. That order is what all of part A "
    "lives from.",
    "make sample-denoise ARGS='--image my.png --start 10 --out back.png'",
    ("minidiff/diffusion.py: q_sample", "minidiff/schedule.py: Schedule"),
)


def draw(out, studio):
    """Draw three test digits at a quarter, half and three quarters of T."""
    x_0, times = studio.digits("725"), studio.thirds()
    columns = [x_0, *(studio.noised(x_0, t) for t in times)]
    path = out / "forward.png"
    save_grid(path, torch.stack(columns, 1).flatten(0, 1),
              f"{studio.test.name} test digits, noised; T = {studio.schedule.T}, linear schedule, "
              "seed 0; white beyond 1 and black below 0 are cut off in the picture only",
              4, column_labels=["t=0", *(f"t={t}" for t in times)])
    yield path
