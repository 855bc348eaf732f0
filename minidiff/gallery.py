"""The pictures that tell whether a model is any good.

For the single-step denoiser: what noise does to digits, what the network makes of it, and how
it fares at noise levels it never saw. For a diffusion model: samples, and the way that leads to
them. The trainings draw these at their marks, `make figures` draws them again from a run's
files, `make sample-uncond` on request.

Read frames from left to right. x_t, the upper row, hides the digit until late; x_0_hat, the
lower, is a blur from the start, the mean of all digits that could be meant, and sharpens as the
choice is made.

Next: upsampler.py
"""

import torch

from minidiff.diffusion import noise_like
from minidiff.images import frames_of, save_gif, save_grid
from minidiff.models import walk
from minidiff.settings import NO_GUIDANCE

SIGMAS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)


def _noisy(x_0, sigma, seed):
    return x_0 + sigma * noise_like(x_0, torch.Generator().manual_seed(seed))


def draw_noising(path, x_0, caption, seed=0):
    """Draw pictures x_0 (N,1,H,W), a row each, at every level of SIGMAS: the same noise, grown."""
    rows = torch.stack([_noisy(x_0, sigma, seed) for sigma in SIGMAS], 1).flatten(0, 1)
    labels = [f"σ={sigma}" for sigma in SIGMAS]
    save_grid(path, rows, caption, len(SIGMAS), column_labels=labels)


@torch.no_grad()
def draw_denoised(path, denoiser, x_0, sigma, caption, seed=0):
    """Draw three rows: pictures x_0 (N,1,28,28), with noise, and what the denoiser makes of it."""
    noisy = _noisy(x_0, sigma, seed)
    rows = torch.cat([x_0, noisy, denoiser(noisy)])
    save_grid(path, rows, caption, len(x_0), ("clean", f"σ={sigma}", "denoised"))


@torch.no_grad()
def draw_levels(path, denoiser, x_0, caption, seed=0):
    """Draw one picture x_0 (1,1,28,28) at every level of SIGMAS, noisy above, denoised below."""
    noisy = torch.cat([_noisy(x_0, sigma, seed) for sigma in SIGMAS])
    labels = [f"σ={sigma}" for sigma in SIGMAS]
    rows = torch.cat([noisy, denoiser(noisy)])
    save_grid(path, rows, caption, len(SIGMAS), ("noisy", "denoised"), labels)


def draw_denoiser(name_file, denoiser, x_0, sigma, caption):
    """Draw what a denoiser can do: test pictures x_0 denoised, and one at levels it never saw.

    name_file: (name) -> path. sigma: what it was trained with.
    """
    draw_denoised(name_file("denoised"), denoiser, x_0, sigma, f"test digits: {caption}; seed 0")
    draw_levels(
        name_file("levels"), denoiser, x_0[:1], f"trained at σ={sigma} only: {caption}; seed 0"
    )


def draw_model(name_file, model, steps, caption, guidance=NO_GUIDANCE):
    """Draw what a diffusion model can do: 40 samples, and the way to the first four.

    A model with classes draws four of each digit. name_file: (name) -> path. steps: network calls,
    at most T of a diffusion. guidance: GuidanceFlags. Returns the states and the caption.
    """
    how, prompts = model.flags(steps), grid_prompts(model)
    states = list(walk(model, prompts, how.steps, 0, **how.options(model), **guidance.options()))
    caption = f"{caption}; {how}" + (f", {guidance}" if any(prompts) else "")
    save_grid(name_file("samples"), states[-1].x_t, f"samples: {caption}")
    draw_frames(name_file("frames"), states, f"from noise to digit: {caption}")
    return states, caption


def grid_prompts(model, rows=4):
    """Return the prompts of a grid with ten columns: a digit each, or nothing to ask for."""
    return [str(k % 10) if model.conditional else "" for k in range(10 * rows)]


def draw_guidance(path, model, steps, caption, gammas=(0, 1, 2, 5, 10)):
    """Draw ten digits at several strengths of guidance, a row each, from the same noise."""
    how, prompts, rows = model.flags(steps), grid_prompts(model, 1), []
    for gamma in gammas:
        *_, last = walk(model, prompts, how.steps, 0, gamma=gamma, **how.options(model))
        rows.append(last.x_t)
    text = (
        "asked for 0 to 9, the same noise in each row, guided at every step. γ = 0 ignores what "
        "is asked; 1 is what was trained; more makes the digit plainer, then stiff and thick. "
        f"{caption}; {how}"
    )
    save_grid(path, torch.cat(rows), text, 10, [f"γ={gamma}" for gamma in gammas], prompts)


def draw_frames(path, states, caption, count=9, n=4):
    """Draw the way of the first n samples: for each, x_t above and x_0_hat below, left to right.

    states: list of State or FlowState, as `walk` yields them. count: how many stops to show.
    """
    stops = frames_of(states[1:], count)
    rows = []
    for k in range(min(n, len(stops[0].x_t))):
        rows += [s.x_t[k] for s in stops] + [s[2][k] for s in stops]
    names = stops[0]._fields[1:] * min(n, len(stops[0].x_t))
    labels = [f"t={round(s.t, 2)}" for s in stops]
    save_grid(path, torch.stack(rows), caption, len(stops), names, labels)


def draw_gif(path, states, caption, count=40):
    """Draw a film of all samples, x_t from noise to picture. states: as `walk` yields them."""
    save_gif(path, [s.x_t for s in frames_of(states, count)], caption)
