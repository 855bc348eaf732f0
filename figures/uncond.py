"""The time-conditioned model's figures: loss, samples, frames, and a film."""

from figures.run import draw_marks, newest_marks
from minidiff.config import NO_GUIDANCE


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    yield from draw_marks(out, *newest_marks("uncond"), NO_GUIDANCE)
