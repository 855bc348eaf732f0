"""The time-conditioned model's figures, from its run: loss, samples, frames, and a film."""

from figures.run import draw_loss, newest_marks
from minidiff import checkpoint, gallery
from minidiff.models import DigitModel


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError where no run is."""
    marks, folder = newest_marks("uncond")
    yield draw_loss(out / "uncond-loss.png", folder, checkpoint.summary(marks[-1]))
    for mark in marks:
        paths = {
            name: out / f"uncond-{name}-epoch-{mark['epoch']:02d}.png"
            for name in ("samples", "frames")
        }
        model = DigitModel(checkpoint.rebuild(mark), mark["config"]["T"])
        states, caption = gallery.draw_model(
            paths.get, model, mark["config"]["sample_steps"], checkpoint.summary(mark)
        )
        yield from paths.values()
    path = out / "uncond.gif"
    gallery.draw_gif(path, states, caption)
    yield path
