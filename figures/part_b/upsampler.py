"""The second stage's figures: loss, and what it makes of digits at several noise levels."""

import torch
import torch.nn.functional as F

from figures.page.html.studio import Section, newest_snapshots
from figures.part_b.snapshots import draw_loss
from minidiff.data import strokes
from minidiff.files import checkpoint
from minidiff.files.images import save_grid
from minidiff.models.upsampler import Upsampler, upsample
from minidiff.network import registry

LEVELS = (0.0, 0.1, 0.25, 0.5)
SECTION = Section(
    "B5", "The second stage",
    "A second model of twice the size is shown the small picture beside the noise and draws it "
    "again. What it is shown is noised a little, to a level it is told, so that it does not trust "
    "it too much.",
    "ε̂(x_t, low_s, t, s),   low_s = √ᾱ_s enlarge(low) + √(1 − ᾱ_s) ε,   "
    "x̂_0 ← x̂_0 + A⁺ (low − A x̂_0),   A: shrink, A⁺: repeat pixels",
    "Interpolation can only smear; the second stage knows where a pen's edge lies. In the row "
    "`ours` it is held to what it is shown: shrunk back, the large picture is the small one. Left "
    "free, it copies less and invents more the more noise there is on what it is shown: at 0.5 "
    "strokes move and digits change. It has seen nothing but strokes; MNIST's digits show how far "
    "that carries.",
    "make train-upsampler",
    ("minidiff/upsampler.py: Upsampler", "minidiff/upsampler.py: upsample", "train/upsampler.py"),
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    marks, curves = newest_snapshots("upsampler")
    told = checkpoint.summary(marks[-1])
    yield draw_loss(out / "upsampler-loss.png", curves, told)
    model = Upsampler(registry.rebuild(marks[-1]), marks[-1]["config"]["T"])
    large = strokes.dataset(10, 2, model.image_shape[2])[0].float() / 255  # never trained on
    steps = min(20, model.schedule.T)
    sets = {"strokes": F.avg_pool2d(large, 2), studio.test.name: studio.test.images_at(slice(0, 10))}
    for name, low in sets.items():
        rows = [F.interpolate(low, scale_factor=2, mode=mode) for mode in ("nearest", "bicubic")]
        rows += [upsample(model, low, steps=steps)]
        rows += [upsample(model, low, level=level, steps=steps, held=False) for level in LEVELS]
        labels = ["small", "bicubic", "ours", *(f"free, s = {level:g} T" for level in LEVELS)]
        if name == "strokes":
            rows, labels = [*rows, large], [*labels, "true"]
        path = out / f"upsampler-{name}.png"
        save_grid(path, torch.cat(rows), f"test digits of {name}, 28 to 56 pixels, {steps} steps, "
                  f"no digit told, seed 0; {told}", 10, labels, scale=1)
        yield path
