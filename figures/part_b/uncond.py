"""The time-conditioned model's figures: loss, samples, frames, and a film."""

from figures.page.studio import Section
from figures.part_b.snapshots import draw_snapshots, newest_snapshots

SECTION = Section(
    "B2", "The time-conditioned model",
    "The same UNet, given the level t, learns to predict the noise at every level. Then it can "
    "sample all the way from noise to a digit.",
    "L = | v̂(x_t, t) − v |²,   v = √ᾱ_t ε − √(1 − ᾱ_t) x_0,   t uniform in 1 .. T;   the course's, "
    "--recipe full:   | ε̂(x_t, t) − ε |²",
    ("minidiff/theory/diffusion.py: noise_loss", "minidiff/theory/velocity.py: v_of",
     "train/uncond.py"),
    "Read frames from left to right: x_t hides the digit until late; x̂_0 is a blur from the "
    "start, the mean of all possible digits, and sharpens as the choice is made. The loss hardly "
    "falls after the first epoch, while the samples continue to improve. The laptop's recipe "
    "predicts v, a mixture of noise and image from which ε̂ is computed, as it draws better digits.",
    "make train-uncond",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    yield from draw_snapshots(out, *newest_snapshots("uncond"))
