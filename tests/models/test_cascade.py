"""--upsample on the command line: checked before the work, captioned truly, each option counts."""

from importlib import import_module

import numpy as np
import pytest

import train.upsampler
from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.files import checkpoint, runs
from minidiff.files.images import caption_of
from minidiff.models.upsampler import Upsampler
from minidiff.models.zoo import load_model
from minidiff.network.unet import UNet
from minidiff.training.recipe import Recipe

SHORT = ["--steps", "3", "--device", "cpu", "--upsample", "--upsample-steps", "3"]
WORDS = {"class_cond": ["--digits", "3", "--per-digit", "2"], "uncond": ["--n", "2"],
         "hybrid": ["--n", "2"]}


def sampled(name, *words):
    """Call a script of sample/ with the second stage; return the images of its npz."""
    import_module(f"sample.{name}").main([*WORDS[name], *SHORT, "--npz", "c.npz", *words])
    return np.load("c.npz")["images"]


@pytest.mark.parametrize("name", WORDS)
def test_too_many_steps_of_the_second_stage_are_refused_before_the_first_samples(
    trained, monkeypatch, capsys, name
):
    """The upsampler of this folder has T = 20; the message names the flag, and nothing was
    generated."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match=r"upsample-steps must lie in 1\.\.20.*got 21"):
        sampled(name, "--upsample-steps", "21")
    assert "images in" not in capsys.readouterr().out
    assert sampled(name, "--upsample-steps", "20").shape == (2, 1, 56, 56)


@pytest.mark.parametrize("name", WORDS)
def test_a_damaged_second_stage_is_refused_before_the_first_samples(workplace, capsys, name):
    """The newest run of the upsampler cannot be read: no sampling time is lost."""
    folder = workplace / "runs" / "upsampler" / "001"
    folder.mkdir(parents=True)
    (folder / runs.LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        sampled(name)
    assert "images in" not in capsys.readouterr().out


def test_an_upsampler_must_be_one_and_have_a_T(trained, tmp_path):
    """As for every model: one sentence, not a KeyError; another kind is refused."""
    found = checkpoint.load(trained / "runs" / "upsampler" / "001" / runs.LAST)
    del found["config"]["T"], found["model"]
    checkpoint.save(tmp_path / "no-T.pt", found)
    with pytest.raises(ValueError, match="no-T.pt does not say how many steps T"):
        load_model(str(tmp_path / "no-T.pt"), kinds=("upsampler",))
    with pytest.raises(ValueError, match="holds a 'class' model, but 'upsampler' is needed"):
        load_model(str(trained / "runs" / "class" / "001"), kinds=("upsampler",))


@pytest.mark.parametrize("name", ["class_cond", "hybrid"])
def test_the_gifs_caption_describes_the_first_stage_only(trained, monkeypatch, name):
    """The PNG is the second stage's and its caption says so; the GIF is the first stage's."""
    monkeypatch.chdir(trained)
    sampled(name, "--out", "c.png", "--gif", "c.gif")
    large, film = caption_of("c.png"), caption_of("c.gif")
    assert large.startswith(film) and "upsampled" not in film and film
    assert "upsampled by upsampler (D=2)" in large and large.endswith("3 steps, level 0.1")


def test_the_second_stages_options_reach_image_and_caption(trained, monkeypatch):
    """--upsample-gamma and --no-upsample-held change the image, and the caption has them where they
    are not the default."""
    monkeypatch.chdir(trained)
    first = sampled("class_cond")
    guided = sampled("class_cond", "--upsample-gamma", "50", "--out", "c.png")
    assert caption_of("c.png").endswith("level 0.1, gamma 50")
    free = sampled("class_cond", "--no-upsample-held", "--out", "c.png")
    assert caption_of("c.png").endswith("level 0.1, free")
    assert (first != guided).any() and (first != free).any() and (guided != free).any()


@pytest.mark.parametrize(("cfg", "steps"), [(Recipe(T=20, sample_steps=3), 3), (Recipe(T=4), 4)])
def test_a_training_samples_with_as_many_steps_as_its_caption_says(tmp_path, cfg, steps):
    """sample_steps of the recipe, at most T."""
    network = UNet(2, time=2, classes=10, size=56, channels=(2, 1)).eval()
    calls = []
    network.register_forward_pre_hook(lambda network, args: calls.append(args[1]))
    test = Dataset("strokes", *strokes.dataset(10, seed=2, size=56))
    train.upsampler.draw(Upsampler(network, cfg.T), cfg, test,
                         lambda name: tmp_path / f"{name}.png", "test")
    assert len(calls) == steps
    assert caption_of(tmp_path / "upsampled.png").endswith(f"test; {steps} steps, seed 0")
