"""The second stage's figures: loss, and what it makes of digits at several noise levels."""

import torch
import torch.nn.functional as F

from figures.page.studio import Section
from figures.part_b.snapshots import draw_loss, newest_snapshots
from minidiff.data import strokes
from minidiff.files import checkpoint
from minidiff.files.images import save_grid
from minidiff.models.upsampler import Upsampler, upsample
from minidiff.models.zoo import description
from minidiff.network.registry import rebuild

LEVELS = (0.0, 0.1, 0.25, 0.5)
SECTION = Section(
    "B5", "The second stage",
    "A second model of twice the size is given the small image next to the noise and makes a "
    "larger one of it. Its input is noised a little, to a level that it is given too, so that it "
    "does not trust it too much.",
    "ε̂(x_t, low_s, t, s),   low_s = √ᾱ_s enlarge(low) + √(1 − ᾱ_s) ε,   "
    "x̂_0 ← x̂_0 + A⁺ (low − A x̂_0),   A: shrink, A⁺: repeat pixels",
    ("minidiff/models/upsampler.py: Upsampler", "minidiff/models/upsampler.py: upsample",
     "train/upsampler.py"),
    "Interpolation can only blur; the second stage knows where a pen's edge is. In the row `ours` "
    "it is kept consistent with its input: shrunk back, the large image is the small one. Left "
    "free, it copies less and invents more the more noise is on its input: at 0.5 strokes move and "
    "digits change. It was trained on strokes only; MNIST's digits show how far that carries.",
    "make train-upsampler",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    snapshots, curves = newest_snapshots("upsampler")
    last, summary = snapshots[-1], checkpoint.summary(snapshots[-1])
    model = Upsampler(rebuild(last), **description(last))
    yield draw_loss(out / "upsampler-loss.png", curves, summary)
    large = strokes.dataset(10, 2, model.image_shape[2])[0].float() / 255  # never trained on
    steps = min(20, model.schedule.T)
    test = studio.test
    sets = {"strokes": F.avg_pool2d(large, 2), test.name: test.images_at(slice(0, 10))}
    for name, low in sets.items():
        rows = [F.interpolate(low, scale_factor=2, mode=mode) for mode in ("nearest", "bicubic")]
        rows += [upsample(model, low, steps=steps)]
        rows += [upsample(model, low, level=level, steps=steps, held=False) for level in LEVELS]
        labels = ["small", "bicubic", "ours", *(f"free, s = {level:g} T" for level in LEVELS)]
        if name == "strokes":
            rows, labels = [*rows, large], [*labels, "true"]
        path = out / f"upsampler-{name}.png"
        save_grid(path, torch.cat(rows), f"test digits of {name}, 28 to 56 pixels, {steps} steps, "
                  f"without the digit, seed 0; {summary}", 10, labels, scale=1)
        yield path
