"""Flow matching: predict a velocity instead of the noise.

A newer and shorter description of the same idea. Take noise x_0 and an image x_1, connect them by a
straight line, and move along it in time t from 0 to 1:

    x_t = (1 - t) x_0 + t x_1          t = 0: noise, t = 1: data        `interpolate`
    x_1 - x_0                          the velocity, constant along the line

A network is given x_t and t, and predicts the velocity:

    L = | v_hat(x_t, t) - (x_1 - x_0) |²,   t uniform in 0 .. 1         `flow_loss`

The names are the papers': only in this file is x_0 the noise, and sampling starts at t = 0.
Many lines pass through one point, each with its own velocity, and the network learns their mean,
which is enough (derived at `flow_loss`). Sampling solves dx/dt = v_hat(x, t) by Euler's method:

    x_s = x_t + (s - t) v_hat(x_t, t),   t < s                          `euler_step`

Its error is proportional to the step size. Trajectories bend where lines to different images part;
more bends need more steps. Each step starts with a prediction, so the last is at 1 - 1/steps.

Is it a different theory? Hardly. In other units x_t is what `q_sample` makes, and given x_t,
velocity, noise and image follow from each other (derived in the next file):

    x_1_hat = x_t + (1 - t) v_hat      the image                        `predict_x_1`
    x_0_hat = x_t - t v_hat            the noise

So an Euler step is a DDIM step of another schedule (test_flow.py), and `guided` combines velocities
just as it combines noise predictions. What differs is the weight of each t in training.

Remember: a flow moves noise to data with the mean velocity of the lines through each point. The
lines of training are straight, the paths of sampling are not.

Sources: flow matching, arXiv:2210.02747; rectified flow, arXiv:2209.03003; CS180, Fall 2025.

Exercises
1. Let time run the other way, x_t = t x_0 + (1 - t) x_1, in `interpolate` alone. What breaks first?
   test_flow.py: test_time_runs_from_noise_to_data
2. What is the loss of a network that always returns 0? And of the best possible one?
   test_flow.py: test_the_loss_is_zero_for_the_true_velocity_and_known_for_zero
   test_flow.py: test_the_ideal_velocity_has_the_loss_theory_gives
3. For which data is one step enough?
   test_flow.py: test_one_step_is_enough_where_the_flow_is_straight
Next: theory/velocity.py
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from minidiff.theory.diffusion import noise_like, stratified


class FlowState(NamedTuple):
    """One state of a trajectory. x_1_hat: the prediction that led here, None at the start."""

    t: float
    x_t: torch.Tensor
    x_1_hat: torch.Tensor | None


def interpolate(x_0, x_1, t):
    """Return x_t = (1 - t) x_0 + t x_1, the point at t on the line from noise to image.

    x_0, x_1: (B,C,H,W) float, noise and data. t: (B,) float in 0 .. 1; 0 returns x_0. Returns x_t,
    like x_0. Raises ValueError if shapes do not fit.
    """
    if x_0.shape != x_1.shape or t.shape != x_0.shape[:1]:
        found = ", ".join(str(tuple(each.shape)) for each in (x_0, x_1, t))
        raise ValueError(f"expected x_0 and x_1 alike and one t per image, got {found}")
    t = t.view(-1, 1, 1, 1)
    return (1 - t) * x_0 + t * x_1


def predict_x_1(x_t, t, v_hat):
    """Return x_1_hat = x_t + (1 - t) v_hat, the end of the predicted line.

    x_t, v_hat: (B,C,H,W) float. t: a float in 0 .. 1. The result is like x_t, not clipped.
    """
    return x_t + (1 - t) * v_hat


def flow_loss(model, x_1, cond=None, generator=None):
    """Return the mean of |v_hat(x_t, t, cond) - (x_1 - x_0)|², t uniform in 0 .. 1 for each image
    and stratified over the batch.

    model: (x_t, t, cond) -> v_hat. x_1: (B,C,H,W) float, data. cond: the model's third argument.
    generator: on x_1's device. Returns a float32 scalar; ValueError if v_hat is not like x_1.

    Derivation: the mean velocity is enough. Let v(x, t) = E[x_1 - x_0 | x_t = x]. How does the mean
    of any smooth function f of x_t change with time? By the chain rule, and since the mean given
    x_t may be taken first:

        d/dt E[f(x_t)] = E[∇f(x_t) · (x_1 - x_0)] = E[∇f(x_t) · v(x_t, t)]

    A point that follows dx/dt = v(x, t) obeys the same equation, by the chain rule alone. For a
    smooth v its solution is unique. So points that start as noise have, at every t, the
    distribution of x_t (flow matching, theorem 1), though they do not take the same paths. And the
    loss finds v, as it differs only by a constant from the loss against v (theorem 2):

        E|v_hat - (x_1 - x_0)|² = E|v_hat - v|² + E|v - (x_1 - x_0)|²

       test_derivations_sampling.py: test_the_mean_velocity_moves_noise_through_every_marginal
       test_derivations_sampling.py: test_the_loss_against_lines_is_that_against_their_mean
    """
    t = stratified(len(x_1), generator, x_1.device)
    x_0 = noise_like(x_1, generator)
    v_hat = model(interpolate(x_0, x_1, t), t, cond)
    if v_hat.shape != x_1.shape:
        raise ValueError(f"expected v_hat like x_1, {tuple(x_1.shape)}, got {tuple(v_hat.shape)}")
    return F.mse_loss(v_hat.float(), x_1 - x_0)


def pure_noise_loss(denoiser, x_1, generator=None):
    """Return the mean of |D(x_0) - x_1|²: what a flow learns at t = 0, where it sees pure noise. It
    is smallest for D(x_0) = E[x_1], the mean of all images.

    denoiser: (x_0) -> x_1_hat. x_1: (B,C,H,W) float, data. Returns a float32 scalar.
    """
    return F.mse_loss(denoiser(noise_like(x_1, generator)).float(), x_1)


@torch.no_grad()
def euler_step(velocity_fn, x_t, t, s):
    """Predict the velocity at t and keep it until s: x_t + (s - t) v_hat.

    velocity_fn: (x_t (B,C,H,W), t (B,) float) -> v_hat. t, s: floats, 0 <= t < s <= 1. Returns
    (x_s, x_1_hat). Raises ValueError for a step that does not lead towards the data.
    """
    if not 0 <= t < s <= 1:
        raise ValueError(f"a step of a flow goes from t to s, 0 <= t < s <= 1, got {t} -> {s}")
    v_hat = velocity_fn(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return x_t + (s - t) * v_hat, predict_x_1(x_t, t, v_hat)


def flow_trajectory(velocity_fn, x, steps):
    """Move noise x (B,C,H,W) to t = 1 in equal steps and yield every FlowState, the start included.

    velocity_fn: (x_t, t (B,) float) -> v_hat. steps: network calls; ValueError for less than one.
    """
    if steps < 1:
        raise ValueError(f"a flow needs at least 1 step, got {steps}")
    yield FlowState(0.0, x, None)
    for k in range(steps):
        x, x_1_hat = euler_step(velocity_fn, x, k / steps, (k + 1) / steps)
        yield FlowState((k + 1) / steps, x, x_1_hat)


def flow_sample(velocity_fn, x, steps):
    """Sample as `flow_trajectory` does and return only the last image, (B,C,H,W)."""
    *_, last = flow_trajectory(velocity_fn, x, steps)
    return last.x_t
