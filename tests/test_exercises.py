"""Answers to exercises of the lectures that are in no other test."""

import pytest
import torch
import torch.nn.functional as F

import train.uncond
from minidiff.editing.views import VIEWS
from minidiff.models.generate import generate
from minidiff.models.upsampler import enlarged
from minidiff.models.zoo import load_model
from minidiff.theory import diffusion
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import ddim_step, sample, trajectory, variance
from minidiff.theory.schedule import SCHEDULES, cosine, evenly, linear
from minidiff.training import kinds
from minidiff.training.loop import learning_rate
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, attentive
from train import first
from train.launch import launch


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_cosine_schedule_leaves_no_signal():
    """schedule.py, 1: the signal at T = 300 falls from 22% to 0.02%; the cap on the last beta
    leaves 0.001 of the step before."""
    ab = cosine(300).alpha_bar
    assert linear(300).alpha_bar[-1].sqrt().item() == pytest.approx(0.22, abs=0.005)
    assert ab[-1].sqrt().item() == pytest.approx(1.6e-4, rel=0.05)
    assert (ab[-1] / ab[-2]).item() == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
def test_one_word_changes_the_schedule_of_training_and_sampling(name, workplace, monkeypatch):
    """model.py, 3: a training noises its images on the schedule named, its checkpoint says so, and
    the model that samples from it follows it."""
    seen = []

    def spy(schedule, *args):
        seen.append(schedule.alpha_bar)
        return noise_loss(schedule, *args)

    monkeypatch.setattr(kinds, "noise_loss", spy)
    words = ["--epochs", "1", "--T", "20", "--sample-steps", "5", "--schedule", name]
    folder = launch(train.uncond.JOB, [*TINY, *words])
    loaded, expected = load_model(str(folder)), SCHEDULES[name](20).alpha_bar
    assert torch.equal(seen[0], expected) and torch.equal(loaded.schedule.alpha_bar, expected)
    levels = [state.x_t for state in generate(loaded, [""], steps=20, seed=0)]
    by_hand = trajectory(lambda x, t: loaded(x, t), SCHEDULES[name](20), levels[0],
                         evenly(20, 20), generator=after_start(0), clip=(0.0, 1.0),
                         kind="beta_tilde")
    assert torch.equal(levels[-1], list(by_hand)[-1].x_t)


def after_start(seed):
    """Return the generator of `generate` after it made one image of noise."""
    generator = torch.Generator().manual_seed(seed)
    torch.randn(1, 1, 28, 28, generator=generator)
    return generator


def test_half_the_steps_leave_the_square_root():
    """schedule.py, 2: log alpha_bar_T is about minus the sum of the betas, and half as many steps
    between the same ends have half the sum: 0.048 becomes 0.22."""
    whole, half = linear(300).alpha_bar[-1], linear(150).alpha_bar[-1]
    assert half.item() == pytest.approx(whole.sqrt().item(), rel=0.01)


def test_one_t_for_a_batch_is_right_on_average_and_varies_more(gaussian, monkeypatch):
    """diffusion.py, 2: with the ideal predictor the mean over 400 batches of 16 is the same; its
    standard deviation from batch to batch is more than ten times as large."""
    schedule = linear()
    data, g = gaussian(schedule), torch.Generator().manual_seed(0)

    def losses():
        def one():
            x_0 = data.mean + data.std * torch.randn(16, 1, 8, 8, generator=g)
            return diffusion.noise_loss(schedule, lambda x, t, _: data.eps(x, t), x_0, generator=g)

        return torch.stack([one() for _ in range(400)])

    stratified = losses()
    monkeypatch.setattr(
        diffusion, "stratified_timesteps",
        lambda B, T, generator, device: torch.randint(1, T + 1, (1,), generator=generator).expand(B)
    )
    alike = losses()
    assert alike.mean().item() == pytest.approx(stratified.mean().item(), rel=0.15)
    assert alike.std() > 10 * stratified.std()


