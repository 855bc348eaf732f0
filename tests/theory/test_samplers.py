"""samplers.py: one step, the whole trajectory, and where it ends."""

import pytest
import torch

from minidiff.theory.diffusion import predict_eps, predict_x_0, q_sample
from minidiff.theory.samplers import ddim_step, ddpm_step, sample, trajectory, variance
from minidiff.theory.schedule import cosine, evenly, linear, strided


def states(n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 8, 8, generator=g), torch.randn(n, 1, 8, 8, generator=g)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def affine_ddim(data, schedule, steps):
    """Return DDIM's exact output mean and deviation: an affine map, which two points determine."""
    points, levels = torch.tensor([0.0, 1.0]).double().view(2, 1, 1, 1), evenly(schedule.T, steps)
    low, high = sample(data.eps, schedule, points, levels, step=ddim_step).flatten()
    return low.item(), (high - low).item()


def test_ddim_on_gaussian_data_converges_to_the_data(gaussian):
    """With the ideal predictor, DDIM's mean and deviation approach the data's, and the error
    halves as the steps double: first order, like Euler's method."""
    schedule = cosine(1000)
    data = gaussian(schedule)
    errors = []
    for steps in (40, 80, 160):
        mean, std = affine_ddim(data, schedule, steps)
        errors.append((abs(mean - data.mean), abs(std - data.std)))
    for coarse, fine in zip(errors, errors[1:]):
        assert 1.6 < coarse[1] / fine[1] < 2.6
    assert errors[-1][0] < 0.01 and errors[-1][1] < 0.01


def test_ddpm_on_gaussian_data_has_the_variance_its_recursion_predicts(gaussian):
    """Ancestral sampling with the ideal predictor: x_s = a x_t + b + sigma z, so mean and variance
    follow a recursion; 20,000 samples agree with it, and it ends near the data."""
    schedule = linear(300)
    data = gaussian(schedule)
    timesteps = evenly(300, 60)
    mean, var = 0.0, 1.0
    for t, s in zip(timesteps, timesteps[1:]):
        ends = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
        eps_hat = data.eps(ends, torch.full((2,), t))
        noiseless = _mean_step(schedule, ends, t, s, eps_hat).flatten()
        slope = (noiseless[1] - noiseless[0]).item()
        mean = slope * mean + noiseless[0].item()
        var = slope**2 * var + (variance(schedule, t, s).item() if s else 0.0)
    x = torch.randn(20_000, 1, 1, 1, generator=seeded(1))
    x = sample(data.eps, schedule, x, timesteps, generator=seeded(2))
    assert x.mean().item() == pytest.approx(mean, abs=0.012)
    assert x.var().item() == pytest.approx(var, rel=0.04)
    assert abs(mean - data.mean) < 0.1 and abs(var**0.5 - data.std) < 0.05


def _mean_step(schedule, x_t, t, s, eps_hat):
    """DDPM (7) as written in the paper, in terms of x_0_hat and x_t, in float64."""
    ab = schedule.alpha_bar.double()
    x_0 = (x_t.double() - (1 - ab[t]).sqrt() * eps_hat.double()) / ab[t].sqrt()
    alpha = ab[t] / ab[s]
    return (
        ab[s].sqrt() * (1 - alpha) * x_0 + alpha.sqrt() * (1 - ab[s]) * x_t.double()
    ) / (1 - ab[t])


@pytest.mark.parametrize("t, s", [(300, 299), (300, 200), (150, 30), (2, 1), (1, 0), (300, 0)])
def test_ddpm_mean_is_equation_7(t, s):
    """A step minus its noise is DDPM (7) with t-1 generalised to s, neighbours or far apart."""
    schedule = linear()
    x_t, eps_hat = states()
    x_s, _ = ddpm_step(schedule, x_t, t, s, eps_hat, generator=seeded())
    noise = torch.randn(x_t.shape, generator=seeded())
    deviation = variance(schedule, t, s).sqrt() if s else 0.0
    expected = _mean_step(schedule, x_t, t, s, eps_hat)
    assert torch.allclose(x_s - deviation * noise, expected.float(), atol=2e-4)


def test_a_step_between_neighbours_uses_beta_t_and_not_beta_s():
    """sigma² of t -> t-1 is beta_t, DDPM section 3.2; a known mistake is beta_s."""
    schedule = linear(300)
    for t in (2, 100, 300):
        beta_t = 1e-4 + (0.02 - 1e-4) * (t - 1) / 299
        assert variance(schedule, t, t - 1).item() == pytest.approx(beta_t, rel=2e-3)


