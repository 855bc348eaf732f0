"""1.3: denoising in one step."""

import torch

from figures.page.studio import Section
from figures.part_a.forward import noised_thrice
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
    every, eps_fn = noised_thrice(studio), studio.eps_fn([studio.prompt], gamma=1.0)
    clean = [one_step(eps_fn, studio.schedule, x_t, t) for _, t, _, x_t in every]
    yield studio.save(
        out / "one_step.png", [("noisy", torch.cat([x_t for *_, x_t in every])),
                               ("x̂_0", torch.cat(clean)),
                               ("image", torch.cat([x_0 for _, _, x_0, _ in every]))],
        f"one step from each t, prompt '{studio.prompt}'", [f"t={t}" for _, t, _, _ in every])
