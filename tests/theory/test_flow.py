"""flow.py: the line from noise to data, its velocity, and the losses."""

import pytest
import torch
from torch import nn

from minidiff.theory.diffusion import q_sample
from minidiff.theory.flow import (
    flow_loss,
    flow_sample,
    interpolate,
    predict_x_1,
    pure_noise_loss,
)
from minidiff.theory.schedule import Schedule


def pair(n=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 8, 8, generator=g), torch.rand(n, 1, 8, 8, generator=g)


def ideal(mean=0.7, std=0.3):
    """Return E[x_1 - x_0 | x_t] for data N(mean, std²): x_t and x_1 - x_0 are both Gaussian."""

    def velocity(x_t, t, cond=None):
        t = t.view(-1, 1, 1, 1)
        variance = (1 - t) ** 2 + t**2 * std**2
        return mean + (t * std**2 - (1 - t)) / variance * (x_t - t * mean)

    return velocity


def test_time_runs_from_noise_to_data():
    """t = 0 is the noise, t = 1 the data, exactly; in between lies a straight line."""
    x_0, x_1 = pair()
    assert torch.equal(interpolate(x_0, x_1, torch.zeros(4)), x_0)
    assert torch.equal(interpolate(x_0, x_1, torch.ones(4)), x_1)
    a, b, c = (interpolate(x_0, x_1, torch.full((4,), t)) for t in (0.2, 0.5, 0.8))
    assert torch.allclose(b - a, 0.3 * (x_1 - x_0), atol=1e-6)
    assert torch.allclose(c - b, b - a, atol=1e-6)


def test_the_true_velocity_leads_to_the_image_from_anywhere_on_the_line():
    """x_t + (1 - t)(x_1 - x_0) = x_1 at every t."""
    x_0, x_1 = pair()
    for t in (0.0, 0.3, 0.9, 1.0):
        x_t = interpolate(x_0, x_1, torch.full((4,), t))
        assert torch.allclose(predict_x_1(x_t, t, x_1 - x_0), x_1, atol=1e-6)


def test_the_line_is_the_noising_of_a_schedule_in_other_units():
    """x_t / sqrt(t² + (1-t)²) is q_sample with sqrt(alpha_bar) = t / sqrt(t² + (1-t)²)."""
    x_0, x_1 = pair()
    for t in (0.1, 0.5, 0.95):
        unit = (t**2 + (1 - t) ** 2) ** 0.5
        noising = Schedule(torch.tensor([1.0, (t / unit) ** 2]))
        x_t = interpolate(x_0, x_1, torch.full((4,), t))
        noised = q_sample(noising, x_1, torch.ones(4, dtype=torch.int64), x_0)
        assert torch.allclose(x_t / unit, noised, atol=1e-6)


def test_every_image_has_its_own_time_stratified_over_0_to_1():
    """One time in each B-th of 0 .. 1; a known mistake is one t for the whole batch."""
    seen = []
    x_1 = torch.zeros(1000, 1, 1, 1)
    flow_loss(lambda x, t, _: seen.append(t) or x, x_1, generator=torch.Generator())
    assert torch.equal((seen[0] * 1000).long(), torch.arange(1000))


def test_the_loss_is_zero_for_the_true_velocity_and_known_for_zero():
    """Given x_1, a model reaches 0 with (x_1 - x_t) / (1 - t); returning 0 costs E[(x_1 - x_0)²] =
    E[x_1²] + 1. A target of the other sign, or noise and data swapped, would not give 0."""
    x_1, g = pair(64)[1], torch.Generator().manual_seed(1)

    def true(x_t, t, cond):
        return (x_1 - x_t) / (1 - t.view(-1, 1, 1, 1))

    assert flow_loss(true, x_1, generator=g) < 1e-4
    zero = flow_loss(lambda x, t, _: torch.zeros_like(x), x_1, generator=g)
    assert zero.item() == pytest.approx(1 + x_1.square().mean().item(), abs=0.08)


