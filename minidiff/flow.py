"""Flow matching: learn a velocity instead of a noise.

Another way to say what diffusion says, and a shorter one. Draw noise x_0 and a picture x_1, join
them by a straight line, and walk it in time t from 0 to 1:

    x_t = (1 - t) x_0 + t x_1          t = 0: noise, t = 1: data        `interpolate`
    x_1 - x_0                          the velocity, the same all along the line

A network is shown x_t and t, and guesses the velocity:

    L = | v_hat(x_t, t) - (x_1 - x_0) |²,   t uniform in 0 .. 1         `flow_loss`

Mind the names. The papers on flows let time run towards the data: here and in flow_sampler.py, and
nowhere else in this project, x_0 is the noise, x_1 the picture, and t = 0 is where a walk begins.

Many lines pass through one point, each with a velocity of its own. The best answer under a squared
error is their mean, E[x_1 - x_0 | x_t], and that turns out to be enough: noise that is moved with
the mean velocity is spread at every t just as the x_t above are, and so arrives as data (flow
matching, theorem 1). Nothing random is left after the start; what it takes is to solve an
ordinary differential equation, dx/dt = v_hat(x, t). That is flow_sampler.py.

Is it another theory? Hardly. Divide x_t by sqrt(t² + (1 - t)²), and it is what `q_sample` makes for
sqrt(alpha_bar) = t / sqrt(t² + (1 - t)²); and given x_t, velocity, noise and picture follow from
each other:

    x_1_hat = x_t + (1 - t) v_hat      the picture                      `predict_x_1`
    x_0_hat = x_t - t v_hat            the noise

So an Euler step is a DDIM step of that schedule (tests/test_flow_sampler.py), and guidance mixes
velocities by the very function that mixes noises. What differs is what training weighs: each t
counts alike, and the error in x_1 by 1 / (1 - t)². And no alpha_bar has to be explained.

At t = 0 the network sees noise alone, which says nothing about the picture. The best answer is then
x_1_hat = E[x_1], the mean of all pictures; of a class, if one is told. `blind_loss` asks just that,
of a network without time: what does one answer who has seen nothing?

Choices. As in diffusion.py each picture of a batch draws its own t, spread evenly over 0 .. 1.

Sources: flow matching, arXiv:2210.02747; rectified flow, arXiv:2209.03003; CS180, Fall 2025.

Exercises
1. Let time run the other way, x_t = t x_0 + (1 - t) x_1, in this file alone. What breaks first?
   test_flow.py: test_time_runs_from_noise_to_data
2. What is the loss of a network that always answers 0? And of the best one there can be?
   test_flow.py: test_the_loss_of_the_true_velocity_is_zero_and_of_silence_that_of_noise_and_data
   test_flow.py: test_the_ideal_velocity_has_the_loss_theory_gives
Next: flow_sampler.py
"""

import torch.nn.functional as F

from minidiff.diffusion import noise_like, shares


def interpolate(x_0, x_1, t):
    """Walk the line from noise to picture: (1 - t) x_0 + t x_1.

    x_0, x_1: (B,C,H,W) float, noise and data. t: (B,) float in 0 .. 1; 0 returns x_0. Returns x_t,
    like x_0. Raises ValueError where shapes do not fit.
    """
    if x_0.shape != x_1.shape or t.shape != x_0.shape[:1]:
        found = ", ".join(str(tuple(each.shape)) for each in (x_0, x_1, t))
        raise ValueError(f"wanted x_0 and x_1 alike and one t for each picture, got {found}")
    t = t.view(-1, 1, 1, 1)
    return (1 - t) * x_0 + t * x_1


def predict_x_1(x_t, t, v_hat):
    """Go on along the guessed line to its end: x_t + (1 - t) v_hat.

    x_t, v_hat: (B,C,H,W) float. t: a float in 0 .. 1. Returns x_1_hat, like x_t, not clipped.
    """
    return x_t + (1 - t) * v_hat


def flow_loss(model, x_1, cond=None, generator=None):
    """Return the mean of |v_hat(x_t, t, cond) - (x_1 - x_0)|², t uniform in 0 .. 1 for each picture
    and spread over the batch.

    model: (x_t, t, cond) -> v_hat. x_1: (B,C,H,W) float, data. cond: whatever the model takes.
    generator: on x_1's device. Returns a float32 scalar. Raises ValueError for a v_hat of another
    shape.
    """
    t = shares(len(x_1), generator, x_1.device)
    x_0 = noise_like(x_1, generator)
    v_hat = model(interpolate(x_0, x_1, t), t, cond)
    if v_hat.shape != x_1.shape:
        raise ValueError(f"wanted v_hat like x_1, {tuple(x_1.shape)}, got {tuple(v_hat.shape)}")
    return F.mse_loss(v_hat.float(), x_1 - x_0)


def blind_loss(denoiser, x_1, generator=None):
    """Return the mean of |D(x_0) - x_1|², x_0 noise that knows nothing of x_1: least for E[x_1].

    denoiser: (x_0) -> x_1_hat. x_1: (B,C,H,W) float, data. Returns a float32 scalar.
    """
    return F.mse_loss(denoiser(noise_like(x_1, generator)).float(), x_1)
