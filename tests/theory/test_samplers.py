"""samplers.py: one step, the walk, and where it ends."""

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
    """Return DDIM's exact output mean and deviation: the walk is affine, two points tell."""
    points = torch.tensor([0.0, 1.0]).double().view(2, 1, 1, 1)
    low, high = sample(data.eps, schedule, points, evenly(schedule.T, steps), step="ddim").flatten()
    return low.item(), (high - low).item()


def test_ddim_on_gaussian_data_converges_to_the_data(gaussian):
    """With the ideal predictor, DDIM's mean and deviation approach the data's, and the error
    halves as the steps double: first order, as Euler's method must be."""
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
    follow a recursion; 20,000 walks agree with it, and it ends near the data."""
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
    """DDPM (7) written as in the paper, in terms of x_0_hat and x_t, by brute force in float64."""
    ab = schedule.alpha_bar.double()
    x_0 = (x_t.double() - (1 - ab[t]).sqrt() * eps_hat.double()) / ab[t].sqrt()
    alpha = ab[t] / ab[s]
    return (
        ab[s].sqrt() * (1 - alpha) * x_0 + alpha.sqrt() * (1 - ab[s]) * x_t.double()
    ) / (1 - ab[t])


@pytest.mark.parametrize("t, s", [(300, 299), (300, 200), (150, 30), (2, 1), (1, 0), (300, 0)])
def test_ddpm_mean_is_equation_7(t, s):
    """The step less its noise is DDPM (7) with t-1 generalised to s, neighbours or far apart."""
    schedule = linear()
    x_t, eps_hat = states()
    x_s, _ = ddpm_step(schedule, x_t, t, s, eps_hat, generator=seeded())
    noise = torch.randn(x_t.shape, generator=seeded())
    deviation = variance(schedule, t, s).sqrt() if s else 0.0
    expected = _mean_step(schedule, x_t, t, s, eps_hat)
    assert torch.allclose(x_s - deviation * noise, expected.float(), atol=2e-4)


def test_a_step_between_neighbours_uses_beta_t_and_not_beta_s():
    """sigma² of t -> t-1 is beta_t, DDPM section 3.2; taking s's beta is a well-known mistake."""
    schedule = linear(300)
    for t in (2, 100, 300):
        beta_t = 1e-4 + (0.02 - 1e-4) * (t - 1) / 299
        assert variance(schedule, t, t - 1).item() == pytest.approx(beta_t, rel=2e-3)


def test_posterior_is_bayes_rule():
    """DDPM (6): q(x_s | x_t, x_0) by completing the square equals mean and beta_tilde used here."""
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


def test_learned_variance_runs_from_beta_tilde_to_beta():
    """Improved DDPM (15): v = -1 is beta_tilde, v = 1 is beta, v = 0 their geometric mean."""
    schedule = linear()
    v = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1)
    low, middle, high = variance(schedule, 200, 150, "learned", v).flatten()
    assert low.item() == pytest.approx(variance(schedule, 200, 150, "beta_tilde").item(), rel=1e-4)
    assert high.item() == pytest.approx(variance(schedule, 200, 150).item(), rel=1e-4)
    assert middle.item() == pytest.approx((low * high).sqrt().item(), rel=1e-4)


@pytest.mark.parametrize("step, how", [("ddpm", {}), ("ddim", {"eta": 1.0})])
def test_the_last_step_is_noiseless_and_returns_the_guess(step, how):
    """Landing on s = 0 adds no noise: the result is x_0_hat itself, whatever the generator."""
    schedule = linear()
    x, _ = states()

    def eps_fn(x, t):
        return torch.zeros_like(x)

    path = list(trajectory(eps_fn, schedule, x, [300, 100, 0], step=step,
                            generator=seeded(), **how))
    guess = predict_x_0(schedule, path[1].x_t, torch.full((3,), 100), torch.zeros_like(x))
    assert torch.allclose(path[-1].x_t, guess, atol=1e-5)
    assert path[-1].t == 0


def test_clipping_keeps_the_pair_consistent():
    """After clipping, x_t is still sqrt(ab) x_0_hat + sqrt(1-ab) eps_hat, so DDIM from t to t is
    nearly a stand-still; keeping the old eps_hat would move it."""
    schedule = linear(1000)
    x_t, eps_hat = 3 * states()[0], states(seed=1)[1]
    x_s, x_0_hat = ddim_step(schedule, x_t, 500, 499, eps_hat, clip=(0.0, 1.0))
    assert x_0_hat.min() >= 0 and x_0_hat.max() <= 1
    assert (x_s - x_t).abs().max() < 0.1