def test_the_ideal_velocity_has_the_loss_theory_gives():
    """For data N(m, s²) the lowest loss is the mean over t of Var[x_1 - x_0 | x_t], which is s² /
    ((1-t)² + t² s²); for a network that is given 1 - t instead it is much higher."""
    g = torch.Generator().manual_seed(0)
    x_1 = 0.7 + 0.3 * torch.randn(4000, 1, 8, 8, generator=g)
    t = (torch.arange(1000) + 0.5) / 1000
    least = (0.09 / ((1 - t) ** 2 + 0.09 * t**2)).mean().item()
    assert flow_loss(ideal(), x_1, generator=g).item() == pytest.approx(least, rel=0.03)
    swapped = flow_loss(lambda x, t, _: ideal()(x, 1 - t), x_1, generator=g)
    assert swapped > 1.5 * least


def test_one_step_is_enough_where_the_flow_is_straight():
    """Data that is one point: every line leads there, and the velocity to it never changes."""
    point = torch.rand(1, 1, 4, 4)
    x = torch.randn(3, 1, 4, 4)

    def velocity(x_t, t):
        return (point - x_t) / (1 - t.view(-1, 1, 1, 1))

    for steps in (1, 2, 7):
        assert (flow_sample(velocity, x, steps) - point).abs().max() < 2e-5


def test_the_condition_reaches_the_model_and_the_generator_decides_the_rest():
    """cond is passed on as it is; equal generators give equal losses."""
    received, x_1 = [], pair()[1]
    cond = torch.eye(10)[:4]

    def model(x, t, c):
        received.append(c)
        return x

    a, b = (flow_loss(model, x_1, cond, torch.Generator().manual_seed(3)) for _ in range(2))
    assert a == b and received[0] is cond


def test_the_pure_noise_loss_of_a_constant_is_its_distance_from_the_data():
    """For data N(m, s²) a constant c costs (c - m)² + s²; the noise given is standard normal and
    independent of the data."""
    g, seen = torch.Generator().manual_seed(0), []
    x_1 = 0.7 + 0.3 * torch.randn(4000, 1, 4, 4, generator=g)
    for c in (0.0, 0.7):
        loss = pure_noise_loss(lambda x, c=c: seen.append(x) or torch.full_like(x, c), x_1, g)
        assert loss.item() == pytest.approx((c - 0.7) ** 2 + 0.09, rel=0.02)
    x_0 = seen[0]
    assert abs(x_0.mean()) < 0.02 and abs(x_0.std() - 1) < 0.02
    assert abs((x_0 * (x_1 - 0.7)).mean()) < 0.01


def test_the_best_prediction_from_noise_alone_is_the_mean_image(tiny):
    """A network trained on noise -> digit maps any noise nearly to the digits' mean; its loss falls
    to their variance, which no prediction can beat."""
    torch.manual_seed(0)
    g, x_1 = torch.Generator().manual_seed(0), tiny.images_at(slice(0, 64))
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.GELU(), nn.Linear(16, 784),
                            nn.Unflatten(1, (1, 28, 28)))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(300):
        loss = pure_noise_loss(network, x_1, g)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    mean = x_1.mean(0, keepdim=True)
    variance = (x_1 - mean).square().mean().item()
    assert variance * 0.99 < loss.item() < variance * 1.15
    with torch.no_grad():
        predictions = network(torch.randn(8, 1, 28, 28, generator=g))
    off = (predictions - mean).square().mean().item()
    assert off < variance / 10


def test_shapes_that_do_not_fit_are_rejected():
    """Broadcasting would hide them."""
    x_0, x_1 = pair()
    with pytest.raises(ValueError, match="one t per image"):
        interpolate(x_0, x_1, torch.zeros(1))
    with pytest.raises(ValueError, match="alike"):
        interpolate(x_0[:1], x_1, torch.zeros(4))
    with pytest.raises(ValueError, match="like x_1"):
        flow_loss(lambda x, t, _: x.mean(1), x_1)
