"""The time-conditioned model's figures: loss, samples, frames, and a film."""

from figures.page.html.studio import Section, newest_snapshots
from figures.part_b.snapshots import draw_snapshots
from minidiff.models.options import NO_GUIDANCE

SECTION = Section(
    "B2", "The time-conditioned model",
    "The same UNet, told the level t, learns to tell the noise at every level. Then it can walk "
    "all the way from noise to a digit.",
    "L = | ε̂(x_t, t) − ε |²,   t uniform in 1 .. T",
    "Read frames from left to right: x_t hides the digit until late; x̂_0 is a blur from the "
    "start, the mean of all that could be meant, and sharpens as the choice is made. The loss "
    "hardly falls after the first epoch, while the samples go on improving.",
    "make train-uncond",
    ("minidiff/diffusion.py: noise_loss", "minidiff/trainer.py: fit", "train/uncond.py"),
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    yield from draw_snapshots(out, *newest_snapshots("uncond"), NO_GUIDANCE)
