"""diffusion.py: the jump to t, its inverse, and the two losses."""

import pytest
import torch

from minidiff.theory.diffusion import (
    denoising_loss,
    noise_like,
    noise_loss,
    predict_eps,
    predict_x_0,
    q_sample,
    stratified_timesteps,
)
from minidiff.theory.schedule import cosine, linear


def batch(n=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 28, 28, generator=g), torch.randn(n, 1, 28, 28, generator=g)


def test_one_jump_has_the_law_of_many_steps():
    """DDPM (4) against DDPM (2) applied t times: mean and variance of x_t agree, in closed form."""
    T = 300
    schedule = linear(T)
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    mean, var = 1.0, 0.0  # of x_t given x_0 = 1
    for t in range(1, T + 1):
        mean = (1 - beta[t - 1]).sqrt() * mean
        var = (1 - beta[t - 1]) * var + beta[t - 1]
        one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
        when = torch.tensor([t])
        assert q_sample(schedule, one, when, zero).item() == pytest.approx(mean.item(), rel=1e-5)
        deviation = q_sample(schedule, zero, when, one).item()
        assert deviation == pytest.approx(var.sqrt().item(), rel=1e-3)


def test_t_zero_is_the_picture_itself():
    """No wrap-around: alpha_bar[0] = 1, so level 0 returns x_0 bit for bit."""
    x_0, eps = batch()
    assert torch.equal(q_sample(linear(), x_0, torch.zeros(4, dtype=torch.int64), eps), x_0)


def test_every_picture_has_its_own_t():
    """A batch with four different t equals four batches of one."""
    x_0, eps = batch()
    t = torch.tensor([1, 100, 200, 300])
    together = q_sample(linear(), x_0, t, eps)
    for k in range(4):
        one = slice(k, k + 1)
        assert torch.equal(together[one], q_sample(linear(), x_0[one], t[one], eps[one]))


@pytest.mark.parametrize("schedule", [linear(300), cosine(1000)], ids=["linear", "cosine"])
def test_predictions_invert_the_jump(schedule):
    """From x_t and the true eps comes x_0; from x_t and the true x_0 comes eps."""
    x_0, eps = batch()
    t = torch.tensor([1, 50, 150, 290])
    x_t = q_sample(schedule, x_0, t, eps)
    assert torch.allclose(predict_x_0(schedule, x_t, t, eps), x_0, atol=1e-4)
    assert torch.allclose(predict_eps(schedule, x_t, t, x_0), eps, atol=2e-3)


def test_noise_loss_draws_a_t_for_each_picture_over_the_whole_range():
    """One t for a whole batch, or a range that misses 1 or T, is a well-known mistake."""
    seen = []

    def model(x_t, t, cond):
        seen.append(t)
        return torch.zeros_like(x_t)

    noise_loss(linear(20), model, torch.zeros(4000, 1, 1, 1), generator=torch.Generator())
    t = torch.cat(seen)
    assert len(t) == 4000 and t.dtype == torch.int64
    counts = t.bincount(minlength=21)
    assert counts[0] == 0 and len(counts) == 21
    assert (counts[1:] - 200).abs().max() < 80  # binomial(4000, 1/20): deviation 14


def test_noise_loss_of_the_perfect_model_is_zero_and_of_silence_one():
    """The target is eps itself: told x_0 a model reaches 0; returning 0 costs E[eps²] = 1."""
    schedule = linear()
    x_0 = torch.rand(64, 1, 28, 28)
    knows = noise_loss(schedule, lambda x, t, _: predict_eps(schedule, x, t, x_0), x_0)
    silent = noise_loss(schedule, lambda x, t, _: torch.zeros_like(x), x_0)
    assert knows < 1e-4
    assert silent.item() == pytest.approx(1, abs=0.03)


def test_ideal_gaussian_predictor_has_the_loss_theory_gives(gaussian):
    """For data N(m, s²) the least possible loss is the mean over t of ab s² / (ab s² + 1 - ab)."""
    schedule = linear()
    data = gaussian(schedule)
    g = torch.Generator().manual_seed(0)
    x_0 = data.mean + data.std * torch.randn(4000, 1, 8, 8, generator=g)
    loss = noise_loss(schedule, lambda x, t, _: data.eps(x, t), x_0, generator=g)
    ab = schedule.alpha_bar[1:]
    least = (ab * data.std**2 / (ab * data.std**2 + 1 - ab)).mean()
    assert loss.item() == pytest.approx(least.item(), rel=0.03)


def test_denoising_loss_of_the_identity_is_sigma_squared():
    """Returning the noisy picture leaves the noise: sigma². Returning x_0 leaves nothing."""
    x_0 = torch.rand(64, 1, 28, 28)
    assert denoising_loss(lambda x: x, x_0, 0.5).item() == pytest.approx(0.25, rel=0.02)
    assert denoising_loss(lambda x: x_0, x_0, 0.5) == 0


def test_noise_follows_its_generator_and_not_the_global_seed():
    """Same generator state, same noise, whatever torch.manual_seed says."""
    x = torch.empty(2, 1, 3, 3)
    torch.manual_seed(1)
    a = noise_like(x, torch.Generator().manual_seed(7))
    torch.manual_seed(2)
    b = noise_like(x, torch.Generator().manual_seed(7))
    assert torch.equal(a, b)


def test_shapes_that_do_not_fit_are_refused():
    """Broadcasting would hide them: (B,) against (B,1,28,28) is a silent B x B mix."""
    x_0, eps = batch()
    t = torch.ones(4, dtype=torch.int64)
    with pytest.raises(ValueError, match="same shape"):
        q_sample(linear(), x_0, t, eps[:1])
    with pytest.raises(ValueError, match="one t per picture"):
        predict_x_0(linear(), x_0, t[:1], eps)
    with pytest.raises(ValueError, match="same shape"):
        noise_loss(linear(), lambda x, t, _: x.mean(1), x_0)


def test_times_are_spread_over_the_batch_and_uniform_over_many():
    """One t in each B-th of 1..T; over 30,000 batches every t is as frequent as any other."""
    g = torch.Generator().manual_seed(0)
    t = stratified_timesteps(6, 300, g)
    assert t.dtype == torch.int64 and ((t - 1) // 50).tolist() == [0, 1, 2, 3, 4, 5]
    many = torch.stack([stratified_timesteps(2, 10, g) for _ in range(30_000)]).flatten()
    counts = many.bincount(minlength=11)
    assert counts[0] == 0 and (counts[1:] - 6000).abs().max() < 4 * 6000**0.5
    assert stratified_timesteps(7, 3, g).unique().tolist() == [1, 2, 3]
