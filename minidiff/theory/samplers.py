"""7. Sampling: from noise to an image, step by step.

Start at x_T ~ N(0, I). At each t let the network predict the noise, then step to a slightly cleaner
level s < t, until s = 0. Two kinds of step are in use, and both work for any s < t. With

    alpha = alpha_bar_t / alpha_bar_s,   beta = 1 - alpha,   x_0_hat from eps_hat by DDPM (15)

DDPM samples x_s from q(x_s | x_t, x_0 = x_0_hat), the distribution of the noising process at s,
given where it started and where it is at t (*ancestral* sampling): DDPM (6) and (7) with t-1
generalised to s (the derivation is at `ddpm_step`). With fresh noise z ~ N(0, I):

    x_s = sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) · x_0_hat
        + sqrt(alpha) (1 - alpha_bar_s) / (1 - alpha_bar_t) · x_t  +  sigma z

    sigma² = beta                                                   "beta", the course's choice
           = beta_tilde = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta     "beta_tilde", DDPM (7)

beta_tilde is q's own variance: right if x_0_hat is exactly the image, as for data that is a single
point. beta is right for data that is itself standard Gaussian noise. The truth is in between (DDPM,
section 3.2). With few steps beta_tilde is clearly better.

DDIM keeps the predicted noise and adds exactly that back, DDIM (12) (its alpha is our alpha_bar):

    x_s = sqrt(alpha_bar_s) x_0_hat + sqrt(1 - alpha_bar_s - sigma²) eps_hat + sigma z
    sigma = eta sqrt(beta_tilde)                                    DDIM (16)

eta = 0 is deterministic, a smooth trajectory; eta = 1 is DDPM with beta_tilde (`ddim_step`). Three
rules are easily broken; each has a test. 1. The last step arrives at s = 0 and adds no noise. 2. If
x_0_hat is clipped to the data range, eps_hat must be computed again from it, or the two no longer
describe the same x_t. 3. x_t, the network's input, is never clipped: noise has no bounds.

A sampler takes an *eps_fn*: a function of x_t and t alone that returns eps_hat. `trajectory` yields
every state, so a progress bar is a `for` loop outside. A step is any function step(schedule, x_t,
t, s, eps_hat) that returns x_s and x_0_hat. If it needs more, it names that: `generator`, the
source of noise; `eps_fn`, to call the network again; `memory`, a dict of its own
(theory/solvers.py, where SAMPLERS lists all steps).

Remember: a step goes to x_s as the prediction says it would be, an image with the noise of level s.
How much of this noise is fresh is free; it may be all, some or none.

Sources: DDPM, arXiv:2006.11239; DDIM, arXiv:2010.02502.

Exercises
1. Add noise in the last step too. With which of the variances does it do no harm?
   test_exercises.py: test_beta_tilde_forgives_noise_in_the_last_step
2. Double the steps of DDIM. By how much does its error fall? (Derived in theory/solvers.py.)
   test_samplers.py: test_ddim_on_gaussian_data_converges_to_the_data
3. Sample digits with 20 steps and variance "beta", then "beta_tilde". What is left in the image?
   figures/part_b/sweep.py
Next: theory/guidance.py
"""

import inspect
from typing import NamedTuple

import torch

from minidiff.theory.diffusion import noise_like, predict_eps, predict_x_0

VARIANCES = ("beta", "beta_tilde")


class State(NamedTuple):
    """One state of a trajectory. x_0_hat: the prediction that led here, None at the start."""

    t: int
    x_t: torch.Tensor
    x_0_hat: torch.Tensor | None


def check_step(schedule, t, s):
    """Raise ValueError unless 0 <= s < t <= T."""
    if not 0 <= s < t <= schedule.T:
        raise ValueError(f"a step goes from t to s with 0 <= s < t <= {schedule.T}, got {t} -> {s}")


def clipped_prediction(schedule, x_t, t, eps_hat, clip):
    """Return (x_0_hat, eps_hat), consistent with each other. clip: None, (low, high), or a function
    of x_0_hat."""
    t = torch.full((len(x_t),), t, device=x_t.device)
    x_0_hat = predict_x_0(schedule, x_t, t, eps_hat)
    if clip is None:
        return x_0_hat, eps_hat
    x_0_hat = clip(x_0_hat) if callable(clip) else x_0_hat.clamp(*clip)
    return x_0_hat, predict_eps(schedule, x_t, t, x_0_hat)


def variance(schedule, t, s, kind="beta"):
    """Return sigma² of the DDPM step from t to s, a scalar tensor: DDPM section 3.2.

    t, s: ints, 0 <= s < t <= T. kind: one of VARIANCES. Raises ValueError for any other.
    """
    check_step(schedule, t, s)
    ab_t, ab_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    beta = 1 - ab_t / ab_s
    if kind == "beta":
        return beta
    if kind != "beta_tilde":
        raise ValueError(f"unknown variance {kind!r}; choose from: {', '.join(VARIANCES)}")
    return (1 - ab_s) / (1 - ab_t) * beta


