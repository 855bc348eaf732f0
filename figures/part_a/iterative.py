"""1.4: denoising in many steps."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised, one_step
from minidiff.files.images import save_grid
from minidiff.theory.samplers import trajectory

START = 10
SECTION = Section(
    "1.4", "Iterative denoising",
    "Instead of one leap to the mean, take many steps, each to a level with a little less noise. "
    "Strided levels jump over most of the T levels, and the formula holds for any pair t > s.",
    "x_s = √ᾱ_s β / (1 − ᾱ_t) · x̂_0 + √α (1 − ᾱ_s) / (1 − ᾱ_t) · x_t + σ z,   "
    "α = ᾱ_t / ᾱ_s,   β = 1 − α",
    "The steps end with a clean, sharp digit, where one step leaves grey and the blur a smudge. "
    "Sharp is not the same as true: what the noise has drowned is made up anew.",
    "make sample-denoise ARGS='--image my.png --steps 33 --start 10 --gif way.gif'",
    ("minidiff/samplers.py: ddpm_step", "minidiff/schedule.py: strided"),
)


def draw(out, studio):
    """Draw every fifth step of the way back from i_start = 10, then all four ways side by side."""
    x_0, levels = studio.digits("725"), studio.levels[START:]
    options, eps_fn = studio.options(), studio.eps_fn([""] * 3)
    x_t = noised(studio.schedule, x_0, levels[0], options["generator"])
    path = list(trajectory(eps_fn, studio.schedule, x_t, levels, **options))
    states = [*path[:-1:5], path[-1]]
    told = (f"i_start = {START}, t = {levels[0]}, {len(levels) - 1} strided steps, prompt '', "
            f"seed 0; {studio.model.summary}")
    file = out / "iterative-frames.png"
    save_grid(file, torch.stack([s.x_t for s in states], 1).flatten(0, 1),
              f"x_t at every fifth step; {told}", len(states),
              column_labels=[f"t={s.t}" for s in states])
    yield file
    columns = {"picture": x_0, "noisy": x_t, "steps": path[-1].x_t,
               "one step": one_step(eps_fn, studio.schedule, x_t, levels[0]),
               "blur": gaussian_blur(x_t), "best": best_blur(x_t, x_0)[1]}
    file = out / "iterative-compared.png"
    save_grid(file, torch.stack(list(columns.values()), 1).flatten(0, 1),
              f"the ways back; blur: window 5, σ = 2; best: the best Gaussian; {told}",
              len(columns), column_labels=[*columns])
    yield file
