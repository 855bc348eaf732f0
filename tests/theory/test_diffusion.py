"""diffusion.py: noising to step t, its inverse, and the losses."""

import pytest
import torch

from minidiff.theory.diffusion import (
    denoising_loss,
    noise_like,
    noise_loss,
    predict_eps,
    predict_x_0,
    q_sample,
    stratified,
    stratified_timesteps,
)
from minidiff.theory.schedule import cosine, linear


def batch(n=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 28, 28, generator=g), torch.randn(n, 1, 28, 28, generator=g)


def test_one_jump_has_the_distribution_of_many_steps():
    """DDPM (4) against DDPM (2) applied t times: mean and variance of x_t agree, in closed form."""
    T = 300
    schedule = linear(T)
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    mean, var = 1.0, 0.0  # of x_t given x_0 = 1
    for t in range(1, T + 1):
        mean = (1 - beta[t - 1]).sqrt() * mean
        var = (1 - beta[t - 1]) * var + beta[t - 1]
        one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
        at = torch.tensor([t])
        assert q_sample(schedule, one, at, zero).item() == pytest.approx(mean.item(), rel=1e-5)
        deviation = q_sample(schedule, zero, at, one).item()
        assert deviation == pytest.approx(var.sqrt().item(), rel=1e-3)


def test_t_zero_is_the_image_itself():
    """No wrap-around: alpha_bar[0] = 1, so step 0 returns x_0 bit for bit."""
    x_0, eps = batch()
    assert torch.equal(q_sample(linear(), x_0, torch.zeros(4, dtype=torch.int64), eps), x_0)


def test_every_image_has_its_own_t():
    """A batch with four different t equals four batches of one."""
    x_0, eps = batch()
    t = torch.tensor([1, 100, 200, 300])
    together = q_sample(linear(), x_0, t, eps)
    for k in range(4):
        one = slice(k, k + 1)
        assert torch.equal(together[one], q_sample(linear(), x_0[one], t[one], eps[one]))


@pytest.mark.parametrize("schedule", [linear(300), cosine(1000)], ids=["linear", "cosine"])
def test_predictions_invert_the_jump(schedule):
    """x_t and the true eps give x_0; x_t and the true x_0 give eps."""
    x_0, eps = batch()
    t = torch.tensor([1, 50, 150, 290])
    x_t = q_sample(schedule, x_0, t, eps)
    assert torch.allclose(predict_x_0(schedule, x_t, t, eps), x_0, atol=1e-4)
    assert torch.allclose(predict_eps(schedule, x_t, t, x_0), eps, atol=2e-3)


def test_noise_loss_samples_a_t_for_each_image_over_the_whole_range():
    """Known mistakes: one t for a whole batch, or a range that misses 1 or T."""
    seen = []

    def model(x_t, t, cond):
        seen.append(t)
        return torch.zeros_like(x_t)

    noise_loss(linear(20), model, torch.zeros(4000, 1, 1, 1), generator=torch.Generator())
    t = torch.cat(seen)
    assert len(t) == 4000 and t.dtype == torch.int64
    counts = t.bincount(minlength=21)
    assert counts[0] == 0 and len(counts) == 21
    assert (counts[1:] - 200).abs().max() <= 1  # stratified: independent t would vary by 14


def test_noise_loss_is_zero_for_the_perfect_model_and_one_for_zero():
    """The target is eps itself: given x_0, a model reaches 0; returning 0 costs E[eps²] = 1."""
    schedule = linear()
    x_0 = torch.rand(64, 1, 28, 28)
    perfect = noise_loss(schedule, lambda x, t, _: predict_eps(schedule, x, t, x_0), x_0)
    zero = noise_loss(schedule, lambda x, t, _: torch.zeros_like(x), x_0)
    assert perfect < 1e-4
    assert zero.item() == pytest.approx(1, abs=0.03)


def test_the_condition_reaches_the_model_and_the_generator_decides_the_rest():
    """cond is passed on as it is; equal generators give equal x_t, t and loss."""
    received, x_0, cond = [], batch()[0], torch.eye(10)[:4]

    def model(x_t, t, c):
        received.append((x_t, t, c))
        return x_t

    a, b = (noise_loss(linear(), model, x_0, cond, torch.Generator().manual_seed(3))
            for _ in range(2))
    assert a == b and all(c is cond for _, _, c in received)
    assert all(torch.equal(received[0][k], received[1][k]) for k in (0, 1))


