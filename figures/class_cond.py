"""The class-conditioned model's figures: loss, four of each digit, frames, a film, guidance."""

from figures.run import draw_marks, newest_marks
from minidiff import checkpoint, gallery
from minidiff.config import GuidanceFlags
from minidiff.models import DigitModel


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    yield from draw_marks(out, "class", GuidanceFlags())
    mark = newest_marks("class")[0][-1]
    model = DigitModel(checkpoint.rebuild(mark), mark["config"]["T"])
    path = out / "class-guidance.png"
    steps = mark["config"]["sample_steps"]
    gallery.draw_guidance(path, model, steps, checkpoint.summary(mark))
    yield path
