"""9. From prompts to images: model, guidance and sampler put together.

    generators, x_T       noise from a seed for each image
    cond, null            model.embed(prompts), and the same for as many null prompts
    eps_fn                guided(model, cond, null, gamma), with gamma = 1 from t = guide_until · T
    x_T, ..., x_0         trajectory(eps_fn, model.schedule, x_T, timesteps)

Noise is generated on the CPU, so it is the same on every device. Image k has seed + k · GOLDEN: it
does not depend on how many others are generated, nor on their prompts. Large batches are split.

Remember: an image is decided by its prompt, its seed and the steps, and by nothing beside it. All
that differs from one use to another is the eps_fn.

Exercises
1. Generate "7" twice with one seed, each time with other prompts beside it. Is it the same 7?
   test_generate.py: test_each_image_shows_its_own_prompt
2. Guide to the end (guide_until = 0), and for the first half only. What is gained, what is lost?
   figures/part_b/sweep.py
3. Take a single step. Which formula is the result?
   test_exercises.py: test_a_single_step_is_the_first_prediction
Next: editing/views.py, the first file of the second part
"""

from functools import partial

import torch

from minidiff.theory.diffusion import noise_like
from minidiff.theory.guidance import guided, until
from minidiff.theory.samplers import trajectory
from minidiff.theory.schedule import evenly

CHUNK = 256  # images of 28 x 28 per network call
GOLDEN = 0x9E3779B97F4A7C15  # 2⁶⁴ / golden ratio: its multiples are far apart modulo 2³² and 2⁶⁴


def generators(seed, n) -> list[torch.Generator]:
    """Return a source of noise for each of n images; that of the first has the seed itself."""
    return [torch.Generator().manual_seed((seed + k * GOLDEN) % 2**63) for k in range(n)]


def generate(model, prompts, *, steps, seed=0, gamma=1.0, guide_until=0.0, negative="", **options):
    """Yield every State of sampling an image for each prompt, from noise N(0, 1) to data.

    model: as in model.py. prompts: list of str. steps: network calls, 1..T for a model with a
    schedule. gamma: of guidance (6); above 1 it applies only while t > guide_until · T, and is 1
    after that. negative: a prompt in place of the null prompt. options: of the model's
    `trajectory`. Raises ValueError for a prompt that the model does not know, for guidance of a
    model without prompts, and for steps out of range.
    """
    generator = generators(seed, len(prompts))
    x = noise_like(torch.empty(len(prompts), *model.image_shape, device=model.device), generator)
    fn = prompted(model, prompts, gamma, guide_until, negative)
    return states(model, fn, x, steps, **{"generator": generator, **options})


def states(model, eps_fn, x, steps, **options):
    """Return the States from noise x in so many evenly spaced steps. options: of samplers.py's
    `trajectory`; clip defaults to the data range, the variance of a DDPM step to the command line's
    beta_tilde. A flow has a trajectory of its own."""
    if hasattr(model, "trajectory"):
        return model.trajectory(eps_fn, x, steps, **options)
    timesteps, own = evenly(model.schedule.T, steps), {"clip": model.data_range}
    own |= {} if "step" in options else {"kind": "beta_tilde"}
    return trajectory(eps_fn, model.schedule, x, timesteps, **{**own, **options})


def prompted(model, prompts, gamma=1.0, guide_until=0.0, negative=""):
    """Return the eps_fn(x_t, t) of a model that is given these prompts, one for each image.

    Arguments and errors: those of `generate`.
    """
    cond = model.embed(prompts)
    network = partial(_in_chunks, model)
    if not model.conditional:
        if gamma != 1:
            raise ValueError(f"a model without classes can't be guided; got gamma = {gamma}")
        return partial(network, cond=None)
    null = cond if gamma == 1 else model.embed([negative] * len(prompts))
    strong, plain = (model.combine(guided, network, cond, null, g) for g in (gamma, 1))
    if gamma <= 1:
        return strong
    if hasattr(model, "early"):  # a flow's t runs the other way
        return model.early(guide_until, strong, plain)
    return until(guide_until * model.schedule.T, strong, plain)


def _in_chunks(model, x_t, t, cond):
    """Return the model's prediction, made for CHUNK images at a time, fewer if they are larger."""
    size = max(1, CHUNK * 28 * 28 // x_t[0, 0].numel())
    parts = [slice(k, k + size) for k in range(0, len(x_t), size)]
    return model.join([model(x_t[p], t[p], None if cond is None else cond[p]) for p in parts])