def test_posterior_is_bayes_rule():
    """DDPM (6): q(x_s | x_t, x_0), by completing the square, has this mean and beta_tilde."""
    schedule = linear()
    ab = schedule.alpha_bar.double()
    t, s, x_0, x_t = 200, 120, 0.8, -0.3
    alpha, beta = ab[t] / ab[s], 1 - ab[t] / ab[s]
    precision = alpha / beta + 1 / (1 - ab[s])
    mean = (alpha.sqrt() / beta * x_t + ab[s].sqrt() / (1 - ab[s]) * x_0) / precision
    point = torch.full((1, 1, 1, 1), x_t)
    eps = predict_eps(schedule, point, torch.tensor([t]), torch.full_like(point, x_0))
    x_s, _ = ddim_step(schedule, point, t, s, eps, eta=1.0, generator=seeded())
    z = torch.randn(1, 1, 1, 1, generator=seeded())
    sigma = variance(schedule, t, s, "beta_tilde").sqrt()
    assert (1 / precision).item() == pytest.approx(sigma.item() ** 2, rel=1e-3)
    assert (x_s - sigma * z).item() == pytest.approx(mean.item(), rel=1e-3)


@pytest.mark.parametrize("clip", [None, (0.0, 1.0)])
def test_ddim_with_eta_one_is_ddpm_with_beta_tilde(clip):
    """DDIM (12) at eta = 1 is DDPM (7), with and without clipping, for any t and s."""
    schedule = linear()
    x_t, eps_hat = states()
    for t, s in [(300, 250), (120, 119), (40, 0)]:
        a, _ = ddpm_step(
            schedule, x_t, t, s, eps_hat, kind="beta_tilde", clip=clip, generator=seeded()
        )
        b, _ = ddim_step(schedule, x_t, t, s, eps_hat, eta=1.0, clip=clip, generator=seeded())
        assert torch.allclose(a, b, atol=2e-4)


def test_from_pure_noise_beta_is_one_and_beta_tilde_the_noise_at_s():
    """alpha_bar_t near 0: beta is nearly 1, beta_tilde nearly 1 - alpha_bar_s."""
    schedule = cosine(1000)
    for kind, expected in (("beta", 1), ("beta_tilde", 1 - schedule.alpha_bar[500].item())):
        assert variance(schedule, 1000, 500, kind).item() == pytest.approx(expected, abs=1e-4)


def test_a_variance_can_be_given_as_a_tensor():
    """kind = sigma² itself, one for each pixel: the noise of x_s is scaled by its root."""
    schedule, (x_t, eps_hat) = linear(), states()
    sigma_2 = torch.rand(x_t.shape, generator=seeded(3))
    mean, _ = ddpm_step(schedule, x_t, 200, 100, eps_hat, kind=torch.zeros(()), generator=seeded())
    x_s, _ = ddpm_step(schedule, x_t, 200, 100, eps_hat, kind=sigma_2, generator=seeded())
    z = torch.randn(x_t.shape, generator=seeded())
    assert torch.allclose(x_s - mean, sigma_2.sqrt() * z, atol=1e-5)


@pytest.mark.parametrize("step, options", [(ddpm_step, {}), (ddim_step, {"eta": 1.0})],
                         ids=["ddpm", "ddim"])
def test_the_last_step_adds_no_noise_and_returns_x_0_hat(step, options):
    """At s = 0 the result is x_0_hat itself, whatever the generator."""
    schedule = linear()
    x, _ = states()

    def eps_fn(x, t):
        return torch.zeros_like(x)

    found = list(trajectory(eps_fn, schedule, x, [300, 100, 0], step=step, generator=seeded(),
                            **options))
    x_0_hat = predict_x_0(schedule, found[1].x_t, torch.full((3,), 100), torch.zeros_like(x))
    assert torch.allclose(found[-1].x_t, x_0_hat, atol=1e-5)
    assert torch.equal(found[-1].x_0_hat, x_0_hat)
    assert found[-1].t == 0


def test_clipping_keeps_x_0_hat_and_eps_hat_consistent():
    """After clipping, x_t is still sqrt(ab) x_0_hat + sqrt(1-ab) eps_hat, so a DDIM step from 500
    to 499 hardly moves it; with the old eps_hat it would."""
    schedule = linear(1000)
    x_t, eps_hat = 3 * states()[0], states(seed=1)[1]
    x_s, x_0_hat = ddim_step(schedule, x_t, 500, 499, eps_hat, clip=(0.0, 1.0))
    assert x_0_hat.min() >= 0 and x_0_hat.max() <= 1
    assert (x_s - x_t).abs().max() < 0.1


