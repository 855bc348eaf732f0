"""The derivations of solvers, guidance, flows and v, step by step, with numbers."""

import math

import pytest
import torch

from minidiff.theory.diffusion import q_sample
from minidiff.theory.flow import flow_loss, flow_trajectory, interpolate
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import ddim_step, sample
from minidiff.theory.schedule import Schedule, linear
from minidiff.theory.velocity import v_of

ENDS = 0.01, math.pi / 2 - 0.01  # of the angle


def by_angle(steps):
    """Return a schedule of equal steps of the angle, and the angle at each t, float64."""
    phi = torch.linspace(0, ENDS[1], steps + 1, dtype=torch.float64)
    return Schedule((phi.cos() ** 2).float()), phi


def exact(schedule, x, mean, std, t, s):
    """Return where the exact trajectory of data N(mean, std²) leads x from t to s: it keeps its
    distance from the mean, in units of the standard deviation."""
    ab = schedule.alpha_bar[[t, s]].double()
    spread = (ab * std**2 + 1 - ab).sqrt()
    return ab[1].sqrt() * mean + spread[1] * (x - ab[0].sqrt() * mean) / spread[0]


@pytest.mark.parametrize("t", [20, 50, 80])
def test_one_ddim_step_is_off_by_half_of_h_squared(gaussian, t):
    """On Gaussian data the error of one step of h = 0.016 is ½ h² r / cos(phi) to 5%, where r, the
    change of eps_hat per angle along the exact trajectory, is a difference of two values."""
    schedule, phi = by_angle(100)
    data, x = gaussian(schedule), torch.tensor([1.2]).double().view(1, 1, 1, 1)
    data.schedule = Schedule(schedule.alpha_bar)
    h = (phi[t] - phi[t - 1]).item()

    def eps_at(k):
        return data.eps(exact(schedule, x, data.mean, data.std, t, k), torch.tensor([k]))

    r = (eps_at(t + 1) - eps_at(t - 1)).item() / (2 * h)
    found, _ = ddim_step(schedule, x, t, t - 1, eps_at(t))
    off = (exact(schedule, x, data.mean, data.std, t, t - 1) - found).item()
    assert off == pytest.approx(0.5 * h**2 * r / phi[t].cos().item(), rel=0.05)


def test_guidance_is_the_score_of_a_classifier(gaussian):
    """With two classes, N(0, 0.3²) and N(0.9, 0.5²), half of the data each: eps_c - eps_u is
    -sqrt(1 - ab) times the gradient of log p(c | x_t), by autograd, and `guided` is the score of
    p(x_t) p(c | x_t)^gamma."""
    schedule, t = linear(300), torch.tensor([120])
    ab, classes = schedule.alpha_bar[120].double(), ((0.0, 0.3), (0.9, 0.5))
    x = torch.tensor([0.35]).double().view(1, 1, 1, 1).requires_grad_()
    logs = torch.stack([torch.distributions.Normal(
        ab.sqrt() * m, (ab * s**2 + 1 - ab).sqrt()).log_prob(x) for m, s in classes])
    log_p, scale = logs.logsumexp(0) - math.log(2), -(1 - ab).sqrt()
    log_c = logs[1] - math.log(2) - log_p  # p(c | x_t), of the second class

    def gradient(y):
        return torch.autograd.grad(y.sum(), x, retain_graph=True)[0]

    shares = (logs - logs.logsumexp(0)).exp().detach()
    each = [gaussian(schedule, *c).eps(x.detach(), t) for c in classes]
    eps_u, eps_c = shares[0] * each[0] + shares[1] * each[1], each[1]
    assert torch.allclose(eps_c - eps_u, scale * gradient(log_c), atol=1e-5)

    def model(x_t, t, cond):
        return torch.where(cond.view(-1, 1, 1, 1) > 0, eps_c, eps_u)

    for gamma in (0.5, 3.0):
        found = guided(model, torch.ones(1, 1), torch.zeros(1, 1), gamma)(x.detach(), t)
        assert torch.allclose(found, scale * gradient(log_p + gamma * log_c), atol=1e-5)


