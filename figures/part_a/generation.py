"""0: from a prompt to pictures, in few steps and in many."""

import torch
from torch.nn.functional import interpolate

from figures.page.html.studio import Section
from minidiff.files.images import save_grid

STEPS = (1, 2, 5, 20, 100)
CASCADE, CASCADE_STEPS = "385", ((20, 20), (20, 64), (64, 64))  # prompts; steps of both stages
SECTION = Section(
    "0", "Prompts and pictures",
    "A model is asked for something, here for a digit, and makes of pure noise a picture of it. "
    "More steps cost more time and bring it nearer to what it was trained to draw.",
    "x_T ~ N(0, I)   →   x_s ~ q(x_s | x_t, x̂_0(x_t, prompt))   →   x_0",
    "One step gives the mean of all digits of a kind, a blur: steps too few. From 5 on the digits "
    "are sharp, and from 20 to 100 one sees no difference; the curves of part B measure that. The "
    "second stage draws the answer again, twice as large: more of its steps change next to "
    "nothing, while more of the first stage's make another digit. The original page asks DeepFloyd "
    "for sentences.",
    "make sample-class ARGS='--digits 385 --steps 20 --upsample --upsample-steps 64'",
    ("minidiff/samplers.py: trajectory", "minidiff/models.py: walk",
     "minidiff/upsampler.py: upsample"),
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
    if studio.second_stage is None:
        return
    asked, rows = [*CASCADE], []
    for first, second in CASCADE_STEPS:
        small = studio.draw(studio.eps_fn(asked), len(asked), min(first, studio.schedule.T))
        large = studio.large(small, asked, second)
        rows += [interpolate(small, scale_factor=2).clamp(0, 1), large]
    path = out / "generation-cascade.png"
    save_grid(path, torch.stack(rows).transpose(0, 1).flatten(0, 1), "two stages: what the first "
              f"drew, and what the second made of it; steps of each above; seed 0; {studio.told}; "
              f"{studio.second_stage.summary}", len(rows), asked,
              [f"{name} {n}" for pair in CASCADE_STEPS for name, n in zip(("I:", "II:"), pair)],
              scale=1)
    yield path
