"""1.1: what noise does to an image."""

import torch

from figures.page.studio import Section

SECTION = Section(
    "1.1", "The forward process",
    "Diffusion destroys an image by making it fainter and adding noise, more and more of both. It "
    "need not go step by step: one jump leads to any level t.",
    "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε,   ε ~ N(0, I)",
    ("minidiff/theory/diffusion.py: q_sample", "minidiff/theory/schedule.py: Schedule"),
)


def draw(out, studio):
    """Draw the test images at a quarter, half and three quarters of T."""
    x_0, times = studio.images(*studio.tests), studio.thirds()
    columns = [x_0, *(studio.noised(x_0, t) for t in times)]
    yield studio.save(
        out / "forward.png", [*zip(studio.tests.values(), torch.stack(columns, 1))], f"noised; "
        f"T = {studio.schedule.T}, {studio.schedule_name} schedule; values outside the data range "
        "are clipped in the figure only", ["t=0", *(f"t={t}" for t in times)])


def noised_thrice(studio):
    """Return the test images at these three levels: [(name, t, x_0, x_t), ...], (1,C,H,W) each."""
    x_0, times = studio.images(*studio.tests), studio.thirds()
    noisy = [studio.noised(x_0, t) for t in times]
    return [(name, t, x_0[k : k + 1], x_t[k : k + 1]) for k, name in enumerate(studio.tests)
            for t, x_t in zip(times, noisy)]
