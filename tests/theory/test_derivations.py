"""The derivations of chapters 2, 3 and 7, step by step, with numbers."""

import math

import pytest
import torch

from minidiff.theory.diffusion import predict_eps, predict_x_0, q_sample
from minidiff.theory.samplers import ddim_step, ddpm_step, variance
from minidiff.theory.schedule import Schedule, cosine, linear

SCHEDULES = {"linear": linear(300), "cosine": cosine(1000)}
by_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
PAIRS = [(300, 299), (300, 120), (150, 30), (40, 1), (2, 1)]  # t, s


def levels(schedule, t, s):
    """Return ab_t, ab_s, alpha and beta as Python floats."""
    ab_t, ab_s = schedule.alpha_bar[[t, s]].double().tolist()
    return ab_t, ab_s, ab_t / ab_s, 1 - ab_t / ab_s


def pixel(value):
    """Return a batch of one image of one pixel, float64."""
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def mean_step(schedule, x_t, t, s, eps_hat):
    """Return a DDPM step without its noise."""
    return ddpm_step(schedule, x_t, t, s, eps_hat, kind=torch.zeros(()))[0]


@by_schedule
def test_two_steps_are_one(schedule):
    """From any s to any t, single steps of DDPM (2) multiply the factors of x and add up the
    variances to alpha_bar_t / alpha_bar_s and the rest; so it is for two steps of any lengths, and
    60,000 trajectories agree: mean, variance and covariance within four standard errors."""
    ab = schedule.alpha_bar.double()
    for s in (0, 1, 100):
        factor, var = 1.0, 0.0
        for t in range(s + 1, 300):
            alpha = ab[t] / ab[t - 1]
            factor, var = factor * alpha.sqrt(), alpha * var + 1 - alpha
            assert factor**2 == pytest.approx((ab[t] / ab[s]).item(), rel=1e-9)
            assert var == pytest.approx((1 - ab[t] / ab[s]).item(), rel=1e-9)
    n, generator = 60_000, torch.Generator().manual_seed(0)
    x, seen = torch.full((n, 1, 1, 1), 0.8), [0.8]
    for r, s in ((0, 60), (60, 200)):
        step, z = Schedule(torch.tensor([1.0, ab[s] / ab[r]]).float()), torch.randn(
            n, 1, 1, 1, generator=generator)
        x = q_sample(step, x, torch.ones(n, dtype=torch.int64), z)
        seen.append(x.flatten().double())
    error = 4 / n**0.5
    assert seen[2].mean().item() == pytest.approx(0.8 * ab[200].sqrt().item(), abs=error)
    assert seen[2].var().item() == pytest.approx(1 - ab[200].item(), abs=1.5 * error)
    together = torch.cov(torch.stack(seen[1:]))[0, 1].item()
    assert together == pytest.approx(((ab[200] / ab[60]).sqrt() * (1 - ab[60])).item(), abs=error)


@pytest.mark.parametrize("t, s", PAIRS)
@by_schedule
def test_the_step_back_is_bayes_rule(schedule, t, s):
    """The product of the two densities, normalised by summing over 200,001 values of x_s, has the
    mean of a DDPM step that knows x_0, and the variance beta_tilde."""
    ab_t, ab_s, alpha, beta = levels(schedule, t, s)
    x_0, x_t = 0.8, -0.3
    x_s = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
    square = (x_s - ab_s**0.5 * x_0) ** 2 / (1 - ab_s) + (x_t - alpha**0.5 * x_s) ** 2 / beta
    q = (-square / 2).softmax(0)
    mean = (q * x_s).sum()
    eps = predict_eps(schedule, pixel(x_t), torch.tensor([t]), pixel(x_0))
    found = mean_step(schedule, pixel(x_t), t, s, eps).item()
    assert found == pytest.approx(mean.item(), abs=1e-4)
    spread = (q * (x_s - mean) ** 2).sum().item()
    assert variance(schedule, t, s, "beta_tilde").item() == pytest.approx(spread, rel=2e-3)
    assert 1 / spread == pytest.approx(1 / (1 - ab_s) + alpha / beta, rel=1e-3)