@pytest.mark.parametrize("gamma", [1, 2, 3])
def test_guidance_ends_at_a_power_of_the_deviation(gaussian, gamma):
    """All data N(0, 1), those of the class N(0, ¼): 800 steps of guided DDIM end at a deviation of
    ½^gamma, to 1%; that of p(x_0) p(c | x_0)^gamma is larger for every gamma above 1."""
    schedule, _ = by_angle(800)
    every, of_class = gaussian(schedule, 0.0, 1.0), gaussian(schedule, 0.0, 0.5)

    def model(x_t, t, cond):
        return torch.where(cond.view(-1, 1, 1, 1) > 0, of_class.eps(x_t, t), every.eps(x_t, t))

    eps_fn = guided(model, torch.ones(1, 1), torch.zeros(1, 1), gamma)
    x = torch.ones(1, 1, 1, 1).double()  # one standard deviation away from the mean
    found = sample(eps_fn, schedule, x, list(range(800, -1, -1)), step=ddim_step).item()
    assert found == pytest.approx(0.5**gamma, rel=0.01)
    sharpened = 1 / math.sqrt(1 + gamma * (1 / 0.5**2 - 1))
    assert sharpened == pytest.approx(found, rel=0.01) if gamma == 1 else sharpened > 1.4 * found


IMAGES, SHARES = torch.tensor([-1.0, 0.5]).double(), torch.tensor([0.3, 0.7]).double()


def mean_velocity(x, t):
    """Return E[x_1 - x_0 | x_t = x] for the two images above: x_0 = (x_t - t x_1) / (1 - t), so the
    velocity to an image is (x_1 - x_t) / (1 - t), with weights by Bayes' rule."""
    flat, at = x.double().view(-1, 1), t.double().view(-1, 1)
    log_q = SHARES.log() - (flat - at * IMAGES) ** 2 / (2 * (1 - at) ** 2)
    v = (log_q.softmax(1) * (IMAGES - flat) / (1 - at)).sum(1)
    return v.view_as(x)


def test_the_mean_velocity_moves_noise_through_every_marginal():
    """On a line trajectories keep their order. So noise that starts at each of 39 quantiles and
    follows the mean velocity must be at that quantile of x_t, whose distribution function is known:
    to 0.002 after 400 Euler steps, at a quarter, a half and nine tenths of the way."""
    normal = torch.distributions.Normal(0.0, 1.0)
    quantiles = torch.arange(1, 40).double() / 40
    states = list(flow_trajectory(mean_velocity, normal.icdf(quantiles).view(-1, 1, 1, 1), 400))
    for k in (100, 200, 360):
        t, x = k / 400, states[k].x_t.view(-1, 1)
        below = (SHARES * normal.cdf((x - t * IMAGES) / (1 - t))).sum(1)
        assert torch.allclose(below, quantiles, atol=2e-3)


def test_the_loss_against_lines_is_that_against_their_mean():
    """Up to a constant: for two predictions the difference of `flow_loss`, with equal noise, is
    that of the squared errors against the mean velocity, within four standard errors."""
    n = 100_000
    chosen = torch.multinomial(SHARES, n, True, generator=torch.Generator().manual_seed(0))
    x_1, seen = IMAGES[chosen].view(n, 1, 1, 1), []

    def against_mean(model, x_t, t):
        return (model(x_t, t, None) - mean_velocity(x_t, t)).square()

    def zero(x_t, t, cond):
        return torch.zeros_like(x_t)

    def sloped(x_t, t, cond):
        seen.append((x_t, t))
        return 0.5 - x_t

    lines = [flow_loss(model, x_1, generator=torch.Generator().manual_seed(1)).item()
             for model in (zero, sloped)]
    apart = against_mean(zero, *seen[0]) - against_mean(sloped, *seen[0])
    assert abs(apart.mean()) > 0.1  # the two differ, so there is something to compare
    error = 4 * 2 * apart.abs().mean().sqrt().item() * 2 / n**0.5
    assert lines[0] - lines[1] == pytest.approx(apart.mean().item(), abs=error)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_the_velocity_of_a_flow_is_v_in_other_units(tau):
    """y = r x, and its velocity is (2 tau - 1) / r x - v / r, for any image and noise."""
    g = torch.Generator().manual_seed(0)
    image, eps = (torch.randn(2, 1, 4, 4, generator=g) for _ in range(2))
    r = math.sqrt(tau**2 + (1 - tau) ** 2)
    schedule, t = Schedule(torch.tensor([1.0, (tau / r) ** 2])), torch.ones(2, dtype=torch.int64)
    x, v = q_sample(schedule, image, t, eps), v_of(schedule, image, t, eps)
    assert torch.allclose(interpolate(eps, image, torch.full((2,), tau)), r * x, atol=1e-5)
    assert torch.allclose(image - eps, (2 * tau - 1) / r * x - v / r, atol=1e-5)
