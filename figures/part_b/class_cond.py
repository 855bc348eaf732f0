"""The class-conditioned model's figures: loss, four of each digit, frames, a film, guidance."""

from figures.page.studio import Section
from figures.part_b.snapshots import draw_snapshots, newest_snapshots, sample_steps
from minidiff.evaluation import gallery
from minidiff.models.zoo import from_checkpoint

SECTION = Section(
    "B3", "The class-conditioned model",
    "The UNet is also given the digit, except that now and then it is hidden. So one network "
    "learns both predictions that guidance needs.",
    "L = | ε̂(x_t, t, c) − ε |²,   c = 0 with probability p_uncond = 0.1",
    ("minidiff/theory/guidance.py: drop_condition", "minidiff/network/unet.py: UNet",
     "train/class_cond.py"),
    "Four of each digit, none picked, after an early epoch and after the last. In the guidance "
    "figure each column starts from the same noise: γ decides how clearly it becomes its digit.",
    "make train-class",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    snapshots, curves = newest_snapshots("class")
    yield from draw_snapshots(out, snapshots, curves)
    path, model = out / "class-guidance.png", from_checkpoint(snapshots[-1])
    gallery.draw_guidance(path, model, sample_steps(snapshots[-1], model), model.summary)
    yield path
