"""Answers to exercises of the lectures that no other test holds."""

import pytest
import torch
import torch.nn.functional as F

from minidiff.editing.views import VIEWS
from minidiff.models.upsampler import enlarged
from minidiff.theory import diffusion
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import sample, variance
from minidiff.theory.schedule import cosine, evenly, linear
from minidiff.training.loop import learning_rate
from minidiff.training.recipe import Recipe


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_cosine_schedule_leaves_nothing_of_the_picture():
    """schedule.py, 1: the signal at T = 300 falls from 22% to 0.02%, which the cap on the last beta
    leaves: 0.001 of what there was a step before."""
    ab = cosine(300).alpha_bar
    assert linear(300).alpha_bar[-1].sqrt().item() == pytest.approx(0.22, abs=0.005)
    assert ab[-1].sqrt().item() == pytest.approx(1.6e-4, rel=0.05)
    assert (ab[-1] / ab[-2]).item() == pytest.approx(0.001, rel=1e-3)


def test_half_the_steps_leave_the_square_root():
    """schedule.py, 2: log alpha_bar_T is about minus the sum of the betas, and half as many steps
    between the same ends have half the sum: 0.048 becomes 0.22."""
    whole, half = linear(300).alpha_bar[-1], linear(150).alpha_bar[-1]
    assert half.item() == pytest.approx(whole.sqrt().item(), rel=0.01)


def test_one_t_for_a_batch_is_right_on_average_and_varies_more(gaussian, monkeypatch):
    """diffusion.py, 2: with the ideal predictor the mean over 400 batches of 16 stays as it is; the
    deviation from batch to batch is more than ten times as large."""
    schedule = linear()
    data, g = gaussian(schedule), torch.Generator().manual_seed(0)

    def losses():
        def one():
            x_0 = data.mean + data.std * torch.randn(16, 1, 8, 8, generator=g)
            return diffusion.noise_loss(schedule, lambda x, t, _: data.eps(x, t), x_0, generator=g)

        return torch.stack([one() for _ in range(400)])

    spread_out = losses()
    monkeypatch.setattr(
        diffusion, "spread",
        lambda B, T, generator, device: torch.randint(1, T + 1, (1,), generator=generator).expand(B)
    )
    alike = losses()
    assert alike.mean().item() == pytest.approx(spread_out.mean().item(), rel=0.15)
    assert alike.std() > 10 * spread_out.std()


def test_guidance_moves_the_mean_on_along_the_line(gaussian):
    """guidance.py, 3: between N(0, s²) and N(m, s²), gamma = 2 is the ideal predictor of data that
    was never there, N(2 m, s²)."""
    schedule = cosine()
    data = {mean: gaussian(schedule, mean, 0.3) for mean in (0.0, 0.7, 1.4)}

    def model(x_t, t, cond):
        asked = cond.view(-1, 1, 1, 1) > 0
        return torch.where(asked, data[0.7].eps(x_t, t), data[0.0].eps(x_t, t))

    x, timesteps = noise(200, 1, 4, 4).double(), evenly(1000, 100)
    eps_fn = guided(model, torch.ones(200, 1), torch.zeros(200, 1), 2)
    found = sample(eps_fn, schedule, x, timesteps, step="ddim")
    ideal = sample(data[1.4].eps, schedule, x, timesteps, step="ddim")
    assert torch.allclose(found, ideal, atol=1e-4)
    assert found.mean().item() == pytest.approx(1.4, abs=0.03)


def test_beta_tilde_forgives_noise_in_the_last_step():
    """samplers.py, 1: at s = 0 its variance is 0, for the picture is then known; beta's is not."""
    for t in (1, 15, 300):
        assert variance(linear(), t, 0, "beta_tilde") == 0
        assert variance(linear(), t, 0, "beta") > 0


@pytest.mark.parametrize("first, then", [("rotate90", "hflip"), ("jigsaw", "negative")])
def test_two_views_in_a_row_are_a_view(first, then):
    """views.py, 3: a product of orthogonal matrices is orthogonal; what was done last is undone
    first, and the other order is wrong wherever the two do not commute."""
    a, b = VIEWS[first], VIEWS[then]
    matrix = b.see(a.see(torch.eye(64).view(64, 1, 8, 8))).view(64, 64)
    assert torch.equal(matrix @ matrix.T, torch.eye(64))
    x = noise(2, 1, 8, 8)
    assert torch.equal(a.back(b.back(b.see(a.see(x)))), x)
    commute = torch.equal(a.see(b.see(x)), b.see(a.see(x)))
    assert torch.equal(b.back(a.back(b.see(a.see(x)))), x) == commute == (then == "negative")


def test_decay_by_the_batch_ends_learning_within_an_epoch():
    """trainer.py, 1: 1e-3 · 0.1^(469 / 20) = 3.5e-27, lost beside any weight; by the epoch it is
    8.9e-4."""
    cfg = Recipe(epochs=20, lr=1e-3, decay="exponential")
    assert learning_rate(cfg, 469, 469) == pytest.approx(8.9e-4, rel=0.01)
    by_the_batch = learning_rate(cfg, 469, 1)
    assert by_the_batch == pytest.approx(3.5e-27, rel=0.02)
    weight = torch.tensor(1e-6)
    assert weight - by_the_batch == weight


def test_interpolation_is_no_inverse_of_shrinking():
    """upsampler.py, 1: repeated pixels shrink to what they were; interpolated ones do not, nor does
    a guess that is corrected with them."""
    low, x = noise(2, 1, 8, 8), noise(2, 1, 16, 16, seed=1)

    def corrected(enlarge):
        return F.avg_pool2d(x + enlarge(low - F.avg_pool2d(x, 2)), 2)

    assert torch.allclose(corrected(lambda y: F.interpolate(y, scale_factor=2)), low, atol=1e-6)
    assert (F.avg_pool2d(enlarged(low), 2) - low).abs().mean() > 0.1
    assert (corrected(enlarged) - low).abs().mean() > 0.1
