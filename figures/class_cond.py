"""The class-conditioned model's figures: loss, four of each digit, frames, a film, guidance."""

from figures.run import draw_marks, newest_marks
from minidiff import checkpoint, gallery
from minidiff.config import GuidanceFlags
from minidiff.models import DigitModel


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    marks, curves = newest_marks("class")
    last = marks[-1]
    guidance = GuidanceFlags(**last.get("guidance", {}))
    yield from draw_marks(out, marks, curves, guidance)
    model = DigitModel(checkpoint.rebuild(last), last["config"]["T"])
    path = out / "class-guidance.png"
    gallery.draw_guidance(path, model, last["config"]["sample_steps"], checkpoint.summary(last))
    yield path
