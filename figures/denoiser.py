"""The single-step denoiser's figures, from its run: noising, loss, digits, other noise levels."""

from figures.run import draw_loss, newest_marks
from minidiff import checkpoint, data, gallery


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError where no run is."""
    marks, curves = newest_marks("denoiser")
    test = data.load(marks[-1]["dataset"], "test", data_dir)
    x_0 = test.pictures(slice(0, 10))

    path = out / "denoiser-noising.png"
    gallery.draw_noising(path, x_0[:5], f"x_0 + σ eps: {test.name} test digits, seed 0")
    yield path

    yield draw_loss(out / "denoiser-loss.png", curves, checkpoint.summary(marks[-1]))

    for mark in marks:
        paths = {
            name: out / f"denoiser-{name}-epoch-{mark['epoch']:02d}.png"
            for name in ("denoised", "levels")
        }
        network, caption = checkpoint.rebuild(mark), checkpoint.summary(mark)
        gallery.draw_denoiser(paths.get, network, x_0, mark["config"]["sigma"], caption)
        yield from paths.values()
