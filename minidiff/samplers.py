"""Walk from noise to data.

Start at x_T ~ N(0, I). At each t ask the network for the noise, and step to a slightly cleaner
s < t. Two ways to step, and both work for any s < t because alpha_bar is all they need. With

    alpha = alpha_bar_t / alpha_bar_s,   beta = 1 - alpha,   x_0_hat from eps_hat by DDPM (15)

DDPM, also called ancestral sampling since each state is drawn from its parent, draws from
q(x_s | x_t, x_0 = x_0_hat). q is the law of the noising process: given where it began and where it
is at t, where was it at s? By Bayes' rule that is Gaussian, DDPM (6) and (7) with t-1 generalised
to s. With fresh noise z ~ N(0, I):

    x_s = sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) · x_0_hat
        + sqrt(alpha) (1 - alpha_bar_s) / (1 - alpha_bar_t) · x_t  +  sigma z

    sigma² = beta                                                   "beta", the course's
           = beta_tilde = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta     "beta_tilde", DDPM (7)
           = exp(f log beta + (1 - f) log beta_tilde)               "learned", improved DDPM (15)

The second is q's own, right if x_0_hat is the picture, as it is for data that is a single point.
The first is right for data that is itself Gaussian noise. Truth lies between (DDPM, section 3.2),
and a network can learn where: its second output v in [-1, 1] gives f = (v + 1) / 2, which is the
v of the paper's (15). Ours learn none.

DDIM keeps the guessed noise and re-adds exactly that, DDIM (12) (its alpha is our alpha_bar):

    x_s = sqrt(alpha_bar_s) x_0_hat + sqrt(1 - alpha_bar_s - sigma²) eps_hat + sigma z
    sigma = eta sqrt(beta_tilde)                                    DDIM (16)

eta = 0 is deterministic: a smooth path that can be walked in few steps. eta = 1 is DDPM with
beta_tilde.

Three mistakes to look out for, each with a test. The last step lands on s = 0 and adds no noise.
Clipping x_0_hat to the data's range is allowed, but DDIM, which uses eps_hat too, must then compute
it anew from the clipped x_0_hat, or the two no longer describe the same x_t. And what the network
is fed, x_t, is never clipped: noise has no range.

`sample_path` is a generator that yields every state, so bars, films and early stops are `for`
loops outside.

Sources: DDPM, arXiv:2006.11239; DDIM, arXiv:2010.02502; improved DDPM, arXiv:2102.09672.

Exercises
1. Add noise in the last step too. Which of the variances forgives it?
   test_exercises.py: test_beta_tilde_forgives_noise_in_the_last_step
2. Double the steps of DDIM. By how much does its error fall?
   test_samplers.py: test_ddim_on_gaussian_data_converges_to_the_data
3. Draw digits with 20 steps and variance "beta", then "beta_tilde". What stays in the picture?
   figures/sweep.py
Next: views.py, first of two files on what else can be done with a sampler
"""

from typing import NamedTuple

import torch

from minidiff.diffusion import noise_like, predict_eps, predict_x_0
from minidiff.guidance import until
from minidiff.schedule import evenly

VARIANCES = ("beta", "beta_tilde", "learned")


class State(NamedTuple):
    """One stop of the walk.

    t: int in 0..T. x_t: (B,C,H,W). x_0_hat: the guess that led here, None at the start.
    """

    t: int
    x_t: torch.Tensor
    x_0_hat: torch.Tensor | None


def _check_step(schedule, t, s):
    if not 0 <= s < t <= schedule.T:
        raise ValueError(f"a step goes from t to s with 0 <= s < t <= {schedule.T}, got {t} -> {s}")


def _guess(schedule, x_t, t, eps_hat, clip):
    """Return (x_0_hat, eps_hat), clipped to the range `clip`, or by the function, and made
    consistent again."""
    t = torch.full((len(x_t),), t, device=x_t.device)
    x_0_hat = predict_x_0(schedule, x_t, t, eps_hat)
    if clip is None:
        return x_0_hat, eps_hat
    x_0_hat = clip(x_0_hat) if callable(clip) else x_0_hat.clamp(*clip)
    return x_0_hat, predict_eps(schedule, x_t, t, x_0_hat)


def dynamic_threshold(share=0.95, most=1.5):
    """Return a clip for x_0_hat in -1..1 that follows its largest values. Imagen, section 2.3.

    s is the value below which a `share` of a picture's |x_0_hat| lies, at least 1 and at most
    `most`. The picture is clipped to -s..s and divided by s: where guidance drives many pixels
    beyond the range, all are drawn back inside in proportion, and do not saturate.
    """

    def clip(x_0_hat):
        s = x_0_hat.abs().flatten(1).quantile(share, 1).clamp(1, most).view(-1, 1, 1, 1)
        return x_0_hat.clamp(-s, s) / s

    return clip


def variance(schedule, t, s, kind="beta", v=None):
    """Return sigma² of the DDPM step from t to s: DDPM section 3.2, improved DDPM (15).

    t, s: ints, 0 <= s < t <= T. kind: one of VARIANCES. v: for "learned", the network's second
    output, (B,C,H,W) in about [-1, 1]. Returns a scalar tensor, or one like v. Raises ValueError
    for another kind.
    """
    _check_step(schedule, t, s)
    ab_t, ab_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    beta = 1 - ab_t / ab_s
    beta_tilde = (1 - ab_s) / (1 - ab_t) * beta
    if kind == "beta":
        return beta
    if kind == "beta_tilde":
        return beta_tilde
    if kind != "learned":
        raise ValueError(f"unknown variance {kind!r}; choose from: {', '.join(VARIANCES)}")
    if v is None:
        raise ValueError("variance 'learned' needs a network with a second output v, got none")
    f = (v + 1) / 2
    return torch.exp(f * beta.log() + (1 - f) * beta_tilde.clamp(min=1e-20).log())


