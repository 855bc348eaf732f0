"""pipeline.py: models from Python, with the pixels and defaults of the scripts."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch

import minidiff
from sample.class_cond import main as sample_class
from sample.flow import main as sample_flow
from sample.uncond import main as sample_uncond
from tests.test_house import ROOT


@pytest.mark.parametrize(("kind", "main", "words", "prompts", "options"), [
    ("class", sample_class, ["--digits", "38", "--per-digit", "1"], ["3", "8"], {}),
    ("class", sample_class, ["--prompts", "3", "", "--per-digit", "1", "--sampler", "ddim"],
     ["3", ""], {"sampler": "ddim", "seed": 3, "gamma": 2.0}),
    ("uncond", sample_uncond, ["--n", "2"], 2, {"variance": "beta"}),
    ("flow", sample_flow, ["--digits", "7", "--per-digit", "1"], "7", {"guide_until": 0.0}),
])
def test_samples_are_those_of_the_scripts(workplace, kind, main, words, prompts, options):
    """The same defaults and the same seed: the same pixels, bit for bit."""
    flags = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    main([*words, *flags[2 * ("--sampler" in words):], "--steps", "3", "--device", "cpu",
          "--npz", "s.npz"])
    images = minidiff.load(kind, "cpu").sample(prompts, steps=3, progress=False, **options)
    assert images.dtype == torch.float32 and images.shape[1:] == (1, 28, 28)
    assert torch.equal(images, torch.from_numpy(np.load("s.npz")["images"]))


def test_states_can_be_followed(capsys):
    """As a generator and by a callback; there is a bar unless it is switched off."""
    model, seen = minidiff.load("class", device="cpu"), []
    states = list(model.states("3", steps=2))
    images = model.sample("3", steps=2, callback=seen.append)
    assert [s.t for s in states] == [s.t for s in seen] and len(states) == 3
    assert torch.equal(states[-1].x_t.clamp(0, 1), images)
    assert "3/3" in capsys.readouterr().err
    model.sample("3", steps=1, progress=False)
    assert not capsys.readouterr().err


def test_what_does_not_fit_is_one_sentence():
    """Prompts, options of another model, values, places, devices."""
    model, flow = minidiff.load("class", device="cpu"), minidiff.load("flow", device="cpu")
    uncond = minidiff.load("uncond", device="cpu")
    for call, message in (
        (lambda: model.sample("x"), "unknown prompt 'x'"),
        (lambda: model.sample("3", step=3), "no option step; there are steps, gamma"),
        (lambda: flow.sample("3", eta=0.5), "no option eta; there are steps, gamma, guide"),
        (lambda: uncond.sample(1, gamma=2.0), "no option gamma"),
        (lambda: uncond.sample(["3"]), "'3'"),
        (lambda: model.sample("3", steps=0), "steps must lie in 1..10,000"),
        (lambda: minidiff.load("nothing.pt"), "no checkpoint nothing.pt"),
        (lambda: minidiff.load(device="tpu"), "unknown device 'tpu'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_saved_model_is_the_same_model(tmp_path):
    """It needs nothing but the file, and says what it is."""
    model = minidiff.load("class", device="cpu")
    model.save(tmp_path / "mine.pt")
    again = minidiff.load(tmp_path / "mine.pt", torch.device("cpu"))
    pixels = [m.sample(["3"], steps=2, progress=False) for m in (model, again)]
    assert torch.equal(*pixels) and again.defaults == model.defaults
    assert "class (D=" in repr(again) and copy.copy(again).kind == "class"


def test_it_is_a_model_for_every_function_of_the_library():
    """What it lacks it has from the model; it predicts noise when it is called."""
    model = minidiff.load("class", device="cpu")
    *_, last = minidiff.generate(model, ["3"], steps=2, **model.options().guidance)
    assert torch.equal(last.x_t.clamp(0, 1), model.sample("3", steps=2, progress=False))
    assert last.x_t.shape == (1, 1, 28, 28)
    assert model(last.x_t, torch.tensor([9]), model.embed(["3"])).shape == last.x_t.shape


def test_a_grid_is_shown_from_memory():
    """Rows of grey or coloured images, larger on the screen if they are small."""
    found = minidiff.show(torch.rand(12, 1, 28, 28))
    assert found.size == (2 * (10 * 30 + 2), 2 * (2 * 30 + 2)) and found.mode == "L"
    assert minidiff.show(torch.rand(3, 32, 32)).size == (36, 36)
    assert minidiff.show(torch.rand(4, 3, 32, 32), columns=2, scale=3).size == (210, 210)
    one = np.asarray(minidiff.show(torch.ones(1, 1, 4, 4), scale=1))
    assert (one[2:6, 2:6] == 255).all() and (one[0] == 128).all()


def test_importing_and_sampling_load_no_matplotlib():
    """It is imported when something is shown; torch when something is used."""
    code = """
import sys, minidiff
assert "torch" not in sys.modules and "load" in dir(minidiff)
minidiff.load("class", "cpu").sample("3", steps=1)
minidiff.train
assert "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
