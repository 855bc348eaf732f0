"""flow.py, sampling: Euler's steps, at which t the network is evaluated, and where they end."""

import pytest
import torch

from minidiff.theory.flow import euler_step, flow_sample, flow_trajectory, interpolate
from minidiff.theory.guidance import guided, until
from minidiff.theory.samplers import ddim_step
from minidiff.theory.schedule import Schedule
from tests.theory.test_flow import ideal


def affine(steps, mean=0.7, std=0.3):
    """Return the exact mean and deviation of what N(0, 1) becomes: sampling is affine here, so two
    points determine it."""
    points = torch.tensor([0.0, 1.0]).double().view(2, 1, 1, 1)
    low, high = flow_sample(ideal(mean, std), points, steps).flatten()
    return low.item(), (high - low).item()


def test_euler_on_gaussian_data_converges_to_the_data():
    """With the ideal velocity, mean and deviation approach the data's, and the error halves as the
    steps double: first order, as Euler's method must be."""
    errors = []
    for steps in (40, 80, 160):
        mean, std = affine(steps)
        errors.append((abs(mean - 0.7), abs(std - 0.3)))
    for coarse, fine in zip(errors, errors[1:]):
        assert 1.8 < coarse[1] / fine[1] < 2.2
        assert fine[0] <= coarse[0] * 0.6 + 1e-6
    assert errors[-1][0] < 0.01 and errors[-1][1] < 0.01


def test_an_euler_step_is_a_ddim_step():
    """From t to s with the velocity x_1_hat - x_0_hat, or with DDIM (12), eta = 0, the noise
    x_0_hat and sqrt(alpha_bar) = t / sqrt(t² + (1-t)²): the same, in other units."""
    g = torch.Generator().manual_seed(0)
    x_t, v_hat = torch.randn(3, 1, 8, 8, generator=g), torch.randn(3, 1, 8, 8, generator=g)
    for t, s in [(0.1, 0.15), (0.3, 0.9), (0.5, 1.0)]:
        unit_t, unit_s = ((u**2 + (1 - u) ** 2) ** 0.5 for u in (t, s))
        ab_t, ab_s = (t / unit_t) ** 2, (s / unit_s) ** 2
        levels = [1.0, ab_s, ab_t] if s < 1 else [1.0, ab_t]
        last = len(levels) - 1
        noise = x_t - t * v_hat
        ddim, image = ddim_step(Schedule(torch.tensor(levels)), x_t / unit_t, last, last - 1, noise)
        euler, x_1_hat = euler_step(lambda x, t: v_hat, x_t, t, s)
        assert torch.allclose(euler / unit_s, ddim, atol=2e-5)
        assert torch.allclose(x_1_hat, image, atol=2e-5)


def test_the_network_is_evaluated_from_noise_to_data_and_never_at_the_end():
    """t = 0, 1/4, 2/4, 3/4, a float for each image; the states end at exactly 1. A trajectory that
    starts at 1, or evaluates at the end of each step, would fail."""
    times = []

    def velocity(x, t):
        assert t.shape == (2,) and t.is_floating_point()
        times.append(t[0].item())
        return torch.zeros_like(x)

    states = list(flow_trajectory(velocity, torch.zeros(2, 1, 1, 1), 4))
    assert times == [0, 0.25, 0.5, 0.75]
    assert [s.t for s in states] == [0, 0.25, 0.5, 0.75, 1] and states[0].x_1_hat is None
    *_, last = flow_trajectory(velocity, torch.zeros(2, 1, 1, 1), 7)
    assert last.t == 1


def test_sampling_records_no_gradients():
    """A network with trainable weights leaves no graph behind."""
    weight = torch.ones(1, requires_grad=True)
    assert not flow_sample(lambda x, t: weight * x, torch.ones(1, 1, 1, 1), 2).requires_grad


def test_with_the_true_velocity_every_state_is_on_the_line():
    """From the noise to the image, at each t."""
    g = torch.Generator().manual_seed(0)
    x_0, x_1 = torch.randn(3, 1, 8, 8, generator=g), torch.rand(3, 1, 8, 8, generator=g)
    for state in flow_trajectory(lambda x, t: x_1 - x_0, x_0, 5):
        on_the_line = interpolate(x_0, x_1, torch.full((3,), state.t))
        assert torch.allclose(state.x_t, on_the_line, atol=1e-5)


def test_guiding_velocities_is_guiding_noises_and_images():
    """The same gamma combines x_0_hat and x_1_hat, since each is x_t plus a factor times v_hat."""
    g = torch.Generator().manual_seed(0)
    x_t, t = torch.randn(2, 1, 4, 4, generator=g), torch.full((2,), 0.3)
    cond, null = torch.eye(10)[[3, 7]], torch.zeros(2, 10)

    def model(x, t, c):
        return torch.sin(x * (1 + c.sum(1)).view(-1, 1, 1, 1) + t.view(-1, 1, 1, 1))

    v_hat = guided(model, cond, null, 5)(x_t, t)
    v_c, v_u = model(x_t, t, cond), model(x_t, t, null)
    for factor in (-0.3, 0.7):
        a, b = x_t + factor * v_u, x_t + factor * v_c
        assert torch.allclose(x_t + factor * v_hat, a + 5 * (b - a), atol=1e-5)


def test_until_ends_guidance_of_a_flow_with_its_functions_swapped():
    """Time increases: the early part is t <= t_end, where `until` uses its second function."""
    used = []
    early, late = ((lambda x, t, n=n: used.append(n) or x) for n in ("early", "late"))
    flow_sample(until(0.5, late, early), torch.zeros(1, 1, 1, 1), 4)
    assert used == ["early", "early", "early", "late"]


def test_steps_out_of_range_are_rejected():
    """Steps towards the noise, beyond the data, or none at all."""
    x = torch.zeros(1, 1, 1, 1)
    for t, s in [(0.5, 0.5), (0.7, 0.2), (-0.1, 0.5), (0.9, 1.1)]:
        with pytest.raises(ValueError, match="0 <= t < s <= 1"):
            euler_step(lambda x, t: x, x, t, s)
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        flow_sample(lambda x, t: x, x, 0)