def ddpm_step(schedule, x_t, t, s, eps_hat, *, kind="beta", v=None, clip=None, generator=None):
    """Draw x_s from q(x_s | x_t, x_0_hat), with variance `kind`. DDPM (6), (7); algorithm 2.

    x_t, eps_hat: (B,C,H,W). t, s: ints, 0 <= s < t <= T; s = 0 adds no noise. clip: (low, high)
    for x_0_hat. Returns (x_s, x_0_hat). Raises ValueError for a step that does not go down.
    """
    _check_step(schedule, t, s)
    ab_t, ab_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    alpha = ab_t / ab_s
    x_0_hat, _ = _guess(schedule, x_t, t, eps_hat, clip)
    x_s = ab_s.sqrt() * (1 - alpha) / (1 - ab_t) * x_0_hat
    x_s = x_s + alpha.sqrt() * (1 - ab_s) / (1 - ab_t) * x_t
    if s > 0:
        x_s = x_s + variance(schedule, t, s, kind, v).sqrt() * noise_like(x_t, generator)
    return x_s, x_0_hat


def ddim_step(schedule, x_t, t, s, eps_hat, *, eta=0.0, clip=None, generator=None):
    """Move along the guessed direction, with a share eta of fresh noise. DDIM (12), sigma as in
    (16).

    x_t, eps_hat: (B,C,H,W). t, s: ints, 0 <= s < t <= T. eta: 0 (deterministic) .. 1 (DDPM with
    beta_tilde). clip: (low, high) for x_0_hat. Returns (x_s, x_0_hat). Raises ValueError for a
    bad step or eta.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0..1, got {eta}")
    sigma_2 = eta**2 * variance(schedule, t, s, "beta_tilde")
    ab_s = schedule.alpha_bar[s]
    x_0_hat, eps_hat = _guess(schedule, x_t, t, eps_hat, clip)
    x_s = ab_s.sqrt() * x_0_hat + (1 - ab_s - sigma_2).clamp(min=0).sqrt() * eps_hat
    if s > 0 and eta > 0:
        x_s = x_s + sigma_2.sqrt() * noise_like(x_t, generator)
    return x_s, x_0_hat


STEPS = {"ddpm": ddpm_step, "ddim": ddim_step}


@torch.no_grad()
def take_step(eps_fn, schedule, x_t, t, s, *, step="ddpm", generator=None, **options):
    """Ask for the noise in x_t (B,C,H,W) and step from t to s. Returns (x_s, x_0_hat). The
    arguments are those of `sample_path`."""
    if step not in STEPS:
        raise ValueError(f"unknown sampler {step!r}; choose from: {', '.join(STEPS)}")
    eps_hat = eps_fn(x_t, torch.full((len(x_t),), t, device=x_t.device))
    if isinstance(eps_hat, tuple):
        eps_hat, v = eps_hat
        options = {**options, "v": v} if step == "ddpm" else options
    return STEPS[step](schedule, x_t, t, s, eps_hat, generator=generator, **options)


def check_walk(schedule, timesteps):
    """Raise ValueError unless timesteps fall, within 0..T, and end at 0."""
    if not timesteps or timesteps[-1] != 0:
        raise ValueError(f"timesteps must fall and end at 0, got {list(timesteps)}")
    for t, s in zip(timesteps, timesteps[1:]):
        _check_step(schedule, t, s)


def sample_path(eps_fn, schedule, x, timesteps, *, step="ddpm", generator=None, **options):
    """Walk x down the timesteps and yield every State, the start included.

    eps_fn: (x_t (B,C,H,W), t (B,) int64) -> eps_hat, or (eps_hat, v). x: the start, at level
    timesteps[0]. timesteps: falling ints that end at 0 (see schedule.evenly, schedule.strided).
    step: "ddpm" or "ddim". generator: source of all noise; one generator for the whole walk,
    never reseeded on the way. options: clip, (low, high) or a function of x_0_hat; and kind
    ("ddpm") or eta ("ddim"). Raises ValueError for what does not fit.
    """
    check_walk(schedule, timesteps)
    yield State(timesteps[0], x, None)
    for t, s in zip(timesteps, timesteps[1:]):
        x, x_0_hat = take_step(
            eps_fn, schedule, x, t, s, step=step, generator=generator, **options
        )
        yield State(s, x, x_0_hat)


def sample(eps_fn, schedule, x, timesteps, **options):
    """Walk as `sample_path` does and return only the last picture, (B,C,H,W)."""
    *_, last = sample_path(eps_fn, schedule, x, timesteps, **options)
    return last.x_t


class Diffusion:
    """What every model with a schedule and a data_range can do: be walked."""

    def path(self, eps_fn, x, steps, **options):
        """Return the walk from noise x in so many steps, evenly spaced, see `sample_path`; clip
        defaults to the data's range."""
        timesteps = evenly(self.schedule.T, steps)
        return sample_path(
            eps_fn, self.schedule, x, timesteps, **{"clip": self.data_range, **options}
        )

    def early(self, share, early_fn, late_fn):
        """Return the function that is early_fn while more than this share of the way is left."""
        return until(share * self.schedule.T, early_fn, late_fn)
