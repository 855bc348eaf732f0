"""gallery.py: the walk the pictures show, and that each can be drawn."""

import torch
from PIL import Image

from minidiff.evaluation import gallery
from minidiff.models import generate
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from tests.conftest import attentive


def model(T=20):
    torch.manual_seed(0)
    return NoiseModel(UNet(4, time=True).eval(), T)


def test_noise_levels_show_one_noise_grown(monkeypatch, tiny):
    """The same picture and the same noise at every sigma, the first clean."""
    drawn = {}

    def keep(path, images, *args, **kwargs):
        drawn["images"] = images

    monkeypatch.setattr(gallery, "save_grid", keep)
    x_0 = tiny.images_at(slice(0, 3))
    gallery.draw_noising("x.png", x_0, "")
    rows = drawn["images"].view(3, 7, 1, 28, 28)
    assert torch.equal(rows[:, 0], x_0)
    noise = (rows[:, 6] - x_0) / 1.0
    for k, sigma in enumerate(gallery.SIGMAS):
        assert torch.allclose(rows[:, k], x_0 + sigma * noise, atol=1e-5)
    assert abs(noise.std() - 1) < 0.05


def test_every_picture_can_be_drawn(tmp_path, tiny):
    """Files that open, each with its rows and columns."""
    x_0, denoiser = tiny.images_at(slice(0, 4)), torch.nn.Identity()
    states = list(generate.generate(model(), [""] * 5, 4, 0))
    gallery.draw_noising(tmp_path / "a.png", x_0, "noise")
    gallery.draw_denoised(tmp_path / "b.png", denoiser, x_0, 0.5, "denoised")
    gallery.draw_levels(tmp_path / "c.png", denoiser, x_0[:1], "levels")
    gallery.draw_trajectories(tmp_path / "d.png", states, "frames")
    gallery.draw_gif(tmp_path / "e.gif", states, "film")
    asked = NoiseModel(UNet(4, time=True, classes=10).eval(), 20)
    gallery.draw_guidance(tmp_path / "f.png", asked, 3, "guidance")
    assert Image.open(tmp_path / "e.gif").n_frames == 5
    for name in "abcdf":
        assert Image.open(tmp_path / f"{name}.png").width > 200


def test_a_grid_asks_for_every_digit_or_for_nothing():
    """Columns 0 to 9 where the model has classes, the null prompt elsewhere."""
    asked = NoiseModel(UNet(2, time=True, classes=10).eval(), 20)
    assert gallery.grid_prompts(asked, 2) == list("01234567890123456789")
    assert gallery.grid_prompts(model(), 1) == [""] * 10


def test_rows_of_guidance_share_their_noise(monkeypatch, tmp_path):
    """Equal gammas give equal rows, other gammas others."""
    drawn = {}
    monkeypatch.setattr(gallery, "save_grid", lambda path, images, *rest: drawn.update(x=images))
    asked = attentive(20)
    gallery.draw_guidance(tmp_path / "g.png", asked, 3, "", gammas=(2, 2, 5))
    rows = drawn["x"].view(3, 10, 1, 28, 28)
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0], rows[2])
