"""Follow the flow: from noise to data by Euler steps.

A network trained as flow.py tells knows at every point and time which way and how fast to go. So
start at noise, x_0 ~ N(0, I), ask, go a little that way, and ask again:

    x_s = x_t + (s - t) v_hat(x_t, t),   t < s                          `euler_step`

until t = 1. That is Euler's method for dx/dt = v_hat(x, t): its error falls in proportion to the
length of the steps. Were the velocity the same all along the way, one step would do. Each line of
the training is straight; but the flow follows their mean, and that bends where lines of different
pictures part. Bends are what steps are spent on.

Two mistakes to look out for, each with a test. Time runs upwards here: t = 0 is noise, and a walk
that begins at 1 asks the network for what to do with a picture when it holds noise. And the
network is asked at the beginning of each step, so the last question is at 1 - 1/steps, not at 1.

A sampler takes a velocity_fn(x_t, t) and hears nothing of labels: `guidance.guided` makes one that
is guided, of velocities as of noises, since v_hat is eps_hat with a factor and a share of x_t.

Sources: flow matching, arXiv:2210.02747; rectified flow, arXiv:2209.03003.

Exercises
1. For which data is one step enough?
   test_flow_sampler.py: test_one_step_is_enough_where_the_flow_is_straight
2. Ask the network at the end of each step, not at its beginning. Which question can it not answer?
   test_flow_sampler.py: test_the_network_is_asked_from_noise_to_data_and_never_at_the_end
Next: strokes.py
"""

from typing import NamedTuple

import torch

from minidiff.flow import predict_x_1


class FlowState(NamedTuple):
    """One stop of the walk.

    t: float in 0 .. 1. x_t: (B,C,H,W). x_1_hat: the guess that led here, None at the start.
    """

    t: float
    x_t: torch.Tensor
    x_1_hat: torch.Tensor | None


@torch.no_grad()
def euler_step(velocity_fn, x_t, t, s):
    """Ask for the velocity at t and keep it until s: x_t + (s - t) v_hat.

    velocity_fn: (x_t (B,C,H,W), t (B,) float) -> v_hat. t, s: floats, 0 <= t < s <= 1. Returns
    (x_s, x_1_hat). Raises ValueError for a step that does not lead towards the data.
    """
    if not 0 <= t < s <= 1:
        raise ValueError(f"a step of a flow goes from t to s, 0 <= t < s <= 1, got {t} -> {s}")
    v_hat = velocity_fn(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return x_t + (s - t) * v_hat, predict_x_1(x_t, t, v_hat)


def flow_path(velocity_fn, x, steps):
    """Walk noise x (B,C,H,W) to t = 1 in equal steps and yield every FlowState, the start included.

    velocity_fn: (x_t (B,C,H,W), t (B,) float) -> v_hat. steps: network calls, >= 1. Raises
    ValueError below that.
    """
    if steps < 1:
        raise ValueError(f"a flow wants 1 step or more, got {steps}")
    yield FlowState(0.0, x, None)
    for k in range(steps):
        x, x_1_hat = euler_step(velocity_fn, x, k / steps, (k + 1) / steps)
        yield FlowState((k + 1) / steps, x, x_1_hat)


def flow(velocity_fn, x, steps):
    """Walk as `flow_path` does and return only the last picture, (B,C,H,W)."""
    *_, last = flow_path(velocity_fn, x, steps)
    return last.x_t
