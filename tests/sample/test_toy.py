"""sample/toy.py: all of diffusion on points in the plane, trained in seconds."""

import pytest
import torch
from PIL import Image

from minidiff.files import images
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.samplers import ddim_step, sample
from minidiff.theory.schedule import evenly, linear
from sample import toy


@pytest.fixture(scope="module")
def trained_toy():
    """A network after 800 batches, and its training data."""
    torch.manual_seed(0)
    generator, schedule, network = torch.Generator().manual_seed(0), linear(toy.T), toy.Network()
    points, arms = toy.spiral(2000, generator)
    for _ in toy.train(network, schedule, points, arms, 800, generator):
        pass
    return network, schedule, points, arms


def nearest(x, points):
    """Return each point's distance to the nearest of others, float (N,)."""
    return torch.cdist(x.flatten(1), points.flatten(1)).amin(1)


def sampled(trained_toy, gamma):
    """Return 400 samples, and the share that is nearest to the arm it was prompted with."""
    network, schedule, points, arms = trained_toy
    prompted = torch.arange(400) % 2
    *_, last = toy.generate(network, schedule, prompted, gamma, 0)
    arm = torch.stack([nearest(last.x_t, points[arms == k]) for k in (0, 1)]).argmin(0)
    return last.x_t, (arm == prompted).float().mean().item()


def test_the_two_arms_are_apart_and_as_wide_as_noise():
    """No point of one arm is within three deviations, 0.09, of the other; both together have about
    the deviation of the noise that sampling starts from."""
    points, arms = toy.spiral(2000, torch.Generator().manual_seed(1))
    assert nearest(points[arms == 0], points[arms == 1]).min() > 0.09
    assert 0.6 < points.std() < 1.2 and 900 < arms.sum() < 1100


def test_samples_are_near_the_data(trained_toy):
    """Three of four end within 0.1 of the data, but less than 40% of the noise they start from,
    since the spiral fills the middle of the plane."""
    points = trained_toy[2]
    noise = torch.randn(400, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    x, _ = sampled(trained_toy, 1)
    near, before = ((nearest(each, points) < 0.1).float().mean() for each in (x, noise))
    assert before < 0.4 and near > 0.75


def test_guidance_decides_the_arm(trained_toy):
    """Gamma 0 ignores the prompt: half are on its arm. With 1 most are, with 3 nearly all."""
    none, plain, strong = (sampled(trained_toy, gamma)[1] for gamma in (0, 1, 3))
    assert abs(none - 0.5) < 0.1 and plain > 0.85 and strong > 0.97 and strong >= plain


def test_no_network_beats_the_exact_prediction_and_ours_comes_close(trained_toy):
    """At every t the loss of `exact_eps` is the lowest possible for these points; the network's is
    higher, but less than half of the loss of predicting 0."""
    network, schedule, points, _ = trained_toy
    exact = toy.exact_eps(schedule, points)
    least, ours = [], []
    with torch.no_grad():
        for t in (5, 50, 200, 600, 1000):
            g = torch.Generator().manual_seed(t)
            at, eps = torch.full((2000,), t), torch.randn(2000, 2, 1, 1, generator=g)
            x_t = toy.q_sample(schedule, points, at, eps)
            least.append((exact(x_t, at) - eps).square().mean())
            ours.append((network(x_t, at, torch.zeros(2000, 2)) - eps).square().mean())
        zero = noise_loss(schedule, lambda x, t, c: 0 * x, points)
    assert all(a < b for a, b in zip(least, ours))
    assert sum(ours) / 5 < zero / 2
    assert sum(ours) < 1.35 * sum(least)


def test_the_exact_prediction_is_that_of_gaussian_data(gaussian):
    """Many samples of N(m, s²) have nearly the ideal predictor of N(m, s²), known in closed
    form; for a single point it is (x_t - sqrt(ab) x_0) / sqrt(1 - ab)."""
    schedule, g = linear(toy.T), torch.Generator().manual_seed(0)
    data = gaussian(schedule)
    points = data.mean + data.std * torch.randn(20_000, 2, 1, 1, generator=g)
    x_t = torch.randn(50, 2, 1, 1, generator=g)
    for level in (200, 500, 900):
        t = torch.full((50,), level)
        off = toy.exact_eps(schedule, points)(x_t, t) - data.eps(x_t, t)
        assert off.abs().max() < 0.1 and off.abs().mean() < 0.02
        ab = schedule.at(t)
        alone = (x_t - ab.sqrt() * points[:1]) / (1 - ab).sqrt()
        assert torch.allclose(toy.exact_eps(schedule, points[:1])(x_t, t), alone, atol=1e-4)


def test_the_exact_prediction_only_reproduces_the_data():
    """Samples are then points of the data: what is new in samples comes from the network's
    errors."""
    schedule, g = linear(toy.T), torch.Generator().manual_seed(0)
    angle = torch.arange(6) * torch.pi / 3
    points = torch.stack([angle.cos(), angle.sin()], 1).view(6, 2, 1, 1)
    x = torch.randn(100, 2, 1, 1, generator=g)
    x = sample(toy.exact_eps(schedule, points), schedule, x, evenly(toy.T, toy.T), step=ddim_step)
    assert nearest(x, points).max() < 0.02


def test_the_toy_writes_a_film_and_a_field(tmp_path, monkeypatch, capsys):
    """As a user calls it; both files store their caption."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toy, "STEPS", 4)
    toy.main(["--steps", "2", "--seed", "1"])
    assert "wrote toy.gif and toy.png" in capsys.readouterr().out
    assert Image.open("toy.gif").n_frames == 5 and Image.open("toy.png").width > 1000
    for name in ("toy.gif", "toy.png"):
        assert "2 batches of 512 points, seed 1" in images.caption_of(name)
    with pytest.raises(ValueError, match="steps must lie in 1..10,000,000, got 0"):
        toy.main(["--steps", "0"])
    with pytest.raises(ValueError, match="gamma must lie"):
        toy.main(["--gamma", "nan"])
