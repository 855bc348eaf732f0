"""The options of all scripts: bounds, types, what they need; names that are hard to show."""

import dataclasses
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from PIL import Image

import sample
import train
from minidiff.files.images import caption_of, printable
from minidiff.models.options import OutputOptions, SampleOptions
from minidiff.system import cli
from minidiff.training.recipe import Recipe, RunOptions

ROOT = Path(__file__).parents[2]
DRAWN = ROOT / "figures" / "inputs" / "drawn-3.png"
GRADIO = {f"sample.play.{name}" for name in ("easel", "page", "serve")}  # an extra; no options
MODULES = [importlib.import_module(m.name)
           for room in (sample, train)
           for m in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
           if not m.ispkg and m.name not in GRADIO]
CLASSES = sorted({
    cls for module in MODULES for _, cls in inspect.getmembers(module, dataclasses.is_dataclass)
    if any("help" in f.metadata for f in dataclasses.fields(cls))
} | {Recipe, RunOptions, SampleOptions, OutputOptions}, key=lambda cls: cls.__name__)
NUMBERS = [(cls, f, kind) for cls in CLASSES for f in dataclasses.fields(cls)
           if (kind := typing.get_type_hints(cls)[f.name]) in (int, float)]


@pytest.mark.parametrize(("cls", "field", "kind"), NUMBERS,
                         ids=[f"{cls.__name__}.{f.name}" for cls, f, _ in NUMBERS])
def test_every_number_has_both_bounds_and_is_checked_by_its_class(cls, field, kind):
    """Below, above, infinite, not a number, another type: one sentence that names the option."""
    least, most = field.metadata["least"], field.metadata["most"]
    assert least is not None and most is not None and least <= field.default <= most < 2**63
    wrong = [least - 1, most + 1, float("nan"), float("inf"), -float("inf"), 2**70, "1", None]
    for value in wrong:
        with pytest.raises(ValueError, match=f"^{field.name.replace('_', '-')} must .*, got "):
            cls(**{field.name: value})


@pytest.mark.parametrize(("module", "words", "message"), [
    ("class_cond", ["--eta", "0"], "--eta has no effect without --sampler ddim;"),
    ("uncond", ["--sampler", "ddim", "--variance", "beta"], "without --sampler ddpm;"),
    ("class_cond", ["--upsample-steps", "5"], "without --upsample;"),
    ("sdedit", ["--upsample-level", "0.1"], "without --upsample;"),
    ("uncond", ["--upsample-gamma", "1"], "without --upsample;"),
    ("flow", ["--no-upsample-held"], "without --upsample;"),
    ("hybrid", ["--by", "motion", "--sigma", "1"], "without --by blur;"),
    ("hybrid", ["--length", "7"], "without --by motion;"),
    ("hybrid", ["--by", "motion", "--length", "57"], "less than twice the image's width of 28"),
    ("sdedit", ["--model", "uncond", "--gamma", "1"], "no use for --gamma"),
    ("inpaint", ["--model", "uncond", "--guide-until", "0"], "no use for --guide-until"),
    ("inpaint", ["--mask", ", ,"], "neither an image file nor"),
    ("denoise", ["--start", "30"], "start must be a step, 0 (noise) .. 20"),
    ("sdedit", ["--offload"], "no effect without --model deepfloyd"),
    ("measure.evaluate", ["--eta", "1"], "--eta has no effect without --sampler ddim;"),
])
def test_an_option_without_effect_is_refused_in_every_script(
    tmp_path, monkeypatch, command, module, words, message
):
    """Before the work, with exit status 2, and no file is written."""
    monkeypatch.chdir(tmp_path)
    status, err = command(f"sample.{module}", *words)
    assert status == 2 and message in err and "Traceback" not in err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("words", [
    ["--early-epoch", "99", "--epochs", "2"], ["--early-epoch", "3"],
])
def test_an_early_epoch_beyond_the_last_is_refused(tmp_path, monkeypatch, command, words):
    """Where it was typed; a recipe's own is not."""
    monkeypatch.chdir(tmp_path)
    status, err = command("train.uncond", "--recipe", "laptop", "--dataset", "strokes", *words)
    assert status == 2 and f"--early-epoch {words[1]} is beyond --epochs 2" in err


def test_no_default_is_refused():
    """Every class of options accepts its own defaults, and may be checked again."""
    for cls in CLASSES:
        cli.check(cls())


def test_what_a_caption_cannot_show_is_escaped():
    """Greek and accents are drawn; Chinese, emoji, other bytes and control characters are not."""
    assert printable("σ = 1, é, $x") == "σ = 1, é, $x"
    assert printable("三\udcff\U0001f98a\n") == "\\u4e09\\udcff\\U0001f98a\\n"


@pytest.mark.parametrize("name", ["三.png", b"\xff.png"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_that_is_hard_to_show_costs_no_work(tmp_path, name, locale):
    """Of the image and of every output, under a locale that lacks it too."""
    name = os.fsencode(name)
    own = os.fsencode(tmp_path) + b"/in-" + name
    with open(own, "wb") as f:
        f.write(DRAWN.read_bytes())
    words = [b"--image", own, b"--n", b"1", b"--steps", b"1", b"--start", b"0", b"--device", b"cpu",
             b"--out", name, b"--gif", name[:-3] + b"gif", b"--npz", name[:-3] + b"npz"]
    env = {**os.environ, "LC_ALL": locale, "PYTHONPATH": str(ROOT), "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-m", "sample.sdedit", *words], cwd=tmp_path, env=env,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    for end in ("png", "gif", "npz"):
        assert os.path.isfile(os.path.join(os.fsencode(tmp_path), name[:-3] + end.encode()))
    made = os.path.join(os.fsencode(tmp_path), name)
    with open(made, "rb") as f:
        assert Image.open(f).width > 50
    assert printable(os.fsdecode(b"in-" + name)) in caption_of(os.fsdecode(made))
