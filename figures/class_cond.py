"""The class-conditioned model's figures: loss, four of each digit, frames, a film, guidance."""

from figures.run import draw_marks, newest_marks
from minidiff import gallery
from minidiff.config import GuidanceFlags
from minidiff.models import from_checkpoint


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    marks, curves = newest_marks("class")
    model = from_checkpoint(marks[-1])
    yield from draw_marks(out, marks, curves, GuidanceFlags(**model.guidance))
    path = out / "class-guidance.png"
    gallery.draw_guidance(path, model, marks[-1]["config"]["sample_steps"], model.summary)
    yield path
