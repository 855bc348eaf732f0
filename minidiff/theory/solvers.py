"""Second-order solvers: better samples from few network calls.

A DDIM step with eta = 0 follows a differential equation (derived at `heun_step`), and keeps its
prediction to the end of the step. So its error over the trajectory is proportional to the step
size, as that of Euler's method. The errors of both solvers here are proportional to its square.

`heun_step` looks at both ends: a DDIM step, a second prediction where it arrives, and from the
start once more, now with both. It is algorithm 1 of EDM, with phi for the time and an arc and a
tangent for its straight lines, so that it is exact where the prediction does not change:

    x_s = x_t + tan((phi_s - phi_t) / 2) (v_hat(t) + v_hat(s))

It makes two network calls a step, and one in the last, where no noise is left: 2n - 1 in n steps.

`dpm2m_step` looks back. It continues the line through the last two x_0_hat to the middle of the
step, in units of lambda = log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)), and makes a DDIM step with D:

    h = lambda_s - lambda_t,   h_0 = lambda_t - lambda_u           u: the level of the step before
    D = x_0_hat(t) + h / (2 h_0) (x_0_hat(t) - x_0_hat(u))         DPM-Solver++, algorithm 2

It makes one call a step. The first step has nothing to look back to and the last ends at
lambda = infinity: both are plain DDIM steps. Its `memory` holds x_0_hat(u).

Neither adds noise, so neither has eta. To add a sampler, write a step and enter it in SAMPLERS.

Remember: few steps suffice because the prediction changes slowly along the trajectory. A solver of
second order measures that change, from the far end of the step or from the step before.

Sources: DPM-Solver++, arXiv:2211.01095; EDM, arXiv:2206.00364.

Exercises
1. Double the steps. By how much does the error of each solver fall?
   test_solvers.py: test_the_error_falls_fourfold_as_the_steps_double
2. At equal numbers of network calls, which of the two is closer?
   test_solvers.py: test_both_are_closer_than_ddim_at_equal_network_calls
Next: theory/flow.py
"""

import math

import torch

from minidiff.theory import samplers
from minidiff.theory.diffusion import predict_eps
from minidiff.theory.samplers import check_step, clipped_prediction, ddim_step
from minidiff.theory.schedule import linear
from minidiff.theory.velocity import v_of


def heun_step(schedule, x_t, t, s, eps_hat, *, eps_fn, clip=None):
    """Return (x_s, x_0_hat), x_s by the predictions at both ends of the step. EDM, algorithm 1.

    Arguments: of `ddim_step`. eps_fn: for the second prediction; none is made for s = 0. Raises
    ValueError for a step that does not go down.

    Derivation: DDIM follows a differential equation. Let phi be the angle whose cosine is
    sqrt(ab_t). Every x_t lies on a circle, with image and noise as its axes, and a DDIM step with
    eta = 0 goes to another angle on it. Its direction is that of very small steps:

        x(phi) = cos(phi) x_0_hat + sin(phi) eps_hat
        dx/dphi = cos(phi) eps_hat - sin(phi) x_0_hat = v_hat

    Large steps differ only in that they keep the prediction from phi to phi - h. Where it does not
    change, one step is exact, however long. Let eps_hat change at the rate r per angle, x_0_hat at
    q. The derivative of the first line has the terms cos(phi) q + sin(phi) r besides v_hat, which
    is all of dx/dphi; so they cancel, and q = -tan(phi) r. So a step is off by

        error = ½ h² (cos(phi) r + sin(phi) tan(phi) r) = ½ h² r / cos(phi)

    That is why few steps suffice: predictions change slowly. And n steps, each over h, an n-th of
    the whole angle, are off by about n h², which falls as 1/n. With the mean of the predictions
    at both ends the terms in h² cancel; h³ is left, and 1/n² in all.

       test_derivations_sampling.py: test_one_ddim_step_is_off_by_half_of_h_squared
       test_solvers.py: test_the_error_falls_fourfold_as_the_steps_double
    """
    x_s, x_0_hat = ddim_step(schedule, x_t, t, s, eps_hat, clip=clip)
    if s == 0:
        return x_s, x_0_hat
    at_t, at_s = (torch.full((len(x_t),), k, device=x_t.device) for k in (t, s))
    _, eps_t = clipped_prediction(schedule, x_t, t, eps_hat, clip)
    x_0_s, eps_s = clipped_prediction(schedule, x_s, s, eps_fn(x_s, at_s), clip)
    v_sum = v_of(schedule, x_0_hat, at_t, eps_t) + v_of(schedule, x_0_s, at_s, eps_s)
    phi_t, phi_s = (math.acos(math.sqrt(a)) for a in schedule.alpha_bar[[t, s]].tolist())
    return x_t + math.tan((phi_s - phi_t) / 2) * v_sum, x_0_hat


def dpm2m_step(schedule, x_t, t, s, eps_hat, *, memory, clip=None):
    """Return (x_s, x_0_hat): a DDIM step with x_0_hat extrapolated. DPM-Solver++, algorithm 2.

    Arguments: of `ddim_step`. memory: a dict, empty at first; of two predictions, since a step that
    is taken again from the same t (RePaint) looks back to the noisier level again. Raises
    ValueError for a step that does not go down.
    """
    check_step(schedule, t, s)
    x_0_hat, _ = clipped_prediction(schedule, x_t, t, eps_hat, clip)
    earlier = [(u, x) for u, x in memory.get("predictions", []) if u > t][-1:]
    memory["predictions"] = [*earlier, (t, x_0_hat)]
    D = x_0_hat
    if earlier and s > 0:
        (u, before), = earlier
        lambda_u, lambda_t, lambda_s = (math.log(a / (1 - a)) / 2
                                        for a in schedule.alpha_bar[[u, t, s]].tolist())
        D = x_0_hat + (lambda_s - lambda_t) / (lambda_t - lambda_u) / 2 * (x_0_hat - before)
    ab_s, at = schedule.alpha_bar[s], torch.full((len(x_t),), t, device=x_t.device)
    return ab_s.sqrt() * D + (1 - ab_s).sqrt() * predict_eps(schedule, x_t, at, D), x_0_hat


SAMPLERS = {"ddpm": samplers.ddpm_step, "ddim": ddim_step, "heun": heun_step, "dpm2m": dpm2m_step}


def network_calls(timesteps, step):
    """Return how many network calls a trajectory makes with this step, counted on one pixel."""
    calls, pixel = [], torch.zeros(1, 1, 1, 1)
    samplers.sample(lambda x, t: calls.append(t) or x, linear(max(2, timesteps[0])), pixel,
                    timesteps, step=step)
    return len(calls)
