"""Every option reaches what it is for: each field of the dataclasses that are flags is changed, and
the result, the file or the call that it is for changes with it."""

import dataclasses
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sample
from minidiff.files import images
from minidiff.models import zoo
from minidiff.models.options import LARGE, OutputOptions, SampleOptions
from minidiff.system import hardware
from minidiff.theory import samplers
from minidiff.theory.schedule import linear
from sample.anagram import TURN
from tests import replay
from tests.replay import close, models

__all__ = ["models"]  # a fixture
INPUTS = Path(__file__).parent.parent / "figures" / "inputs"
IMAGE = ["--image", str(INPUTS / "drawn-3.png"), "--n", "2"]
SCRIPTS = {  # script: the words of its first call
    "class_cond": ["--digits", "35", "--per-digit", "1"], "uncond": ["--n", "2"],
    "flow": ["--digits", "35", "--per-digit", "1"],
    "doodles": ["--prompts", "a red ship", "--per-prompt", "1"],
    "sdedit": [*IMAGE, "--prompt", "8", "--start", "1"],
    "denoise": [*IMAGE, "--prompt", "8", "--start", "1"],
    "inpaint": [*IMAGE, "--prompt", "8", "--resample", "2", "--mask", "rows 3:20"],
    "interpolate": [*IMAGE, "--prompt", "8"],
    "anagram": ["--prompts", "6", "2", "--n", "2"], "hybrid": ["--low", "6", "--high", "2",
                                                              "--n", "2"],
}
COMMON = ["--steps", "4", "--gamma", "4", "--guide-until", "0.3", "--device", "cpu", "--out",
          "o.png", "--npz", "o.npz"]
DDIM = ["--sampler", "ddim", "--eta", "0.6"]
SAMPLED = {  # field of SampleOptions: words that change it; a second list is the first call's
    "model": (["--model", "runs/{kind}/001/weights-epoch-01.pt"],), "steps": (["--steps", "5"],),
    "gamma": (["--gamma", "3"],), "guide_until": (["--guide-until", "0.8"],),
    "negative": (["--negative", "{negative}"],), "sampler": (["--sampler", "heun"],),
    "variance": (["--variance", "beta"],),
    "eta": ([*DDIM[:-1], "0.5"], DDIM), "clip": (["--clip", "none"],),
    "seed": (["--seed", "7"],), "precision": (["--precision", "bfloat16"],),
}
SPIED = {"device", *LARGE}  # fields of SampleOptions that change no pixel of a digit model
WRITTEN = {"out": "p.png", "gif": "p.gif", "npz": "p.npz"}
UPSAMPLED = {  # further fields of OutputOptions, with --upsample
    "upsample": [], "upsample_steps": ["--upsample-steps", "3"],
    "upsample_level": ["--upsample-level", "0.4"], "upsample_gamma": ["--upsample-gamma", "5"],
    "upsample_held": ["--no-upsample-held"],
}
OWN = {  # script: {field: words that change it; a second list is the first call's}
    "class_cond": {"digits": (["--digits", "36"],), "per_digit": (["--per-digit", "2"],),
                   "prompts": (["--prompts", "7", "3"], ["--prompts", "7", "4"])},
    "uncond": {"n": (["--n", "3"],)},
    "doodles": {"prompts": (["--prompts", "a blue ship"],), "per_prompt": (["--per-prompt", "2"],)},
    "sdedit": {"prompt": (["--prompt", "3"],), "start": (["--start", "2"],),
               "strength": (["--start", "0.4", "--strength", "0.3"],), "n": (["--n", "3"],)},
    "inpaint": {"invert_mask": (["--invert-mask"],), "prompt": (["--prompt", "3"],),
                "mask": (["--mask", "rows 3:21"],),
                "resample": (["--resample", "3"],), "n": (["--n", "3"],)},
    "interpolate": {"prompt": (["--prompt", "3"],), "n": (["--n", "3"],),
                    "to": (["--to", str(INPUTS / "drawn-spiral.png")],)},
    "anagram": {"prompts": (["--prompts", "6", "3"],), "view": (["--view", "vflip"],),
                "n": (["--n", "3"],)},
    "hybrid": {"far": (["--far", "4"],), "low": (["--low", "5"],),
               "high": (["--high", "5"],), "n": (["--n", "3"],),
               "by": (["--by", "motion"],), "sigma": (["--sigma", "1.2"],),
               "length": (["--by", "motion", "--length", "5"], ["--by", "motion"])},
}
OWN["denoise"], OWN["flow"] = OWN["sdedit"], OWN["class_cond"]
WIDE = {"image": (["--image", str(INPUTS / "drawn-spiral.png")],), "invert": (["--no-invert"],),
        "fit": (["--image", "wide.png", "--fit", "pad"], ["--image", "wide.png"])}
