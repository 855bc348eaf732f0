"""gallery.py: the walk the pictures show, and that each can be drawn."""

import torch
from PIL import Image

from minidiff import gallery
from minidiff.models import DigitModel
from minidiff.unet import UNet


def model(T=20):
    torch.manual_seed(0)
    return DigitModel(UNet(4, time=True).eval(), T)


def test_a_walk_starts_from_standard_noise_and_repeats_with_its_seed():
    """N(0, 1) at t = T; same seed, same path; steps + 1 states, ending at 0."""
    a, b, c = (list(gallery.walk(model(), 64, 5, seed=s)) for s in (1, 1, 2))
    assert [s.t for s in a] == [20, 16, 12, 8, 4, 0]
    assert abs(a[0].x_t.mean()) < 0.02 and abs(a[0].x_t.std() - 1) < 0.02
    assert all(torch.equal(x.x_t, y.x_t) for x, y in zip(a, b))
    assert not torch.equal(a[-1].x_t, c[-1].x_t)


def test_large_numbers_go_through_the_network_in_chunks_with_the_same_result(monkeypatch):
    """Chunks bound the memory and change nothing else."""
    (*_, whole) = gallery.walk(model(), 7, 3, seed=0)
    monkeypatch.setattr(gallery, "CHUNK", 2)
    (*_, parts) = gallery.walk(model(), 7, 3, seed=0)
    assert torch.allclose(whole.x_t, parts.x_t, atol=1e-5)


def test_samples_end_in_the_datas_range():
    """Clipping x_0_hat bounds the last state, for the last step returns it."""
    (*_, last) = gallery.walk(model(), 8, 4, seed=0)
    assert last.x_t.min() >= 0 and last.x_t.max() <= 1


def test_noise_levels_show_one_noise_grown(monkeypatch, tiny):
    """The same picture and the same noise at every sigma, the first clean."""
    drawn = {}

    def keep(path, images, *args, **kwargs):
        drawn["images"] = images

    monkeypatch.setattr(gallery, "save_grid", keep)
    x_0 = tiny.pictures(slice(0, 3))
    gallery.draw_noising("x.png", x_0, "")
    rows = drawn["images"].view(3, 7, 1, 28, 28)
    assert torch.equal(rows[:, 0], x_0)
    noise = (rows[:, 6] - x_0) / 1.0
    for k, sigma in enumerate(gallery.SIGMAS):
        assert torch.allclose(rows[:, k], x_0 + sigma * noise, atol=1e-5)
    assert abs(noise.std() - 1) < 0.05


def test_every_picture_can_be_drawn(tmp_path, tiny):
    """Files that open, each with its rows and columns."""
    x_0, denoiser = tiny.pictures(slice(0, 4)), torch.nn.Identity()
    states = list(gallery.walk(model(), 5, 4, seed=0))
    gallery.draw_noising(tmp_path / "a.png", x_0, "noise")
    gallery.draw_denoised(tmp_path / "b.png", denoiser, x_0, 0.5, "denoised")
    gallery.draw_levels(tmp_path / "c.png", denoiser, x_0[:1], "levels")
    gallery.draw_frames(tmp_path / "d.png", states, "frames")
    gallery.draw_gif(tmp_path / "e.gif", states, "film")
    assert Image.open(tmp_path / "e.gif").n_frames == 5
    for name in "abcd":
        assert Image.open(tmp_path / f"{name}.png").width > 200
