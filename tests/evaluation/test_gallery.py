"""gallery.py: what the figures show, and that each can be drawn."""

import torch
from PIL import Image

from minidiff.evaluation import gallery
from minidiff.files.images import caption_of
from minidiff.models.generate import generate
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from tests.conftest import attentive


def model(T=20):
    torch.manual_seed(0)
    return NoiseModel(UNet(4, time=True).eval(), T)


def test_noise_levels_show_the_same_noise_scaled(monkeypatch, tiny):
    """The same image and the same noise at every sigma; the first is clean."""
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


def test_every_figure_can_be_drawn(tmp_path, tiny):
    """Files that open, each with its caption."""
    x_0, denoiser = tiny.images_at(slice(0, 4)), torch.nn.Identity()
    states = list(generate(model(), [""] * 5, steps=4))
    gallery.draw_noising(tmp_path / "a.png", x_0, "noise")
    gallery.draw_denoised(tmp_path / "b.png", denoiser, x_0, 0.5, "denoised")
    gallery.draw_levels(tmp_path / "c.png", denoiser, x_0[:1], "levels")
    gallery.draw_trajectories(tmp_path / "d.png", states, "frames")
    gallery.draw_gif(tmp_path / "e.gif", states, "film")
    conditioned = NoiseModel(UNet(4, time=True, classes=10).eval(), 20)
    gallery.draw_guidance(tmp_path / "f.png", conditioned, 3, "guidance")
    assert Image.open(tmp_path / "e.gif").n_frames == 5
    for name, caption in zip("abcdf", ("noise", "denoised", "levels", "frames", "prompts 0 to 9")):
        assert Image.open(tmp_path / f"{name}.png").width > 200
        assert caption_of(tmp_path / f"{name}.png").startswith(caption)


def test_a_models_figures_show_its_samples_and_their_settings(tmp_path):
    """The states returned are those of `generate` with the options in the caption; both files carry
    them."""
    conditioned = attentive(20)
    states, caption = gallery.draw_model(
        lambda name: tmp_path / f"{name}.png", conditioned, "a model", steps=3, seed=5, gamma=2.0
    )
    assert [s.t for s in states] == [20, 13, 7, 0] and len(states[-1].x_t) == 40
    assert "a model; ddpm (beta_tilde), 3 steps, seed 5, gamma 2" in caption
    *_, last = generate(conditioned, gallery.grid_prompts(conditioned), steps=3, seed=5, gamma=2.0,
                        guide_until=0.3, kind="beta_tilde")
    assert torch.equal(last.x_t, states[-1].x_t)
    for name in ("samples", "frames"):
        assert caption_of(tmp_path / f"{name}.png").endswith(caption)


def test_a_grid_has_every_digit_or_null_prompts():
    """Columns 0 to 9 where the model has classes, else the null prompt."""
    conditioned = NoiseModel(UNet(2, time=True, classes=10).eval(), 20)
    assert gallery.grid_prompts(conditioned, 2) == list("01234567890123456789")
    assert gallery.grid_prompts(model(), 1) == [""] * 10


def test_rows_of_guidance_share_their_noise(monkeypatch, tmp_path):
    """Equal gammas give equal rows; different gammas, different rows."""
    drawn = {}
    monkeypatch.setattr(gallery, "save_grid", lambda path, images, *rest: drawn.update(x=images))
    gallery.draw_guidance(tmp_path / "g.png", attentive(20), 3, "", gammas=(2, 2, 5))
    rows = drawn["x"].view(3, 10, 1, 28, 28)
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0], rows[2])
