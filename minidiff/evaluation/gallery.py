"""The figures that show whether a model is any good.

For the single-step denoiser: what noise does to digits, what the network makes of it, and how well
it does at noise levels it was not trained on. For a diffusion model: samples, and the trajectories
that lead to them. Training draws these at its snapshots, and `make figures` draws them again from a
run's files.

Read a trajectory from left to right. x_t, the upper row, hides the digit until late; x_0_hat, the
lower, is a blur from the start, the mean of all possible digits, and sharpens as the choice is
made.
"""

import torch

from minidiff.data.doodles.scenes import MEDIA, SUBJECTS
from minidiff.data.prompts import DIGITS, DOODLES
from minidiff.files.images import frames_of, save_gif, save_grid
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.theory.diffusion import noise_like

SIGMAS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)


def _noisy(x_0, sigma, seed):
    return x_0 + sigma * noise_like(x_0, torch.Generator().manual_seed(seed))


def draw_noising(path, x_0, caption, seed=0):
    """Draw images x_0 (N,1,H,W), a row each, at every level of SIGMAS, the same noise scaled."""
    rows = torch.stack([_noisy(x_0, sigma, seed) for sigma in SIGMAS], 1).flatten(0, 1)
    labels = [f"σ={sigma}" for sigma in SIGMAS]
    save_grid(path, rows, caption, len(SIGMAS), column_labels=labels)


@torch.no_grad()
def draw_denoised(path, denoiser, x_0, sigma, caption, seed=0):
    """Draw three rows: images x_0 (N,1,28,28), the same with noise, and the denoiser's output."""
    noisy = _noisy(x_0, sigma, seed)
    rows = torch.cat([x_0, noisy, denoiser(noisy)])
    save_grid(path, rows, caption, len(x_0), ("clean", f"σ={sigma}", "denoised"))


@torch.no_grad()
def draw_levels(path, denoiser, x_0, caption, seed=0):
    """Draw one image x_0 (1,1,28,28) at every level of SIGMAS, noisy above, denoised below."""
    noisy = torch.cat([_noisy(x_0, sigma, seed) for sigma in SIGMAS])
    labels = [f"σ={sigma}" for sigma in SIGMAS]
    rows = torch.cat([noisy, denoiser(noisy)])
    save_grid(path, rows, caption, len(SIGMAS), ("noisy", "denoised"), labels)


def draw_denoiser(name_file, denoiser, x_0, sigma, caption):
    """Draw test images x_0 denoised, and one at levels the denoiser was not trained on.

    name_file: (name) -> path. sigma: of the training.
    """
    draw_denoised(name_file("denoised"), denoiser, x_0, sigma, f"test digits: {caption}; seed 0")
    draw_levels(
        name_file("levels"), denoiser, x_0[:1], f"trained at σ={sigma} only: {caption}; seed 0"
    )


def draw_model(name_file, model, caption, **options):
    """Draw samples for `grid_prompts`, and the trajectories of the first four.

    name_file: (name) -> path. options: fields of SampleOptions, in place of the model's defaults.
    Returns the states and the caption.
    """
    options, prompts = options_for(model, **options), grid_prompts(model)
    states = list(generate(model, prompts, steps=options.steps, seed=options.seed,
                           **options.guidance, **options.sampling(model)))
    caption = f"{caption}; {options.describe(model)}"
    states = [_in_unit(model, state) for state in states]
    columns = len(grid_prompts(model, 1))
    save_grid(name_file("samples"), states[-1].x_t, f"samples: {caption}", columns)
    draw_trajectories(name_file("frames"), states, f"from noise to image: {caption}")
    return states, caption


def _in_unit(model, state):
    """Return a state of a trajectory with its images in [0, 1]."""
    t, x_t, prediction = state
    return type(state)(t, *(x if x is None else model.to_unit(x) for x in (x_t, prediction)))


def grid_prompts(model, rows=4):
    """Return the prompts of a grid, row by row: ten digits each, or null prompts; for doodles every
    subject, in a different medium in each row; for others the first ten words."""
    words = model.vocabulary.words
    if words and words not in (DIGITS.words, DOODLES.words):
        return list(words[:10]) * rows
    if words == DOODLES.words:
        media = [f"a {name} of " if name else "" for name in MEDIA]
        return [f"{medium}{subject}" for medium in media[:rows] for subject in SUBJECTS]
    return [str(k % 10) if model.conditional else "" for k in range(10 * rows)]


def draw_guidance(path, model, steps, caption, gammas=(0, 1, 2, 5, 10)):
    """Draw ten digits at several strengths of guidance, a row each, from the same noise."""
    prompts, rows = grid_prompts(model, 1), []
    for gamma in gammas:
        options = options_for(model, steps=steps, gamma=gamma, guide_until=0.0)
        *_, last = generate(model, prompts, steps=steps, seed=options.seed, **options.guidance,
                            **options.sampling(model))
        rows.append(last.x_t)
    text = (
        "prompts 0 to 9, the same noise in each row, guided at every step. γ = 0 ignores the "
        "prompt; 1 is what was trained; more makes the digit clearer, then stiff and thick. "
        f"{caption}; {options.describe(model).rpartition(', gamma')[0]}"
    )
    save_grid(path, torch.cat(rows), text, 10, [f"γ={gamma}" for gamma in gammas], prompts)


def draw_trajectories(path, states, caption, count=9, n=4):
    """Draw the trajectories of the first n samples: for each, x_t above and x_0_hat below.

    states: list of State or FlowState, as `generate` yields them. count: how many states to show.
    """
    shown = frames_of(states[1:], count)
    rows = []
    for k in range(min(n, len(shown[0].x_t))):
        rows += [s.x_t[k] for s in shown] + [s[2][k] for s in shown]
    names = shown[0]._fields[1:] * min(n, len(shown[0].x_t))
    labels = [f"t={round(s.t, 2)}" for s in shown]
    save_grid(path, torch.stack(rows), caption, len(shown), names, labels)


def draw_gif(path, states, caption, count=40):
    """Draw all samples as a GIF, x_t from noise to image. states: as `generate` yields them."""
    save_gif(path, [s.x_t for s in frames_of(states, count)], caption)