def test_the_loss_is_computed_in_float32_whatever_the_model_returns():
    """A bfloat16 prediction is compared with the float32 noise; the loss is a float32 scalar."""
    x_0 = batch()[0]
    for loss in (
        noise_loss(linear(), lambda x, t, _: x.bfloat16(), x_0, generator=torch.Generator()),
        denoising_loss(lambda x: x.bfloat16(), x_0, generator=torch.Generator()),
    ):
        assert loss.dtype == torch.float32 and loss.shape == ()


def test_ideal_gaussian_predictor_has_the_loss_theory_gives(gaussian):
    """For data N(m, s²) the lowest possible loss is the mean over t of ab s² / (ab s² + 1 - ab)."""
    schedule = linear()
    data = gaussian(schedule)
    g = torch.Generator().manual_seed(0)
    x_0 = data.mean + data.std * torch.randn(4000, 1, 8, 8, generator=g)
    loss = noise_loss(schedule, lambda x, t, _: data.eps(x, t), x_0, generator=g)
    ab = schedule.alpha_bar[1:]
    least = (ab * data.std**2 / (ab * data.std**2 + 1 - ab)).mean()
    assert loss.item() == pytest.approx(least.item(), rel=0.03)


def test_denoising_loss_of_the_identity_is_sigma_squared():
    """Returning the noisy image leaves the noise: sigma². Returning x_0 leaves nothing."""
    x_0 = torch.rand(64, 1, 28, 28)
    assert denoising_loss(lambda x: x, x_0, 0.5).item() == pytest.approx(0.25, rel=0.02)
    assert denoising_loss(lambda x: x_0, x_0, 0.5) == 0


def test_noise_follows_its_generator_and_not_the_global_seed(device):
    """Same generator state, same noise, whatever the global seed is, on every device."""
    x = torch.empty(2, 1, 3, 3, device=device)
    torch.manual_seed(1)
    a = noise_like(x, torch.Generator().manual_seed(7))
    torch.manual_seed(2)
    b = torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(7))
    assert a.device == x.device and torch.equal(a.cpu(), b)


def test_shapes_that_do_not_fit_are_rejected():
    """Broadcasting would hide them: (B,) against (B,1,28,28) silently compares all pairs."""
    x_0, eps = batch()
    t = torch.ones(4, dtype=torch.int64)
    with pytest.raises(ValueError, match="same shape"):
        q_sample(linear(), x_0, t, eps[:1])
    with pytest.raises(ValueError, match="one t per image"):
        predict_x_0(linear(), x_0, t[:1], eps)
    with pytest.raises(ValueError, match="same shape"):
        noise_loss(linear(), lambda x, t, _: x.mean(1), x_0)
    with pytest.raises(ValueError, match="same shape"):
        predict_eps(linear(), x_0, t, x_0[:1])
    with pytest.raises(ValueError, match="same shape"):
        denoising_loss(lambda x: x[:1], x_0)


def test_stratified_numbers_have_one_in_each_part():
    """The k-th of B is uniform in [k/B, (k+1)/B): mean (k + 1/2)/B, deviation 1 / (B sqrt 12)."""
    g = torch.Generator().manual_seed(0)
    many = torch.stack([stratified(4, g) for _ in range(4000)])
    assert torch.equal((many * 4).long(), torch.arange(4).expand(4000, 4))
    assert torch.allclose(many.mean(0), (torch.arange(4) + 0.5) / 4, atol=0.005)
    assert torch.allclose(many.std(0), torch.tensor(0.25 / 12**0.5), atol=0.002)


def test_timesteps_are_stratified_in_a_batch_and_uniform_over_many():
    """One t in each B-th of 1..T; over 30,000 batches every t is as frequent as any other."""
    g = torch.Generator().manual_seed(0)
    t = stratified_timesteps(6, 300, g)
    assert t.dtype == torch.int64 and ((t - 1) // 50).tolist() == [0, 1, 2, 3, 4, 5]
    many = torch.stack([stratified_timesteps(2, 10, g) for _ in range(30_000)]).flatten()
    counts = many.bincount(minlength=11)
    assert counts[0] == 0 and (counts[1:] - 6000).abs().max() < 4 * 6000**0.5
    assert stratified_timesteps(7, 3, g).unique().tolist() == [1, 2, 3]
