"""Image to image: start sampling from a noised image instead of pure noise.

Nothing in this folder trains anything. A network that predicts noise is enough to restore images,
to vary them, to fill holes, and to show two things in one image. The sampler stays as it is.

Restoring. There are three ways back from x_t, from worst to best: blur it (blur.py), which removes
detail along with noise; jump with DDPM (15) to the mean of all clean images that could be under the
noise (`one_step`); or sample in many small steps, which settles on one of them.

SDEdit (`sdedit`). Noise an image to level t, then sample from there. The noise hides detail before
it hides shape, so the result is an image that the model could generate, with the shape of the given
one. t controls how much is kept: a small t returns the input, a large t forgets it.

Sources: SDEdit, arXiv:2108.01073.

Exercises
1. What will SDEdit return with start 0, and with the last index? Think before you run it.
   test_image_to_image.py: test_sdedit_from_the_last_level_is_the_image_and_from_the_first_sampling
2. Why is the one-step prediction from heavy noise blurred, but not like a blurred image?
   test_image_to_image.py: test_one_step_is_the_posterior_mean_of_gaussian_data
Next: editing/inpainting.py
"""

import torch

from minidiff.theory.diffusion import noise_like, predict_x_0, q_sample
from minidiff.theory.samplers import trajectory


def noised(schedule, x_0, t, generator=None):
    """Return images x_0 (B,C,H,W) noised to step t, an int in 0..T. DDPM (4). Raises ValueError
    for any other t."""
    if not 0 <= t <= schedule.T:
        raise ValueError(f"t must lie in 0..{schedule.T}, got {t}")
    at = torch.full((len(x_0),), t, device=x_0.device)
    return q_sample(schedule, x_0, at, noise_like(x_0, generator))


@torch.no_grad()
def one_step(eps_fn, schedule, x_t, t):
    """Return x_0_hat, one jump from x_t (B,C,H,W) at step t, an int in 1..T. DDPM (15)."""
    at = torch.full((len(x_t),), t, device=x_t.device)
    return predict_x_0(schedule, x_t, at, eps_fn(x_t, at))


def sdedit(eps_fn, schedule, x_0, timesteps, start, *, generator=None, **options):
    """Noise x_0 (B,C,H,W) to timesteps[start], then sample from there. SDEdit, section 3.

    timesteps: as in `trajectory`. start: index into them; 0 keeps the least of x_0, the last
    returns it. options: of `trajectory`. Returns a generator of States. Raises ValueError for a
    start outside the timesteps.
    """
    if not 0 <= start < len(timesteps):
        raise ValueError(
            f"start must lie in 0..{len(timesteps) - 1}, from noise to image; got {start}"
        )
    x_t = noised(schedule, x_0, timesteps[start], generator)
    return trajectory(eps_fn, schedule, x_t, timesteps[start:], generator=generator, **options)