for edit in ("sdedit", "denoise", "inpaint", "interpolate"):
    OWN[edit] = {**OWN[edit], **WIDE}
ELSEWHERE = {"ToyOptions"}  # its figures are those of points: tests/sample/test_toy.py


@pytest.fixture
def result(models, monkeypatch):
    """Call a script in the folder of models; return the images of its npz and of its PNG."""
    monkeypatch.chdir(models)
    Image.open(INPUTS / "drawn-3.png").resize((280, 100)).save("wide.png")
    grids = []
    monkeypatch.setattr(images, "save_grid", lambda path, x, *args, **kwargs: grids.append(x))

    def call(script, *words):
        call_script(script, *words)
        return torch.from_numpy(np.load("o.npz")["images"]), grids[-1]

    def first(script, *words):
        if (script, words) not in FIRST:
            FIRST[script, words] = call(script, *words)
        return FIRST[script, words]

    call.first = first
    return call


FIRST = {}  # results of first calls


def call_script(script, *words):
    """Call a script with its first words and others."""
    common, own = COMMON, SCRIPTS[script]
    if script == "uncond":
        common = COMMON[:2] + COMMON[6:]  # without guidance
    if "--prompts" in words and "--digits" in own:
        own = own[2:]
    importlib.import_module(f"sample.{script}").main([*own, *common, *words])


def differ(a, b):
    """Return whether two results differ in shape or in a pixel of the npz or of the PNG."""
    return any(x.shape != y.shape or not torch.equal(x, y) for x, y in zip(a, b))


def fields(cls):
    """Return the names of a dataclass's fields."""
    return {f.name for f in dataclasses.fields(cls)}


def test_every_option_of_every_sampling_script_is_here():
    """A new field or a new class of options is entered in a table, or nothing changes it."""
    assert fields(SampleOptions) == SAMPLED.keys() | SPIED
    assert fields(OutputOptions) == WRITTEN.keys() | UPSAMPLED.keys()
    found = {}
    for name in (m.name for m in pkgutil.iter_modules(sample.__path__) if not m.ispkg):
        module = importlib.import_module(f"sample.{name}")
        found |= {cls.__name__: fields(cls) for cls in vars(module).values()
                  if dataclasses.is_dataclass(cls) and cls.__module__ == module.__name__}
    tables = [OWN[name].keys() - WIDE.keys() for name in OWN] + [WIDE.keys()]
    assert all(found[name] in tables for name in found.keys() - ELSEWHERE)
    assert OWN.keys() == SCRIPTS.keys()


CASES = [(script, name) for script in SCRIPTS for name in SAMPLED
         if not (script == "uncond" and name in ("gamma", "guide_until", "negative"))
         and not (script == "flow" and name in ("sampler", "variance", "eta", "clip"))
         and not (script == "interpolate" and name in ("variance", "eta", "seed"))]  # no noise


@pytest.mark.parametrize("script, name", CASES)
def test_every_option_of_sampling_changes_the_image(result, script, name):
    """In every script that samples."""
    words, *before = SAMPLED[name]
    kind = script if script in ("uncond", "flow", "doodles") else "class"
    negative = "a dog" if kind == "doodles" else "1"
    words = [word.format(kind=kind, negative=negative) for word in words]
    assert differ(result.first(script, *(before[0] if before else [])), result(script, *words))


@pytest.mark.parametrize("script, name", [(script, name) for script in OWN for name in OWN[script]])
def test_every_option_of_a_script_changes_the_image(result, script, name):
    """Its prompts, image, mask, view, filter, start, and how many."""
    words, *before = OWN[script][name]
    assert differ(result.first(script, *(before[0] if before else [])), result(script, *words))


