"""1.6: classifier-free guidance."""

import torch

from figures.page.html.studio import Section
from minidiff.files.images import save_grid

GAMMAS = (0, 1, 7, 40)
SECTION = Section(
    "1.6", "Classifier-free guidance",
    "Ask the network twice, with the prompt and without, and go further along the difference. The "
    "picture then shows what was asked more plainly, at the price of variety.",
    "ε̂ = ε_u + γ (ε_c − ε_u)",
    "γ = 0 ignores the prompt, γ = 1 mostly follows it, the course's γ = 7 always does. At γ = 40, "
    "guidance too strong, strokes swell and break up: the direction is followed out of all that "
    "was ever trained. Some papers write w = γ − 1.",
    "make sample-class ARGS='--gamma 7 --guide-until 0 --out guided.png'",
    ("minidiff/guidance.py: guided",),
)


def draw(out, studio):
    """Draw ten prompts at four strengths, the same noise in each row."""
    prompts = [str(k) for k in range(10)]
    rows = [studio.draw(studio.eps_fn(prompts, gamma=gamma), 10) for gamma in GAMMAS]
    path = out / "guidance.png"
    save_grid(path, torch.cat(rows), "prompts 0 to 9, guided at every one of 20 steps, the same "
              f"noise in each row, seed 0; {studio.model.summary}", 10,
              [f"γ={gamma}" for gamma in GAMMAS], prompts)
    yield path
    yield from studio.upsampled(out / "guidance-upsampled.png", rows[2], "the row of γ = 7", 10,
                                prompts=prompts, column_labels=prompts)
