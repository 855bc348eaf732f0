"""The pictures that tell whether a model is any good.

For the single-step denoiser: what noise does to digits, what the network makes of it, and how
it fares at noise levels it never saw. For a diffusion model: samples, and the way that leads to
them. The trainings draw these at their marks, `make figures` draws them again from a run's
files, `make sample-uncond` on request.

Read frames from left to right. x_t, the upper row, hides the digit until late; x_0_hat, the
lower, is a blur from the start, the mean of all digits that could be meant, and sharpens as the
choice is made.

This is the last lecture. The scripts in train/, sample/ and figures/ put it all to use.
"""

import torch

from minidiff.diffusion import noise_like
from minidiff.images import frames_of, save_gif, save_grid
from minidiff.samplers import sample_path
from minidiff.schedule import evenly

CHUNK = 256  # pictures per network call: bounds its memory, not the result
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


def draw_model(name_file, model, steps, caption, n=40):
    """Draw what a diffusion model can do: n samples, and the way to the first four.

    name_file: (name) -> path. steps: network calls, at most T. Returns the states and the caption.
    """
    steps = min(steps, model.schedule.T)
    states = list(walk(model, n, steps, seed=0))
    caption = f"{caption}; ddpm, {steps} steps, seed 0"
    save_grid(name_file("samples"), states[-1].x_t, f"samples: {caption}")
    draw_frames(name_file("frames"), states, f"from noise to digit: {caption}")
    return states, caption


def walk(model, n, steps, seed, step="ddpm", **options):
    """Return every State of a walk from noise to n pictures, starting from N(0, 1) at t = T.

    model: under the contract of models.py. steps: network calls, 1..T. seed: of all noise, drawn
    on the CPU so that every device starts alike. options: of `sample_path`; clip defaults to the
    model's range.
    """
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(n, *model.image_shape, generator=generator).to(model.device)
    cond = model.embed([""] * n)
    timesteps = evenly(model.schedule.T, steps)
    options = {"clip": model.data_range, "generator": generator, **options}

    def eps_fn(x, t):
        chunks = zip(x.split(CHUNK), t.split(CHUNK), _split(cond, n))
        return torch.cat([model(*chunk) for chunk in chunks])

    return sample_path(eps_fn, model.schedule, x_T, timesteps, step=step, **options)


def _split(cond, n):
    return [None] * -(-n // CHUNK) if cond is None else cond.split(CHUNK)


def draw_frames(path, states, caption, count=9, n=4):
    """Draw the way of the first n samples: for each, x_t above and x_0_hat below, left to right.

    states: list of State, as `walk` yields them. count: how many stops to show.
    """
    stops = frames_of(states[1:], count)
    rows = []
    for k in range(min(n, len(stops[0].x_t))):
        rows += [s.x_t[k] for s in stops] + [s.x_0_hat[k] for s in stops]
    names = ("x_t", "x_0_hat") * min(n, len(stops[0].x_t))
    save_grid(path, torch.stack(rows), caption, len(stops), names, [f"t={s.t}" for s in stops])


def draw_gif(path, states, caption, count=40):
    """Draw a film of all samples, x_t from noise to picture. states: as `walk` yields them."""
    save_gif(path, [s.x_t for s in frames_of(states, count)], caption)