def test_the_network_is_fed_unclipped_noise():
    """Clipping touches x_0_hat only: the x_t handed to the network keeps its tails."""
    fed = []

    def eps_fn(x, t):
        fed.append(x)
        return x

    x = torch.randn(8, 1, 8, 8, generator=seeded())
    sample(eps_fn, linear(), x, evenly(300, 3), clip=(0.0, 1.0), generator=seeded())
    assert torch.equal(fed[0], x) and fed[0].min() < -1
    assert fed[1].min() < 0


def test_the_walk_visits_every_timestep_and_stops_at_zero():
    """T network calls for T steps, at t = T .. 1: stopping one early leaves noise in."""
    asked = []

    def eps_fn(x, t):
        assert t.dtype == torch.int64 and t.shape == (2,)
        asked.append(t[0].item())
        return x

    path = list(trajectory(eps_fn, linear(20), states(2)[0], evenly(20, 20), generator=seeded()))
    assert asked == list(range(20, 0, -1))
    assert [s.t for s in path] == list(range(20, -1, -1))


def test_a_seed_gives_the_same_samples_and_noise_is_fresh_at_each_step(gaussian):
    """Same seed, same bits; and the noise of two steps differs: it is not reseeded on the way."""
    schedule = linear()
    eps_fn, x = gaussian(schedule).eps, states()[0]
    a, b, c = (sample(eps_fn, schedule, x, evenly(300, 10), generator=seeded(s)) for s in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)

    path = list(trajectory(lambda x, t: torch.zeros_like(x), schedule, x, [300, 200, 100, 0],
                            generator=seeded()))
    noises = []
    for before, after in zip(path[:-2], path[1:-1]):
        mean = _mean_step(schedule, before.x_t, before.t, after.t, torch.zeros_like(x))
        noises.append((after.x_t - mean) / variance(schedule, before.t, after.t).sqrt())
    assert not torch.allclose(noises[0], noises[1], atol=0.1)


def test_a_perfect_predictor_is_followed_home():
    """DDIM with the true eps returns the true x_0, in one step or in many."""
    schedule = linear()
    x_0, eps = states()
    x_T = q_sample(schedule, x_0, torch.full((3,), 300), eps)
    for timesteps in ([300, 0], evenly(300, 7), strided(300, 60)):
        out = sample(lambda x, t: eps, schedule, x_T, timesteps, step="ddim")
        assert torch.allclose(out, x_0, atol=1e-4)


def test_learned_variance_flows_from_the_network_to_the_step():
    """An eps_fn may return (eps_hat, v); DDIM ignores v; "learned" without v is refused."""
    schedule, x = linear(), states()[0]

    def two(x, t):
        return torch.zeros_like(x), torch.ones_like(x)

    def one(x, t):
        return torch.zeros_like(x)

    learned = sample(two, schedule, x, [300, 100, 0], kind="learned", generator=seeded())
    beta = sample(one, schedule, x, [300, 100, 0], kind="beta", generator=seeded())
    assert torch.allclose(learned, beta, atol=1e-4)
    assert torch.equal(
        sample(two, schedule, x, [300, 100, 0], step="ddim"),
        sample(one, schedule, x, [300, 100, 0], step="ddim"),
    )
    with pytest.raises(ValueError, match="second output"):
        sample(one, schedule, x, [300, 100, 0], kind="learned")


def test_what_does_not_fit_is_refused():
    """Steps that do not go down, lists that do not end at 0, unknown names, eta outside 0..1."""
    schedule, x = linear(), states()[0]
    for t, s in [(100, 100), (50, 60), (301, 0), (5, -1)]:
        with pytest.raises(ValueError, match="0 <= s < t <= 300"):
            ddpm_step(schedule, x, t, s, x)
    with pytest.raises(ValueError, match="end at 0"):
        sample(lambda x, t: x, schedule, x, [300, 100])
    with pytest.raises(ValueError, match="ddpm, ddim"):
        sample(lambda x, t: x, schedule, x, [300, 0], step="euler")
    with pytest.raises(ValueError, match="beta, beta_tilde, learned"):
        variance(schedule, 2, 1, "fixed")
    with pytest.raises(ValueError, match=r"eta must lie in 0\.\.1"):
        ddim_step(schedule, x, 2, 1, x, eta=2)
