"""1.2: denoising without a network."""

import torch

from figures.page.studio import Section
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
    """Draw a noisy image of 1.1, blurred as the course does and as well as a blur can."""
    x_0, times = studio.images(studio.tests[0]), studio.thirds()
    noisy = [studio.noised(x_0, t) for t in times]
    best = [best_blur(x_t, x_0) for x_t in noisy]
    rows = [*noisy, *map(gaussian_blur, noisy), *(x for _, x in best)]
    widths = ", ".join(f"{sigma:g} at t = {t}" for (sigma, _), t in zip(best, times))
    yield studio.save(
        out / "blur.png", torch.cat(rows), "the course's blur has a window of 5 pixels and σ = 2; "
        f"the best σ in squared error is {widths} (windows of 6σ)", 3,
        ("noisy", "blurred", "best blur"), [f"t={t}" for t in times])
