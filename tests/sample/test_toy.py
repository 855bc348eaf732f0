"""sample/toy.py: all of diffusion on points in the plane, trained in seconds, and its oracle."""

import pytest
import torch
from PIL import Image

from minidiff.files import images
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.samplers import sample
from minidiff.theory.schedule import evenly, linear
from sample import toy


@pytest.fixture(scope="module")
def taught():
    """A network after 800 batches, and what it was taught."""
    torch.manual_seed(0)
    generator, schedule, network = torch.Generator().manual_seed(0), linear(toy.T), toy.Network()
    points, arms = toy.spiral(2000, generator)
    for _ in toy.train(network, schedule, points, arms, 800, generator):
        pass
    return network, schedule, points, arms


def nearest(x, points):
    """Return each point's distance to the nearest of others, float (N,)."""
    return torch.cdist(x.flatten(1), points.flatten(1)).amin(1)


def landed(taught, gamma):
    """Return where 400 walks end, and the share that ends nearest to the arm asked for."""
    network, schedule, points, arms = taught
    asked = torch.arange(400) % 2
    *_, last = toy.walk(network, schedule, asked, gamma, 0)
    arm = torch.stack([nearest(last.x_t, points[arms == k]) for k in (0, 1)]).argmin(0)
    return last.x_t, (arm == asked).float().mean().item()


def test_the_two_arms_are_apart_and_as_wide_as_noise():
    """No point of one arm lies within three deviations, 0.09, of the other; both together have
    about the spread that noise starts with."""
    points, arms = toy.spiral(2000, torch.Generator().manual_seed(1))
    assert nearest(points[arms == 0], points[arms == 1]).min() > 0.09
    assert 0.6 < points.std() < 1.2 and 900 < arms.sum() < 1100


def test_noise_flows_to_the_data(taught):
    """Four of five walks end within 0.1 of the data; of their beginnings one in three lies there,
    since the spiral fills the plane's middle."""
    points = taught[2]
    noise = torch.randn(400, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    x, _ = landed(taught, 1)
    near, before = ((nearest(each, points) < 0.1).float().mean() for each in (x, noise))
    assert before < 0.4 and near > 0.75


def test_guidance_decides_the_arm(taught):
    """Gamma 0 hears nothing: half land on the arm asked for. With 1 nearly all, with 3 no fewer."""
    none, plain, strong = (landed(taught, gamma)[1] for gamma in (0, 1, 3))
    assert abs(none - 0.5) < 0.1 and plain > 0.85 and strong > 0.97


def test_no_network_beats_the_exact_answer_and_ours_comes_near(taught):
    """Over all t the loss of `exact_eps` is the least there is for these points; the network's lies
    above it, and well below half of what it costs to answer nothing."""
    network, schedule, points, _ = taught
    exact = toy.exact_eps(schedule, points)
    least, ours = [], []
    with torch.no_grad():
        for t in (5, 50, 200, 600, 1000):
            g = torch.Generator().manual_seed(t)
            at, eps = torch.full((2000,), t), torch.randn(2000, 2, 1, 1, generator=g)
            x_t = toy.q_sample(schedule, points, at, eps)
            least.append((exact(x_t, at) - eps).square().mean())
            ours.append((network(x_t, at, torch.zeros(2000, 2)) - eps).square().mean())
        silent = noise_loss(schedule, lambda x, t, c: 0 * x, points)
    assert all(a < b for a, b in zip(least, ours))
    assert sum(ours) / 5 < silent / 2
    assert sum(ours) < 1.35 * sum(least)


def test_the_exact_answer_is_that_of_gaussian_data(gaussian):
    """Many points drawn from N(m, s²) have nearly the ideal predictor of N(m, s²), known in closed
    form; and of a single point it is (x_t - sqrt(ab) x_0) / sqrt(1 - ab)."""
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


def test_who_knows_all_points_exactly_can_only_repeat_them():
    """Walks with the exact answer end on points of the data: what is new in samples comes from what
    the network gets wrong."""
    schedule, g = linear(toy.T), torch.Generator().manual_seed(0)
    angle = torch.arange(6) * torch.pi / 3
    points = torch.stack([angle.cos(), angle.sin()], 1).view(6, 2, 1, 1)
    x = torch.randn(100, 2, 1, 1, generator=g)
    x = sample(toy.exact_eps(schedule, points), schedule, x, evenly(toy.T, toy.T), step="ddim")
    assert nearest(x, points).max() < 0.02


def test_the_toy_writes_a_film_and_a_field(tmp_path, monkeypatch, capsys):
    """As a person would call it, with their captions in the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toy, "WALK", 4)
    toy.main(["--steps", "2", "--seed", "1"])
    assert "wrote toy.gif and toy.png" in capsys.readouterr().out
    assert Image.open("toy.gif").n_frames == 5 and Image.open("toy.png").width > 1000
    for name in ("toy.gif", "toy.png"):
        assert "2 batches of 512 points, seed 1" in images.caption_of(name)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        toy.main(["--steps", "0"])
    with pytest.raises(ValueError, match="gamma must lie"):
        toy.main(["--gamma", "nan"])
