"""1.5: images from nothing."""

from figures.page.studio import Section

SECTION = Section(
    "1.5", "Sampling from noise",
    "Start at pure noise, without guidance: what comes out is a sample of all that the model was "
    "trained on. No image went in.",
    "x_T ~ N(0, I),   then as in 1.4",
    ("minidiff/theory/samplers.py: sample",),
)


def draw(out, studio):
    """Draw as many samples as section 1.6 has; the course shows five."""
    n, steps = len(studio.guided), studio.more_steps
    x = studio.sample(studio.eps_fn([studio.prompt] * n, gamma=1.0), n, steps)
    yield studio.save(out / "sampling.png", [("", x)], f"prompt '{studio.prompt}', γ = 1, "
                      f"{studio.describe_steps(steps)}, none picked")
