"""Bells and whistles: a course logo."""

import torch

from figures.page.html.studio import Section
from figures.part_a.anagram import seen_both_ways
from minidiff.editing.views import VIEWS
from minidiff.files.images import save_grid

SECTION = Section(
    "B&W", "A course logo",
    "The course's number, 180, drawn so that a shirt printed with it can be worn upside down: each "
    "digit is an anagram with itself. The original page shows a hybrid of an eye and a chip, for "
    "which one needs a model of sentences.",
    "as in 1.8, with p_1 = p_2 and a half turn",
    "Above 180; below the same picture turned, 081. Of eight tries for each digit the first that "
    "the judge reads both ways is taken; this is the one figure of the page that is picked.",
    "make sample-anagram ARGS='--prompts 8 8 --view rotate180'",
    ("minidiff/editing.py: anagram",),
)


def draw(out, studio):
    """Draw 180, upright and turned."""
    turn, letters, told = VIEWS["rotate180"], [], []
    for digit in "180":
        x = seen_both_ways(studio, digit, digit, turn, n=8)
        right = (studio.reads(x) == int(digit)) & (studio.reads(turn.see(x)) == int(digit))
        letters.append(x[int(right.float().argmax())])
        told.append(f"{right.sum()} for {digit}")
    row = torch.stack(letters)
    path = out / "logo.png"
    save_grid(path, torch.cat([row, turn.see(row.flip(0))]), "180, and turned by half a turn; "
              f"of eight tries each the first that reads both ways: {', '.join(told)} do; "
              f"γ = 6, 20 steps, seed 0; {studio.model.summary}", 3, ("up", "down"))
    yield path
