"""The class-conditioned model's figures: loss, four of each digit, frames, a film, guidance."""

from figures.page.html.studio import Section, newest_snapshots
from figures.part_b.snapshots import draw_snapshots
from minidiff.evaluation import gallery
from minidiff.models.options import SampleOptions
from minidiff.models.zoo import from_checkpoint

SECTION = Section(
    "B3", "The class-conditioned model",
    "The UNet also hears which digit it is, except that now and then it is not told. So one "
    "network learns both predictions that guidance needs.",
    "L = | ε̂(x_t, t, c) − ε |²,   c = 0 with probability p_uncond = 0.1",
    "Four of each digit, none picked, after an early epoch and after the last. In the guidance "
    "figure each column starts from the same noise: γ decides how plainly it becomes its digit.",
    "make train-class",
    ("minidiff/guidance.py: drop_condition", "minidiff/unet.py: UNet", "train/class_cond.py"),
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    marks, curves = newest_snapshots("class")
    model = from_checkpoint(marks[-1])
    yield from draw_snapshots(out, marks, curves, SampleOptions(**model.guidance))
    path = out / "class-guidance.png"
    gallery.draw_guidance(path, model, marks[-1]["config"]["sample_steps"], model.summary)
    yield path
