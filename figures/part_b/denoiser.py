"""The single-step denoiser's figures, from its run: noising, loss, digits, other noise levels."""

from figures.page.studio import Section
from figures.part_b.snapshots import draw_loss, newest_snapshots
from minidiff.data import catalog
from minidiff.evaluation import gallery
from minidiff.files import checkpoint
from minidiff.network import registry

SECTION = Section(
    "B1", "The single-step denoiser",
    "Add noise of one strength to digits and train a UNet to restore the digits. It is the whole "
    "idea of part B without levels.",
    "L = | D(x_0 + σ ε) − x_0 |²,   σ = 0.5",
    ("minidiff/network/unet.py: UNet", "minidiff/theory/diffusion.py: denoising_loss",
     "train/denoiser.py"),
    "After the first epoch digits are readable, after the last they are smooth. At noise levels "
    "it was not trained on, it degrades slowly: below σ = 0.5 it is fine, at 1.0 it invents "
    "strokes.",
    "make train-denoiser",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without a run."""
    snapshots, curves = newest_snapshots("denoiser")
    test = catalog.load(snapshots[-1]["dataset"], "test", studio.data_dir)
    x_0 = test.images_at(slice(0, 10))
    path = out / "denoiser-noising.png"
    gallery.draw_noising(path, x_0[:5], f"x_0 + σ eps: {test.name} test digits, seed 0")
    yield path
    yield draw_loss(out / "denoiser-loss.png", curves, checkpoint.summary(snapshots[-1]))
    for snapshot in snapshots:
        paths = {name: out / f"denoiser-{name}-epoch-{snapshot['epoch']:02d}.png"
                 for name in ("denoised", "levels")}
        network, caption = registry.rebuild(snapshot), checkpoint.summary(snapshot)
        gallery.draw_denoiser(paths.get, network, x_0, snapshot["config"]["sigma"], caption)
        yield from paths.values()
