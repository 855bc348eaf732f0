"""Bells and whistles: a course logo."""

import torch

from figures.page.studio import Section
from figures.part_a.anagram import seen_both_ways
from figures.part_a.hybrid import draw_one
from minidiff.editing.views import VIEWS

TRIES = 8
SECTION = Section(
    "B&W", "A course logo",
    "A hybrid image as a logo, as on the original page.",
    "as in 1.9",
    ("minidiff/editing/illusions.py: hybrid",),
)


def draw(out, studio):
    """Draw a hybrid, or digits upright and rotated by half a turn, whichever the studio has."""
    if not isinstance(studio.logo, str):
        yield from draw_one(out / "logo.png", studio, studio.logo)
        return
    view, digits, found = VIEWS["rotate180"], [], []
    for digit in studio.logo:
        x = seen_both_ways(studio, digit, digit, view, TRIES)[-1].x_t
        right = studio.matches(x, digit) & studio.matches(view.see(x), digit)
        digits.append(x[int(right.float().argmax())])
        found.append(f"{right.sum()} for {digit}")
    row = torch.stack(digits)
    yield studio.save(
        out / "logo.png", [("up", row), ("down", view.see(row.flip(0)))], f"{studio.logo}, and "
        f"rotated by half a turn; of {TRIES} tries each, the first that is read both ways; read "
        f"both ways: {', '.join(found)}; γ = {studio.strong:g}, "
        f"{studio.describe_steps(studio.steps)}")
