"""1.6: classifier-free guidance."""

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
    prompts, n, rows = studio.guided, len(studio.guided), []
    for gamma in studio.gammas:
        x = studio.sample(studio.eps_fn(prompts, gamma=gamma), n, studio.steps)
        rows.append((f"γ={gamma}", x))
        if gamma == 7:
            rows += studio.upsampled(x, prompts, (("γ=7, upsampled", lambda x: x),))
    yield studio.save(
        out / "guidance.png", rows, "guided at every one of "
        f"{studio.describe_steps(studio.steps)}, the same noise in each row, none picked", prompts)
