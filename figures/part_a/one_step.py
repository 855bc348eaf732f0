"""1.3: denoising in one step."""

import torch

from figures.page.studio import Section
from minidiff.editing.image_to_image import one_step

SECTION = Section(
    "1.3", "One-step denoising",
    "The network predicts the noise; subtract it, and the image is left. From training it knows "
    "how a stroke or a face continues.",
    "x̂_0 = (x_t − √(1 − ᾱ_t) ε̂(x_t, t)) / √ᾱ_t",
    ("minidiff/editing/image_to_image.py: one_step", "minidiff/theory/diffusion.py: predict_x_0"),
)


def draw(out, studio):
    """Draw the test images, noisy and denoised, at three levels."""
    x_0, times, rows = studio.images(*studio.tests), studio.thirds(), []
    eps_fn = studio.eps_fn([studio.prompt] * len(x_0), gamma=1.0)
    noisy = [studio.noised(x_0, t) for t in times]
    clean = [one_step(eps_fn, studio.schedule, x, t) for x, t in zip(noisy, times)]
    for k in range(len(x_0)):
        rows += [x[k] for x in noisy] + [x[k] for x in clean]
    yield studio.save(out / "one_step.png", torch.stack(rows), f"prompt '{studio.prompt}'", 3,
                      ("noisy", "x̂₀") * len(x_0), [f"t={t}" for t in times])