def test_guidance_moves_the_mean_further_along_the_line(gaussian):
    """guidance.py, 3: between N(0, s²) and N(m, s²), gamma = 2 is the ideal predictor of other
    data, N(2 m, s²)."""
    schedule = cosine()
    data = {mean: gaussian(schedule, mean, 0.3) for mean in (0.0, 0.7, 1.4)}

    def two_means(x_t, t, cond):
        conditional = cond.view(-1, 1, 1, 1) > 0
        return torch.where(conditional, data[0.7].eps(x_t, t), data[0.0].eps(x_t, t))

    x, timesteps = noise(200, 1, 4, 4).double(), evenly(1000, 100)
    eps_fn = guided(two_means, torch.ones(200, 1), torch.zeros(200, 1), 2)
    found = sample(eps_fn, schedule, x, timesteps, step=ddim_step)
    ideal = sample(data[1.4].eps, schedule, x, timesteps, step=ddim_step)
    assert torch.allclose(found, ideal, atol=1e-4)
    assert found.mean().item() == pytest.approx(1.4, abs=0.03)


def test_beta_tilde_forgives_noise_in_the_last_step():
    """samplers.py, 1: at s = 0 its variance is 0, as the image is then known; beta's is not."""
    for t in (1, 15, 300):
        assert variance(linear(), t, 0, "beta_tilde") == 0
        assert variance(linear(), t, 0, "beta") > 0


@pytest.mark.parametrize("first, then", [("rotate90", "hflip"), ("jigsaw", "negative")])
def test_two_views_in_a_row_are_a_view(first, then):
    """views.py, 3: a product of orthogonal matrices is orthogonal; the inverse undoes the last
    view first, and the other order is wrong where the two do not commute."""
    a, b = VIEWS[first], VIEWS[then]
    matrix = b.see(a.see(torch.eye(64).view(64, 1, 8, 8))).view(64, 64)
    assert torch.equal(matrix @ matrix.T, torch.eye(64))
    x = noise(2, 1, 8, 8)
    assert torch.equal(a.back(b.back(b.see(a.see(x)))), x)
    commute = torch.equal(a.see(b.see(x)), b.see(a.see(x)))
    assert torch.equal(b.back(a.back(b.see(a.see(x)))), x) == commute == (then == "negative")


def test_decay_by_the_batch_ends_learning_within_an_epoch():
    """loop.py, 1: 1e-3 · 0.1^(469 / 20) = 3.5e-27, lost when added to any weight; by the epoch it
    is 8.9e-4."""
    cfg = Recipe(epochs=20, lr=1e-3, decay="exponential")
    assert learning_rate(cfg, 469, 469) == pytest.approx(8.9e-4, rel=0.01)
    by_the_batch = learning_rate(cfg, 469, 1)
    assert by_the_batch == pytest.approx(3.5e-27, rel=0.02)
    weight = torch.tensor(1e-6)
    assert weight - by_the_batch == weight


def test_interpolation_is_no_inverse_of_shrinking():
    """upsampler.py, 1: repeated pixels shrink to what they were; interpolated ones do not, nor does
    a prediction that is corrected with them."""
    low, x = noise(2, 1, 8, 8), noise(2, 1, 16, 16, seed=1)

    def corrected(enlarge):
        return F.avg_pool2d(x + enlarge(low - F.avg_pool2d(x, 2)), 2)

    assert torch.allclose(corrected(lambda y: F.interpolate(y, scale_factor=2)), low, atol=1e-6)
    assert (F.avg_pool2d(enlarged(low), 2) - low).abs().mean() > 0.1
    assert (corrected(enlarged) - low).abs().mean() > 0.1


def test_a_single_step_is_the_first_prediction():
    """generate.py, 3: x_0_hat by DDPM (15) at t = T, clipped to the data range: the mean of all
    images that the prompt allows, with no noise left."""
    model = attentive()
    start, end = generate(model, ["3", "7"], steps=1, seed=5)
    t = torch.full((2,), 300)
    with torch.no_grad():
        eps_hat = model(start.x_t, t, model.embed(["3", "7"]))
    x_0_hat = diffusion.predict_x_0(model.schedule, start.x_t, t, eps_hat).clamp(0, 1)
    assert end.t == 0 and torch.allclose(end.x_t, x_0_hat, atol=1e-4)


def test_noise_after_the_last_of_many_steps_is_hardly_seen():
    """first.py, 3: of 300 steps the last would add noise of deviation 0.01, of 20 steps 0.09, a
    tenth of the distance from black to white."""
    assert first.BETA[0].sqrt().item() == pytest.approx(0.01, rel=1e-4)
    assert variance(linear(), 15, 0).sqrt().item() == pytest.approx(0.092, abs=0.001)
