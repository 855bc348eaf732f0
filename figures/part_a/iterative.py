"""1.4: denoising in many steps."""

import torch

from figures.page.studio import Section
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised, one_step
from minidiff.theory.samplers import trajectory

START = 10
SECTION = Section(
    "1.4", "Iterative denoising",
    "Instead of one leap to the mean, take many steps, each to a level with a little less noise. "
    "Strided levels skip most of the T levels; the formula holds for any pair t > s.",
    "x_s = √ᾱ_s β / (1 − ᾱ_t) · x̂_0 + √α (1 − ᾱ_s) / (1 − ᾱ_t) · x_t + σ z,   "
    "α = ᾱ_t / ᾱ_s,   β = 1 − α",
    ("minidiff/theory/samplers.py: ddpm_step", "minidiff/theory/schedule.py: strided"),
)


def draw(out, studio):
    """Draw every fifth step from i_start = 10, then all four methods side by side."""
    x_0, levels = studio.images(*studio.tests), studio.levels[START:]
    options, eps_fn = studio.options(len(x_0)), studio.eps_fn([studio.prompt] * len(x_0), gamma=1.0)
    x_t = noised(studio.schedule, x_0, levels[0], options["generator"])
    path = list(trajectory(eps_fn, studio.schedule, x_t, levels, **options))
    states, names = [*path[:-1:5], path[-1]], [*studio.tests.values()]
    caption = (f"i_start = {START}, t = {levels[0]}, {len(levels) - 1} strided steps, prompt "
               f"'{studio.prompt}'")
    yield studio.save(
        out / "iterative-frames.png", [*zip(names, torch.stack([s.x_t for s in states], 1))],
        f"every fifth step, x_t; {caption}", [f"t={s.t}" for s in states])
    columns = {"image": x_0, "noisy": x_t, "many steps": path[-1].x_t,
               "one step": one_step(eps_fn, studio.schedule, x_t, levels[0]),
               "blur": gaussian_blur(x_t), "best blur": best_blur(x_t, x_0)[1]}
    yield studio.save(
        out / "iterative-compared.png", [*zip(names, torch.stack([*columns.values()], 1))],
        f"four methods; blur: window 5, σ = 2; best blur: the best Gaussian; {caption}", [*columns])
