"""1.2: denoising without a network."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.files.images import save_grid

SECTION = Section(
    "1.2", "Classical denoising",
    "Before there were networks one blurred: noise changes from pixel to pixel, pictures do not, "
    "so an average over neighbours keeps more of the picture. Edges are lost along with it.",
    "x̂_0 = G_σ ∗ x_t",
    "Even the best width, found by looking at the answer, gives a smudge. A blur knows nothing of "
    "digits.",
    "make sample-denoise ARGS='--image my.png --start 10 --out back.png'",
    ("minidiff/editing.py: gaussian_blur", "minidiff/editing.py: best_blur"),
)


def draw(out, studio):
    """Draw the noisy pictures of 1.1, blurred as the course does and as well as a blur can."""
    x_0, times = studio.digits("7"), studio.thirds()
    noisy = [studio.noised(x_0, t) for t in times]
    best = [best_blur(x_t, x_0) for x_t in noisy]
    rows = [*noisy, *map(gaussian_blur, noisy), *(x for _, x in best)]
    widths = ", ".join(f"{sigma:g} at t = {t}" for (sigma, _), t in zip(best, times))
    path = out / "blur.png"
    save_grid(path, torch.cat(rows), "the course's blur has a window of 5 pixels and σ = 2; the "
              f"best σ in squared error is {widths} (windows of 6σ); seed 0", 3,
              ("noisy", "blurred", "best blur"), [f"t={t}" for t in times])
    yield path
