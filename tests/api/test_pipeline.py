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


@pytest.mark.parametrize(("prompts", "message"), [
    ([3], "a prompt is a text, such as '3', got 3"), ([None], "a prompt is a text"),
    (np.array([3]), "a prompt is a text"), (2.0, "a prompt is a text"),
    (True, "a prompt is a text"),
    ([], "nothing to generate"), (0, "nothing to generate"), (-1, "nothing to generate"),
])
def test_prompts_are_texts_or_a_number_of_images(prompts, message):
    """Anything else is one sentence."""
    with pytest.raises(ValueError, match=message):
        minidiff.load("class", "cpu").sample(prompts, steps=2)


def test_numbers_of_numpy_are_numbers():
    """As a count, as a seed, as steps, as gamma."""
    model = minidiff.load("class", "cpu")
    ours = model.sample(2, steps=2, seed=5, gamma=2.0, progress=False)
    theirs = model.sample(np.int64(2), steps=np.int32(2), seed=np.uint8(5), gamma=np.float64(2),
                          progress=False)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("options", "message"), [
    ({"eta": 0.5}, "^eta has no effect without sampler ddim; add that, or drop eta$"),
    ({"sampler": "ddim", "variance": "beta"}, "variance has no effect without sampler ddpm"),
])
def test_options_without_effect_are_refused(options, message):
    """As on the command line."""
    with pytest.raises(ValueError, match=message):
        minidiff.load("class", "cpu").sample("3", steps=2, **options)


def test_the_second_stage_is_that_of_the_scripts(workplace):
    """The same pixels; a model of other data has none."""
    sample_class(["--digits", "3", "--per-digit", "1", "--steps", "2", "--device", "cpu", "--npz",
                  "s.npz", "--upsample", "--upsample-steps", "2"])
    model = minidiff.load("class", "cpu")
    images = model.sample("3", steps=2, progress=False)
    large = model.upsample(images.numpy(), "3", steps=2)
    assert torch.equal(large.clamp(0, 1), torch.from_numpy(np.load("s.npz")["images"]))
    for wrong, message in (((images, ["3", "4"]), "N prompts"), ((images[0],), "expected images")):
        with pytest.raises(ValueError, match=message):
            model.upsample(*wrong)
    with pytest.raises(ValueError, match="upsampling has no option step;"):
        model.upsample(images, step=2)
    own = minidiff.train(torch.rand(8, 8, 8), epochs=1, width=2, device="cpu").model
    with pytest.raises(ValueError, match="second stage was trained on strokes, the model on own"):
        own.upsample(torch.rand(1, 1, 8, 8))


def test_what_is_shown_may_have_any_form():
    """Arrays, one image, lists, bytes; else one sentence."""
    x = torch.rand(1, 1, 8, 8)
    expected = np.asarray(minidiff.show(x))
    for form in (x.numpy(), x[0], x[0, 0], [x[0]], (255 * x).round().byte(), x[0].numpy()):
        assert abs(np.asarray(minidiff.show(form)).astype(int) - expected).max() <= 1
    assert minidiff.show(np.zeros((2, 8, 8, 3))).mode == "RGB"
    for wrong in (None, torch.rand(1, 5, 8, 8), torch.rand(0, 1, 8, 8)):
        with pytest.raises(ValueError, match="images"):
            minidiff.show(wrong)


def test_a_model_moves_to_a_device_that_is_there(tmp_path):
    """And is saved only where a file can be."""
    model = minidiff.load("class", "cpu")
    found = [m.sample("3", steps=2, progress=False) for m in (model, model.to("cpu"))]
    assert torch.equal(*found)
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        model.to("tpu")
    with pytest.raises(ValueError, match="the folder of .* does not exist"):
        model.save(tmp_path / "none" / "mine.pt")