@pytest.mark.parametrize("t, s", PAIRS)
@by_schedule
def test_the_mean_is_that_of_algorithm_2(schedule, t, s):
    """(x_t - beta / sqrt(1 - ab_t) eps_hat) / sqrt(alpha), whatever the prediction is, between
    neighbours and between levels far apart."""
    ab_t, _, alpha, beta = levels(schedule, t, s)
    x_t, eps_hat = (torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(k)).double()
                    for k in (0, 1))
    expected = (x_t - beta / (1 - ab_t) ** 0.5 * eps_hat) / alpha**0.5
    assert torch.allclose(mean_step(schedule, x_t, t, s, eps_hat), expected, atol=2e-4)


def divergence(m_1, var_1, m_2, var_2):
    """The Kullback-Leibler divergence of two Gaussians, by its formula."""
    return 0.5 * math.log(var_2 / var_1) + (var_1 + (m_1 - m_2) ** 2) / (2 * var_2) - 0.5


def test_the_divergence_of_two_gaussians():
    """The formula against the integral of p log(p / q), summed over 100,001 points."""
    x = torch.linspace(-12, 12, 100_001, dtype=torch.float64)
    for m_1, var_1, m_2, var_2 in ((0, 1, 0, 1), (0.5, 0.3, -0.2, 0.7), (1, 2, 0, 0.5)):
        p, q = (-((x - m) ** 2) / (2 * v) - 0.5 * math.log(2 * math.pi * v)
                for m, v in ((m_1, var_1), (m_2, var_2)))
        integral = torch.trapezoid(p.exp() * (p - q), x).item()
        assert divergence(m_1, var_1, m_2, var_2) == pytest.approx(integral, abs=1e-8)


@by_schedule
def test_the_bound_is_tight_where_the_model_is_exact(schedule):
    """For data N(0, 1) the best prediction is sqrt(1 - ab_t) x_t, and with variance beta the steps
    back are exact. Then the bound, put together from w_t, the errors and both ends, is the entropy
    of the data, ½ log(2 pi e); with a worse prediction it is larger."""
    def bound(scale):  # eps_hat = scale sqrt(1 - ab_t) x_t
        ab = schedule.alpha_bar.double().tolist()
        total = 0.5 * (ab[-1] + 1 - ab[-1] - 1 - math.log(1 - ab[-1]))  # x_T against N(0, 1)
        for t in range(1, schedule.T + 1):
            ab_t, ab_s, alpha, beta = levels(schedule, t, t - 1)
            error = (1 - scale * (1 - ab_t)) ** 2 + scale**2 * (1 - ab_t) * ab_t
            weighted = beta**2 / (2 * beta * alpha * (1 - ab_t)) * error  # w_t E|eps_hat - eps|²
            if t == 1:  # -log p(x_0 | x_1), whose mean differs from x_0 as the formula says
                total += weighted + 0.5 * math.log(2 * math.pi * beta)
            else:
                total += weighted + divergence(0, (1 - ab_s) / (1 - ab_t) * beta, 0, beta)
        return total

    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert bound(1.0) == pytest.approx(entropy, abs=1e-6)
    assert min(bound(0.9), bound(1.1)) > entropy + 1e-3


@pytest.mark.parametrize("t, s", PAIRS)
@by_schedule
def test_the_weights_between_losses(schedule, t, s):
    """Two predictions a distance apart: half the squared distance of the means of their steps over
    sigma² is w_t times its square, and that of the images (1 - ab_t) / ab_t times. From t to t - 1
    on the linear schedule w_t falls from ½ to 0.02 at t = 50 and 0.01 at the end; beta_tilde is 0
    at t = 1. Of the weights of eps_hat's loss on the image 80% lie on t = 1 to 5."""
    ab_t, _, alpha, beta = levels(schedule, t, s)
    x_t, a, b = pixel(0.4), pixel(0.2), pixel(0.9)
    apart = [f(a) - f(b) for f in (lambda e: mean_step(schedule, x_t, t, s, e),
                                   lambda e: predict_x_0(schedule, x_t, torch.tensor([t]), e))]
    sigma_2 = variance(schedule, t, s).item()
    w = beta**2 / (2 * sigma_2 * alpha * (1 - ab_t))
    assert (apart[0] ** 2 / (2 * sigma_2)).item() == pytest.approx(w * 0.7**2, rel=2e-3)
    assert (apart[1] ** 2).item() == pytest.approx((1 - ab_t) / ab_t * 0.7**2, rel=1e-3)
    every = [beta / (2 * alpha * (1 - ab)) for ab, _, alpha, beta in
             (levels(linear(300), k, k - 1) for k in range(1, 301))]
    assert [round(every[k - 1], 2) for k in (1, 50, 300)] == [0.5, 0.02, 0.01]
    assert all(a > b for a, b in zip(every[:150], every[1:])) and max(every[150:]) < 0.011
    assert variance(linear(300), 1, 0, "beta_tilde") == 0
    ab = linear(300).alpha_bar[1:].double()
    image = (1 - ab) / ab
    assert image[[0, 149, 299]].tolist() == pytest.approx([1e-4, 1.1, 19.8], rel=0.05)
    assert (1 / image[:5]).sum() / (1 / image).sum() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("t", [1, 40, 150, 300])
