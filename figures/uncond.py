"""The time-conditioned model's figures, from its run: loss, samples, frames, and a film."""

from figures.run import curves, weights
from minidiff import checkpoint, gallery, images
from minidiff.config import SampleFlags
from minidiff.models import DigitModel

TARGET = "make train-uncond"


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError where no run is."""
    marks, folder = weights("uncond")
    yield curves(out / "uncond-loss.png", folder, marks[-1])
    for mark in marks:
        model = DigitModel(checkpoint.rebuild(mark), mark["config"]["T"])
        steps = min(SampleFlags().steps, model.schedule.T)
        states = list(gallery.walk(model, 40, steps, seed=0))
        caption = f"{checkpoint.summary(mark)}; ddpm, {steps} steps, seed 0"
        epoch = f"epoch-{mark['epoch']:02d}"

        path = out / f"uncond-samples-{epoch}.png"
        images.save_grid(path, states[-1].x_t, f"samples: {caption}")
        yield path

        path = out / f"uncond-frames-{epoch}.png"
        gallery.draw_frames(path, states, f"from noise to digit: {caption}")
        yield path
    path = out / "uncond.gif"
    gallery.draw_gif(path, states, caption)
    yield path
