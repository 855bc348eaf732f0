"""1.2: denoising without a network."""

import torch

from figures.page.studio import Section
from figures.part_a.forward import noised_thrice
from minidiff.editing.blur import best_blur, gaussian_blur

SECTION = Section(
    "1.2", "Classical denoising",
    "Before there were networks, people blurred: noise varies from pixel to pixel, images do not, "
    "so an average over neighbours keeps more of the image than of the noise. Edges are lost along "
    "with it.",
    "x̂_0 = G_σ ∗ x_t",
    ("minidiff/editing/blur.py: gaussian_blur", "minidiff/editing/blur.py: best_blur"),
)


def draw(out, studio):
    """Draw the noisy images of 1.1, blurred as the course does and as well as a blur can."""
    every = noised_thrice(studio)
    noisy = torch.cat([x_t for *_, x_t in every])
    best = [best_blur(x_t, x_0) for _, _, x_0, x_t in every]
    yield studio.save(
        out / "blur.png", [("noisy", noisy), ("blurred", gaussian_blur(noisy)),
                           ("best blur", torch.cat([x for _, x in best]))],
        "the course's blur has a window of 5 pixels and σ = 2; the best has the σ above, found by "
        "its squared error to the image itself (windows of 6σ)",
        [f"t={t}\nσ={sigma:g}" for (_, t, _, _), (sigma, _) in zip(every, best)])