def test_the_prediction_is_a_scaled_score_and_a_mean(t):
    """For data of three images of two pixels, autograd differentiates log p(x_t). Scaled, it is
    the mean of the noises that could be in x_t, and DDPM (15) makes it the mean of the images,
    computed from their weights; after the last step of the cosine schedule that of all."""
    schedule, at = linear(300), torch.tensor([t])
    images = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.4]]).double().view(3, 1, 1, 2)
    ab = schedule.alpha_bar[t].double()
    x_t = torch.tensor([[0.6, 0.3]]).double().view(1, 1, 1, 2).requires_grad_()
    squares = ((x_t - ab.sqrt() * images) ** 2).flatten(1).sum(1)
    log_p = (-squares / (2 - 2 * ab)).logsumexp(0)
    score, = torch.autograd.grad(log_p, x_t)
    weights = (-squares / (2 - 2 * ab)).softmax(0).detach().view(3, 1, 1, 1)
    eps = predict_eps(schedule, x_t.detach().expand(3, 1, 1, 2), at.expand(3), images)
    eps_hat = (weights * eps).sum(0, keepdim=True)
    assert torch.allclose(eps_hat, -(1 - ab).sqrt() * score, atol=1e-4)
    x_0_hat = predict_x_0(schedule, x_t.detach(), at, eps_hat)
    assert torch.allclose(x_0_hat, (weights * images).sum(0, keepdim=True), atol=1e-4)
    tweedie = (x_t.detach() + (1 - ab) * score) / ab.sqrt()
    assert torch.allclose(x_0_hat, tweedie, atol=1e-4)


def test_the_first_prediction_is_the_mean_of_all_images():
    """Where no signal is left, the weights of the images are equal, whatever the noise is: to 1%
    at the end of the cosine schedule; and the mean is none of the images."""
    images = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.9, 0.9]]).double()
    ab, x_T = cosine(1000).alpha_bar[-1].double(), torch.tensor([1.3, -0.7]).double()
    weights = (-((x_T - ab.sqrt() * images) ** 2).sum(1) / (2 - 2 * ab)).softmax(0)
    assert torch.allclose(weights, torch.full((3,), 1 / 3).double(), atol=0.01)
    assert ((weights @ images - images).norm(dim=1) > 0.05).all()


@pytest.mark.parametrize("t, s", PAIRS)
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_every_eta_keeps_the_marginals(eta, t, s):
    """If the prediction is the truth, 60,000 images have mean and variance of q(x_s | x_0) after a
    step from t to s, within four standard errors. The factor of eps at eta = 1 is that of DDPM."""
    schedule, n, generator = linear(300), 60_000, torch.Generator().manual_seed(1)
    ab_t, ab_s, alpha, beta = levels(schedule, t, s)
    x_0, eps = torch.full((n, 1, 1, 1), 0.8), torch.randn(n, 1, 1, 1, generator=generator)
    x_t = q_sample(schedule, x_0, torch.full((n,), t), eps)
    x_s, _ = ddim_step(schedule, x_t, t, s, eps, eta=eta, generator=generator)
    assert x_s.mean().item() == pytest.approx(0.8 * ab_s**0.5, abs=4 * ((1 - ab_s) / n) ** 0.5)
    assert x_s.var().item() == pytest.approx(1 - ab_s, rel=4 * (2 / n) ** 0.5)
    beta_tilde = (1 - ab_s) / (1 - ab_t) * beta
    square = alpha * (1 - ab_s) ** 2 / (1 - ab_t)
    assert 1 - ab_s - beta_tilde == pytest.approx(square, rel=1e-9)
