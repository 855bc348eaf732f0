"""1.3: denoising in one step."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.image_to_image import one_step
from minidiff.files.images import save_grid

SECTION = Section(
    "1.3", "One-step denoising",
    "The network tells the noise; take it away, and the picture is left. It has seen digits, so it "
    "knows where a stroke goes on.",
    "x̂_0 = (x_t − √(1 − ᾱ_t) ε̂(x_t, t)) / √ᾱ_t",
    "Much better than any blur. At three quarters of T the guess is grey and soft: it is the mean "
    "of all digits that could lie underneath, and no digit itself.",
    "make sample-denoise ARGS='--image my.png --start 10 --out back.png'",
    ("minidiff/editing.py: one_step", "minidiff/diffusion.py: predict_x_0"),
)


def draw(out, studio):
    """Draw three digits, noisy and denoised, at three levels; nothing is asked for."""
    x_0, times, rows = studio.digits("725"), studio.thirds(), []
    eps_fn = studio.eps_fn([""] * len(x_0))
    noisy = [studio.noised(x_0, t) for t in times]
    clean = [one_step(eps_fn, studio.schedule, x, t) for x, t in zip(noisy, times)]
    for k in range(len(x_0)):
        rows += [x[k] for x in noisy] + [x[k] for x in clean]
    path = out / "one_step.png"
    save_grid(path, torch.stack(rows), f"prompt '' (nothing), seed 0; {studio.model.summary}", 3,
              ("noisy", "x̂₀") * len(x_0), [f"t={t}" for t in times])
    yield path