@pytest.mark.parametrize("name", UPSAMPLED)
def test_every_option_of_the_second_stage_changes_the_image(result, name):
    """Its steps, noise, guidance, consistency, and whether it is used."""
    words = ["--upsample", "--upsample-steps", "2"]
    before = [] if name == "upsample" else words
    after = ["--upsample"] if name == "upsample" else [*words, *UPSAMPLED[name]]
    assert differ(result.first("class_cond", *before), result("class_cond", *after))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_file_is_written_where_it_is_named(models, tmp_path, monkeypatch, script):
    """PNG, GIF and npz, each only where it is asked for."""
    monkeypatch.chdir(models)
    place = {name: tmp_path / file for name, file in WRITTEN.items()}
    call_script(script, *(word for name in place for word in (f"--{name}", str(place[name]))))
    assert all(file.stat().st_size > 500 for file in place.values())
    frames = 5 - (script in ("sdedit", "denoise")) + (TURN if script == "anagram" else 0)
    assert Image.open(place["gif"]).n_frames == frames
    assert Image.open(place["out"]).format == "PNG" and "images" in np.load(place["npz"])


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_device_is_the_one_that_was_named(result, monkeypatch, script):
    """It is asked for by its name, and the model is on it."""
    asked, pick, load = [], hardware.pick_device, zoo.load_model
    monkeypatch.setattr(hardware, "pick_device", lambda name: asked.append(name) or pick("cpu"))
    placed = []
    monkeypatch.setattr(zoo, "load_model", lambda place, device, *args, **more:
                        placed.append(device) or load(place, device, *args, **more))
    result(script, "--device", "mps")
    assert set(asked) == {"mps"} and placed == [torch.device("cpu")]


@pytest.mark.parametrize("name", LARGE)
def test_options_of_deepfloyd_reach_its_loader(result, monkeypatch, name):
    """The loader is called with what was typed."""
    from minidiff.models.deepfloyd import stages

    class Reached(Exception):
        """The loader was called."""

    def load(*args, **options):
        raise Reached(options[name])

    monkeypatch.setattr(stages, "load", load)
    typed = {"model_dir": "here", "embeddings": "e.pth"}.get(name, True)
    words = [f"--{name.replace('_', '-')}", *([typed] if typed is not True else [])]
    with pytest.raises(Reached, match=str(typed)):
        importlib.import_module("sample.sdedit").main(["--model", "deepfloyd", *words])


@pytest.mark.parametrize("eta", [0.3, 0.6])
def test_eta_is_what_the_sampler_is_called_with(result, eta):
    """The image is the one that ddim_step gives for exactly this eta, and for no other."""
    x, _ = result("class_cond", "--sampler", "ddim", "--eta", str(eta), "--seed", "2")
    said = {"sampler": "ddim", "clip": True, "steps": 4, "seed": 2, "gamma": 4.0, "share": 0.3}
    model = zoo.load_model("class")
    for other in (0.3, 0.6, 0.0):
        *_, last = replay.sampled(model, {**said, "eta": other}, "35")
        assert close(x, last.clamp(0, 1)) == (other == eta)


@pytest.mark.parametrize("eta", [0.0, 0.3, 0.6, 1.0])
def test_eta_is_squared_in_the_variance(eta):
    """DDIM (12), (16), written out: sigma = eta sqrt(beta_tilde) is added and taken from eps."""
    schedule, (t, s) = linear(20), (15, 9)
    x_t, eps_hat = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    z = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(2))
    a, b = schedule.alpha_bar[t].item(), schedule.alpha_bar[s].item()
    sigma = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
    x_0_hat = (x_t - (1 - a) ** 0.5 * eps_hat) / a**0.5
    expected = b**0.5 * x_0_hat + (1 - b - sigma**2) ** 0.5 * eps_hat + sigma * z
    found, predicted = samplers.ddim_step(schedule, x_t, t, s, eps_hat, eta=eta,
                                          generator=torch.Generator().manual_seed(2))
    assert torch.allclose(found, expected, atol=1e-5) and torch.allclose(predicted, x_0_hat)
