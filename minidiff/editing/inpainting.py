"""Inpainting: fill a hole in an image, and keep the rest.

Where the mask m is 1 there is a hole, and the rest is known. After each step from t to s the known
part is put back, noised to s, the level just reached:

    x_s ← m x_s + (1 − m) q_sample(x_0, s)       RePaint (8), which has 1 − m for m, and t for s

One step does not make the parts consistent (why is derived at `inpaint`). RePaint goes back up to
t, x_t = sqrt(alpha) x_s + sqrt(1 − alpha) z, and down again, several times (its algorithm 1):
`resample`, which multiplies the number of network calls.

Remember: the known part is right at every level, and the hole follows it only as far as the noise
lets it be seen. Taking steps again gives both time to agree.

Sources: RePaint, arXiv:2201.09865.

Exercises
1. Put the known part back clean, not noised to s. Which test fails? Then look at the samples.
   test_inpainting.py: test_the_known_part_is_at_the_level_just_reached
2. What is inpainting with a hole everywhere, and with no hole at all?
   test_inpainting.py: test_a_hole_everywhere_is_plain_sampling
   test_inpainting.py: test_without_a_hole_the_image_is_returned
Next: editing/illusions.py
"""

import torch

from minidiff.editing.image_to_image import noised
from minidiff.theory.diffusion import noise_like
from minidiff.theory.samplers import State, check_timesteps, take_step


def inpaint(
    eps_fn, schedule, x_0, mask, x, timesteps, *, resample=1, generator=None, **options
):
    """Fill the hole in images x_0, yielding every State. RePaint, algorithm 1.

    x_0: (B,C,H,W). mask: bool, broadcastable to x_0, True = hole. x: noise to start from, like x_0.
    timesteps, options: of `trajectory`. resample: how often each step is taken, 1: once.
    The known part ends exactly as in x_0. Its noise comes from a second generator derived from the
    first, so that with a hole everywhere this is plain sampling, bit for bit (without a generator:
    in distribution). Raises ValueError for arguments that do not fit and for resample below 1.

    Derivation: what is exact in inpainting. Write x_t as a hole h_t and a known part k_t. That k_t
    is put back by DDPM (4) is exact: it has the distribution it has in training. The network's
    eps_hat is a scaled score of both together, whose part in the hole is, since the density of k_t
    alone does not depend on h_t,

        ∇ log p(h_t, k_t) = ∇ log p(h_t | k_t)       gradients with respect to h_t

    So the hole is predicted given the known part as it is *noised to t*, while it should be given
    k_0. At small t that is nearly the same. At large t k_t says little about k_0, so the hole takes
    shape without knowing what it must fit: that is the heuristic part. Stepping back and forth at
    the same t shows the hole another k_t each time, and brings both closer to fitting.

       test_derivations_editing.py: test_the_hole_is_predicted_given_the_noised_known_part
       test_inpainting.py: test_resampling_brings_the_hole_closer_to_bayes_rule
    """
    check_timesteps(schedule, timesteps)
    if x.shape != x_0.shape:
        raise ValueError(f"x and x_0 differ in shape: {tuple(x.shape)} and {tuple(x_0.shape)}")
    fits = mask.dim() == 4 and all(m in (1, n) for m, n in zip(mask.shape, x_0.shape))
    if mask.dtype != torch.bool or not fits:
        raise ValueError(
            f"mask must be bool, True for the hole, and fit {tuple(x_0.shape)}; got {mask.dtype} "
            f"{tuple(mask.shape)}"
        )
    if resample < 1:
        raise ValueError(f"resample must be at least 1, got {resample}")
    known_noise, memory = _second_generator(generator), {}
    yield State(timesteps[0], x, None)
    for t, s in zip(timesteps, timesteps[1:]):
        for left in reversed(range(resample if s > 0 else 1)):
            x, x_0_hat = take_step(
                eps_fn, schedule, x, t, s, memory=memory, generator=generator, **options
            )
            x = torch.where(mask, x, noised(schedule, x_0, s, known_noise))
            if left:
                x = _step_back(schedule, x, s, t, known_noise)
        yield State(s, x, x_0_hat)


def inpaint_calls(calls, resample):
    """Return how many network calls `inpaint` makes: its last step is never repeated. calls: those
    of a trajectory whose last step makes one, such as one for each step."""
    return resample * (calls - 1) + 1


def _step_back(schedule, x_s, s, t, generator):
    """Add noise from level s to t: DDPM (2) for any two levels; RePaint, line 10."""
    alpha = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return alpha.sqrt() * x_s + (1 - alpha).sqrt() * noise_like(x_s, generator)


def _second_generator(generator):
    """Return a generator seeded by the state of another, which stays; of a list, a list."""
    if generator is None:
        return None
    if isinstance(generator, list):
        return [_second_generator(g) for g in generator]
    twin = generator.clone_state()
    seed = torch.randint(2**62, (), generator=twin, device=twin.device)
    return twin.manual_seed(seed.item())
