"""1.6: classifier-free guidance."""

import torch

from figures.page.studio import Section

SECTION = Section(
    "1.6", "Classifier-free guidance",
    "Let the network predict twice, with the prompt and without, and go further along the "
    "difference. The image then shows the prompt more clearly, at the price of variety.",
    "ε̂ = ε_u + γ (ε_c − ε_u)",
    ("minidiff/theory/guidance.py: guided",),
)


def draw(out, studio):
    """Draw all prompts at every strength, the same noise in each row; enlarge those of γ = 7."""
    prompts, n = studio.guided, len(studio.guided)
    rows = {gamma: studio.sample(studio.eps_fn(prompts, gamma=gamma), n, studio.steps)
            for gamma in studio.gammas}
    yield studio.save(
        out / "guidance.png", torch.cat([*rows.values()]),
        f"prompts, in columns: {', '.join(prompts)}; guided at every one of "
        f"{studio.describe_steps(studio.steps)}, the same noise in each row, none picked", n,
        [f"γ={gamma}" for gamma in rows], studio.labels(prompts))
    yield from studio.upsampled(out / "guidance-upsampled.png", rows[7], "the row of γ = 7", n,
                                prompts=prompts, column_labels=studio.labels(prompts))