def ddpm_step(schedule, x_t, t, s, eps_hat, *, kind="beta", clip=None, generator=None):
    """Return (x_s, x_0_hat), x_s sampled from q(x_s | x_t, x_0_hat). DDPM (6), (7); algorithm 2.

    x_t, eps_hat: (B,C,H,W). t, s: ints, 0 <= s < t <= T; s = 0 adds no noise. kind: of the
    variance, one of VARIANCES, or sigma² itself, a tensor. clip: see `clipped_prediction`. Raises
    ValueError for a step that does not go down.

    Derivation: the step back. Two things are known of x_s: it came from x_0, and x_t came from it.
    By Bayes' rule their densities multiply to q, so that, with a C that does not depend on x_s,

        -2 log q = (x_s - sqrt(ab_s) x_0)² / (1 - ab_s) + (x_t - sqrt(alpha) x_s)² / beta + C

    This is a parabola in x_s, so q is Gaussian. The factor of x_s² is 1 / variance, that of -2 x_s
    is mean / variance. As alpha + beta = 1 and alpha ab_s = ab_t, this is DDPM (7):

        1 / variance = 1 / (1 - ab_s) + alpha / beta = (1 - ab_t) / ((1 - ab_s) beta)
        mean / variance = sqrt(ab_s) / (1 - ab_s) x_0 + sqrt(alpha) / beta x_t

    Insert DDPM (15) for x_0, without clipping. The factor of x_t becomes 1 / sqrt(alpha) times
    (beta + alpha (1 - ab_s)) / (1 - ab_t), which is 1. That leaves DDPM (11), the mean as it stands
    in algorithm 2:

        mean = (x_t - beta / sqrt(1 - ab_t) eps_hat) / sqrt(alpha)

       test_derivations.py: test_the_step_back_is_bayes_rule
       test_derivations.py: test_the_mean_is_that_of_algorithm_2
    """
    check_step(schedule, t, s)
    ab_t, ab_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    alpha = ab_t / ab_s
    x_0_hat, _ = clipped_prediction(schedule, x_t, t, eps_hat, clip)
    x_s = ab_s.sqrt() * (1 - alpha) / (1 - ab_t) * x_0_hat
    x_s = x_s + alpha.sqrt() * (1 - ab_s) / (1 - ab_t) * x_t
    if s > 0:
        sigma_2 = kind if torch.is_tensor(kind) else variance(schedule, t, s, kind)
        x_s = x_s + sigma_2.sqrt() * noise_like(x_t, generator)
    return x_s, x_0_hat


def ddim_step(schedule, x_t, t, s, eps_hat, *, eta=0.0, clip=None, generator=None):
    """Return (x_s, x_0_hat), with a share eta of fresh noise in x_s. DDIM (12), (16).

    x_t, eps_hat: (B,C,H,W). t, s: ints, 0 <= s < t <= T. eta: 0 (deterministic) .. 1 (DDPM with
    beta_tilde). clip: see `clipped_prediction`. Raises ValueError for a step that does not go down
    and for an eta outside 0..1.

    Derivation: every eta is right. Suppose the prediction is the truth. The two noises eps and z
    are independent, so their variances add up to that of level s, whatever sigma is:

        x_s = sqrt(ab_s) x_0 + sqrt(1 - ab_s - sigma²) eps + sigma z
        1 - ab_s - sigma² + sigma² = 1 - ab_s

    So x_s has the distribution q(x_s | x_0), and by induction so has every state from T down to 0
    (DDIM, lemma 1). Training shows the network single levels, never two of one trajectory; so one
    network serves every eta. At sigma² = beta_tilde the factor of eps is a perfect square,

        1 - ab_s - beta_tilde = alpha (1 - ab_s)² / (1 - ab_t)

    and with eps = (x_t - sqrt(ab_t) x_0) / sqrt(1 - ab_t) the step is that of DDPM.

       test_derivations.py: test_every_eta_keeps_the_marginals
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0..1, got {eta}")
    sigma_2 = eta**2 * variance(schedule, t, s, "beta_tilde")
    ab_s = schedule.alpha_bar[s]
    x_0_hat, eps_hat = clipped_prediction(schedule, x_t, t, eps_hat, clip)
    x_s = ab_s.sqrt() * x_0_hat + (1 - ab_s - sigma_2).clamp(min=0).sqrt() * eps_hat
    if s > 0 and eta > 0:
        x_s = x_s + sigma_2.sqrt() * noise_like(x_t, generator)
    return x_s, x_0_hat


@torch.no_grad()
def take_step(eps_fn, schedule, x_t, t, s, *, step=ddpm_step, memory, generator=None, **options):
    """Predict the noise in x_t at t and step to s; return (x_s, x_0_hat). See `trajectory`."""
    eps_hat = eps_fn(x_t, torch.full((len(x_t),), t, device=x_t.device))
    offered = {"eps_fn": eps_fn, "memory": memory, "generator": generator}
    wanted = offered.keys() & inspect.signature(step).parameters
    return step(schedule, x_t, t, s, eps_hat, **{k: offered[k] for k in wanted}, **options)


def check_timesteps(schedule, timesteps):
    """Raise ValueError unless timesteps decrease, within 0..T, and end at 0."""
    if not timesteps or timesteps[-1] != 0:
        raise ValueError(f"timesteps must decrease and end at 0, got {list(timesteps)}")
    for t, s in zip(timesteps, timesteps[1:]):
        check_step(schedule, t, s)


def trajectory(eps_fn, schedule, x, timesteps, **options):
    """Sample from x along the timesteps and yield every State, the start included.

    eps_fn: (x_t (B,C,H,W), t (B,) int64) -> eps_hat. x: the start, at level timesteps[0].
    timesteps: decreasing ints that end at 0 (see schedule.evenly, schedule.strided). options: step,
    such as `ddpm_step`; its own options, such as clip and kind; and generator, the source of all
    noise, never reseeded on the way. Raises ValueError for timesteps that do not fit.
    """
    check_timesteps(schedule, timesteps)
    memory = {}
    yield State(timesteps[0], x, None)
    for t, s in zip(timesteps, timesteps[1:]):
        x, x_0_hat = take_step(eps_fn, schedule, x, t, s, memory=memory, **options)
        yield State(s, x, x_0_hat)


def sample(eps_fn, schedule, x, timesteps, **options):
    """Sample as `trajectory` does and return only the last image, (B,C,H,W)."""
    *_, last = trajectory(eps_fn, schedule, x, timesteps, **options)
    return last.x_t
