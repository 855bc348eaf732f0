"""--upsample on the command line: checked before the work, told truly, each flag of it heard."""

from importlib import import_module

import numpy as np
import pytest

import train.upsampler
from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.files import checkpoint, runs
from minidiff.files.images import caption_of
from minidiff.models import upsampler
from minidiff.network.unet import UNet
from minidiff.training.recipe import Recipe

SHORT = ["--steps", "3", "--device", "cpu", "--upsample", "--upsample-steps", "3"]
WORDS = {"class_cond": ["--digits", "3", "--per-digit", "2"], "uncond": ["--n", "2"],
         "hybrid": ["--n", "2"]}


def called(name, *words):
    """Call a script of sample/ with the second stage; return the images of its npz."""
    import_module(f"sample.{name}").main([*WORDS[name], *SHORT, "--npz", "c.npz", *words])
    return np.load("c.npz")["images"]


@pytest.mark.parametrize("name", WORDS)
def test_too_many_steps_of_it_are_refused_before_the_first_stage_draws(
    trained, monkeypatch, capsys, name
):
    """The upsampler of this folder has T = 20; the sentence names the flag, and nothing was
    drawn."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match=r"upsample-steps must lie in 1\.\.20.*got 21"):
        called(name, "--upsample-steps", "21")
    assert "drew" not in capsys.readouterr().out
    assert called(name, "--upsample-steps", "20").shape == (2, 1, 56, 56)


@pytest.mark.parametrize("name", WORDS)
def test_a_broken_second_stage_is_refused_before_the_first_draws(workplace, capsys, name):
    """A damaged newest run of upsampler: no picture is lost to it."""
    folder = workplace / "runs" / "upsampler" / "001"
    folder.mkdir(parents=True)
    (folder / runs.LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        called(name)
    assert "drew" not in capsys.readouterr().out


def test_an_upsampler_must_tell_its_T_and_be_one(trained, tmp_path):
    """As every model: a sentence, not a KeyError; and another kind is none."""
    found = checkpoint.load(trained / "runs" / "upsampler" / "001" / runs.LAST)
    del found["config"]["T"]
    checkpoint.save(tmp_path / "no-T.pt", found)
    with pytest.raises(ValueError, match="no-T.pt does not tell its model's number of steps T"):
        upsampler.load(str(tmp_path / "no-T.pt"))
    with pytest.raises(ValueError, match="holds a 'class' model, but 'upsampler' is wanted"):
        upsampler.load(str(trained / "runs" / "class" / "001"))


@pytest.mark.parametrize("name", ["class_cond", "hybrid"])
def test_the_films_caption_tells_of_the_first_stage_only(trained, monkeypatch, name):
    """The PNG is the second stage's and says so, the GIF is not and does not."""
    monkeypatch.chdir(trained)
    called(name, "--out", "c.png", "--gif", "c.gif")
    large, film = caption_of("c.png"), caption_of("c.gif")
    assert large.startswith(film) and "upsampled" not in film and film
    assert "upsampled by upsampler (D=2)" in large and large.endswith("3 steps, level 0.1")


def test_its_guidance_and_freedom_reach_picture_and_caption(trained, monkeypatch):
    """--upsample-gamma and --no-upsample-held change the picture, and are told where they are not
    the default."""
    monkeypatch.chdir(trained)
    plain = called("class_cond")
    guided = called("class_cond", "--upsample-gamma", "50", "--out", "c.png")
    assert caption_of("c.png").endswith("level 0.1, gamma 50")
    free = called("class_cond", "--no-upsample-held", "--out", "c.png")
    assert caption_of("c.png").endswith("level 0.1, free")
    assert (plain != guided).any() and (plain != free).any() and (guided != free).any()


def test_a_training_draws_with_as_many_steps_as_it_tells(tmp_path):
    """sample_steps of the recipe, at most T."""
    network = UNet(2, time=2, classes=10, size=56, channels=(2, 1)).eval()
    asked = []
    network.register_forward_pre_hook(lambda network, args: asked.append(args[1]))
    test = Dataset("strokes", *strokes.dataset(10, seed=2, size=56))
    for cfg, steps in ((Recipe(T=20, sample_steps=3), 3), (Recipe(T=4), 4)):
        asked.clear()
        train.upsampler.draw(network, cfg, test, lambda name: tmp_path / f"{name}.png", "told")
        assert len(asked) == steps
        assert caption_of(tmp_path / "upsampled.png").endswith(f"told; {steps} steps, seed 0")
