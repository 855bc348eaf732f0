"""1.5: pictures from nothing."""

from figures.page.html.studio import Section
from minidiff.files.images import save_grid

SECTION = Section(
    "1.5", "Sampling from noise",
    "Start the way back at pure noise and ask for nothing: what comes out is a sample of all that "
    "the model was trained on. No picture went in.",
    "x_T ~ N(0, I),   then as in 1.4",
    "Most are digits, and some are not quite: without a prompt nothing pulls the strokes towards "
    "one digit. The next section mends that.",
    "make sample-uncond ARGS='--n 5 --out samples.png'",
    ("minidiff/samplers.py: sample",),
)


def draw(out, studio):
    """Draw ten samples; the course shows five."""
    path = out / "sampling.png"
    save_grid(path, studio.draw(studio.eps_fn([""] * 10), 10, 33),
              f"prompt '', 33 steps, seed 0, none picked; {studio.model.summary}")
    yield path
