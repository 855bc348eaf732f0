"""The single-step denoiser's figures, from its run: noising, loss, test digits, other noise
levels."""

from figures.run import curves, weights
from minidiff import checkpoint, data, gallery

TARGET = "make train-denoiser"


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError where no run is."""
    marks, folder = weights("denoiser")
    test = data.load(marks[-1]["dataset"], "test", data_dir)
    x_0 = test.pictures(slice(0, 10))
    sigma = marks[-1]["config"]["sigma"]

    path = out / "denoiser-noising.png"
    gallery.draw_noising(path, x_0[:5], f"x_0 + σ eps: {test.name} test digits, seed 0")
    yield path

    yield curves(out / "denoiser-loss.png", folder, marks[-1])

    for mark in marks:
        network, caption = checkpoint.rebuild(mark), checkpoint.summary(mark)
        path = out / f"denoiser-digits-epoch-{mark['epoch']:02d}.png"
        gallery.draw_denoised(path, network, x_0, sigma, f"test digits: {caption}; seed 0")
        yield path

    path = out / "denoiser-levels.png"
    gallery.draw_levels(path, network, x_0[:1], f"trained at σ={sigma} only: {caption}; seed 0")
    yield path