def test_a_clip_may_be_a_function():
    """It is given x_0_hat, and what it returns is used."""
    schedule, (x_t, eps_hat) = linear(), states()
    for step in (ddpm_step, ddim_step):
        a = step(schedule, x_t, 200, 100, eps_hat, clip=(0.0, 1.0), generator=seeded())
        b = step(schedule, x_t, 200, 100, eps_hat, clip=lambda x: x.clamp(0, 1), generator=seeded())
        assert all(torch.equal(u, v) for u, v in zip(a, b))


def test_the_networks_input_is_never_clipped():
    """Clipping changes x_0_hat only: the x_t that the network receives keeps its tails."""
    inputs = []

    def eps_fn(x, t):
        inputs.append(x)
        return x

    x = torch.randn(8, 1, 8, 8, generator=seeded())
    sample(eps_fn, linear(), x, evenly(300, 3), clip=(0.0, 1.0), generator=seeded())
    assert torch.equal(inputs[0], x) and inputs[0].min() < -1
    assert inputs[1].min() < 0


def test_a_trajectory_visits_every_timestep_and_ends_at_zero():
    """T network calls for T steps, at t = T .. 1: stopping one step early would leave noise."""
    times = []

    def eps_fn(x, t):
        assert t.dtype == torch.int64 and t.shape == (2,)
        times.append(t[0].item())
        return x

    found = list(trajectory(eps_fn, linear(20), states(2)[0], evenly(20, 20), generator=seeded()))
    assert times == list(range(20, 0, -1))
    assert [s.t for s in found] == list(range(20, -1, -1))


def test_a_seed_gives_the_same_samples_and_noise_is_fresh_at_each_step(gaussian):
    """Same seed, same bits; and the noise of two steps is uncorrelated: it is not reseeded."""
    schedule = linear()
    eps_fn, x = gaussian(schedule).eps, torch.randn(20, 1, 8, 8, generator=seeded(5))
    a, b, c = (sample(eps_fn, schedule, x, evenly(300, 10), generator=seeded(s)) for s in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)

    found = list(trajectory(lambda x, t: torch.zeros_like(x), schedule, x, [300, 200, 100, 0],
                            generator=seeded()))
    noises = []
    for before, after in zip(found[:-2], found[1:-1]):
        mean = _mean_step(schedule, before.x_t, before.t, after.t, torch.zeros_like(x))
        noises.append((after.x_t - mean) / variance(schedule, before.t, after.t).sqrt())
    assert all(abs(z.std() - 1) < 0.1 for z in noises)
    assert abs((noises[0] * noises[1]).mean()) < 4 / 1280**0.5


def test_with_a_perfect_predictor_ddim_returns_the_image():
    """DDIM with the true eps returns the true x_0, in one step or in many."""
    schedule = linear()
    x_0, eps = states()
    x_T = q_sample(schedule, x_0, torch.full((3,), 300), eps)
    for timesteps in ([300, 0], evenly(300, 7), strided(300, 60)):
        out = sample(lambda x, t: eps, schedule, x_T, timesteps, step=ddim_step)
        assert torch.allclose(out, x_0, atol=1e-4)


def test_sampling_records_no_gradients():
    """A network with trainable weights leaves no graph behind."""
    weight = torch.ones(1, requires_grad=True)
    x = sample(lambda x, t: weight * x, linear(), states()[0], [300, 100, 0], generator=seeded())
    assert not x.requires_grad


def test_arguments_that_do_not_fit_are_rejected():
    """Steps that do not go down, lists that do not end at 0, unknown variances, wrong eta."""
    schedule, x = linear(), states()[0]
    for t, s in [(100, 100), (50, 60), (301, 0), (5, -1)]:
        with pytest.raises(ValueError, match="0 <= s < t <= 300"):
            ddpm_step(schedule, x, t, s, x)
    with pytest.raises(ValueError, match="end at 0"):
        sample(lambda x, t: x, schedule, x, [300, 100])
    with pytest.raises(ValueError, match="choose from: beta, beta_tilde$"):
        variance(schedule, 2, 1, "fixed")
    with pytest.raises(ValueError, match=r"eta must lie in 0\.\.1"):
        ddim_step(schedule, x, 2, 1, x, eta=2)
