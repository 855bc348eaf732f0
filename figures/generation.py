"""0: from a prompt to pictures, in few steps and in many."""

import torch

from figures.section import Section
from minidiff.images import save_grid

STEPS = (1, 2, 5, 20, 100)
SECTION = Section(
    "0", "Prompts and pictures",
    "A model is asked for something, here for a digit, and makes of pure noise a picture of it. "
    "More steps cost more time and bring it nearer to what it was trained to draw.",
    "x_T ~ N(0, I)   →   x_s ~ q(x_s | x_t, x̂_0(x_t, prompt))   →   x_0",
    "One step gives the mean of all digits of a kind, a blur: steps too few. From 5 on the digits "
    "are sharp, and from 20 to 100 one sees no difference; the curves of part B measure that. The "
    "original page asks DeepFloyd for sentences and enlarges the answers with a second model.",
    "make sample-class ARGS='--digits 0123456789 --per-digit 4 --steps 20 --out digits.png'",
    ("minidiff/samplers.py: sample_path", "minidiff/models.py: walk"),
)


def draw(out, studio):
    """Draw ten prompts, each row with another number of steps."""
    prompts = [str(k) for k in range(10)]
    steps = [n for n in STEPS if n <= studio.schedule.T]
    rows = [studio.draw(studio.eps_fn(prompts), 10, n) for n in steps]
    path = out / "generation.png"
    save_grid(path, torch.cat(rows), f"prompts 0 to 9, the same noise in each row, seed 0; "
              f"{studio.told}", 10, [f"{n} steps" for n in steps], prompts)
    yield path
