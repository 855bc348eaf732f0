"""1.7.3: image to image, told what to draw."""

import torch

from figures.page.html.studio import Section
from figures.part_a.sdedit import rows_of
from minidiff.files.images import save_grid

PAIRS = (("7", "2"), ("3", "8"), ("4", "9"))
SECTION = Section(
    "1.7.3", "Image to image with a prompt",
    "As 1.7, but the way back is told what to draw. The result has the shape of the picture and "
    "the meaning of the prompt.",
    "as in 1.7, with ε̂ guided as in 1.6",
    "From right to left the 7 bends into a 2, the 3 closes into an 8, the 4 into a 9, with the "
    "strokes that are there. At 26 too little noise is left to change much, whatever is asked; up "
    "to 10 the prompt rules alone.",
    "make sample-sdedit ARGS='--image my.png --prompt 8 --steps 33 --start 7 --gamma 6'",
    ("minidiff/editing.py: sdedit", "minidiff/guidance.py: guided"),
)


def draw(out, studio):
    """Draw three digits, each asked to become another, at every i_start."""
    rows = []
    for digit, prompt in PAIRS:
        row, labels = rows_of(studio, studio.digits(digit), prompt, gamma=6.0)
        rows.append(row)
    path = out / "prompted.png"
    save_grid(path, torch.cat(rows), "columns: i_start of 33 strided steps, and its t; γ = 6, seed "
              f"0; {studio.model.summary}", len(labels), [f"{a} → {b}" for a, b in PAIRS],
              [label.replace(": ", "\n") for label in labels])
    yield path
    yield from studio.upsampled(out / "prompted-upsampled.png", torch.cat(rows), "the same",
                                len(labels))
