"""sample/generate.py and sample/examples.py: which value an option has, and what --help shows."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from minidiff.files import checkpoint, runs
from sample import generate
from sample.examples import EXAMPLES
from sample.prompts import CountOptions, DigitOptions

SHIPPED = {"class_cond": {"gamma": "1.6", "guide-until": "0.2", "steps": "20", "per-digit": "4"},
           "flow": {"gamma": "2.0", "guide-until": "0.5", "steps": "50", "digits": "0123456789"},
           "uncond": {"n": "40", "steps": "20"},
           "anagram": {"gamma": "6.0", "guide-until": "0.0", "prompts": "6 9", "n": "10"},
           "hybrid": {"gamma": "6.0", "low": "1", "high": "4", "sigma": "1.4"},
           "sdedit": {"gamma": "1.6", "n": "8"}, "inpaint": {"mask": "rows 14:28", "n": "8"},
           "denoise": {"n": "4", "steps": "20"}}
DEEPFLOYD = {"class_cond": {"gamma": "7.0", "steps": "100", "variance": "learned", "per-digit": "1",
                            "clip": "dynamic", "upsample-steps": "50", "upsample-held": "False"},
             "uncond": {"gamma": "1.0", "n": "4"}, "anagram": {"gamma": "7.0", "view": "vflip"},
             "hybrid": {"low": "a lithograph of a skull", "sigma": "2.0", "n": "4"},
             "inpaint": {"mask": "rows 2:20 columns 24:42"}}


def shown(name, capsys, *words):
    """Return what a script's --help gives as defaults, {flag: text}."""
    with pytest.raises(SystemExit) as stop:
        import_module(f"sample.{name}").main([*words, "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split("options:")[1].split())
    found = re.findall(r"--([a-z-]+)(?:, --no-[a-z-]+)? (?:(?!--).)*?\(default: ([^)]*)\)", text)
    return dict(found)


@pytest.mark.parametrize("name", SHIPPED)
def test_help_shows_the_values_that_will_be_used(workplace, capsys, name):
    """Those that suit the script's task, then the shipped model's, then the general ones."""
    found = shown(name, capsys)
    assert {flag: found[flag] for flag in SHIPPED[name]} == SHIPPED[name]


@pytest.mark.parametrize("name", DEEPFLOYD)
def test_help_shows_the_values_of_the_model_that_is_named(workplace, capsys, name):
    """DeepFloyd's are shown without its packages or its weights."""
    found = shown(name, capsys, "--model", "deepfloyd")
    assert {flag: found[flag] for flag in DEEPFLOYD[name]} == DEEPFLOYD[name]


def test_help_shows_the_guidance_of_the_users_own_checkpoint(trained, tmp_path, capsys):
    """A file's guidance is shown; a model without labels has none, even where the task suits 6."""
    found = checkpoint.load(trained / "runs" / "class" / "001" / runs.LAST)
    own = tmp_path / "own.pt"
    checkpoint.save(own, {**found, "guidance": {"gamma": 2.5, "guide_until": 0.4}})
    help = shown("class_cond", capsys, "--model", str(own))
    assert help["gamma"] == "2.5" and help["guide-until"] == "0.4"
    assert shown("class_cond", capsys, "--model", str(trained / "runs/class/001"))["gamma"] == "3.0"
    uncond = str(trained / "runs" / "uncond" / "001")
    assert shown("anagram", capsys, "--model", uncond)["gamma"] == "1.0"


def test_help_works_where_there_is_no_model(workplace, capsys):
    """It then shows the general defaults."""
    assert shown("class_cond", capsys, "--model", "nowhere.pt")["steps"] == "20"


def begun(script, *words, own=DigitOptions, kinds=("class",)):
    """Return the options that a script samples with."""
    return generate.begin(script, own, ["--device", "cpu", *words], "", kinds=kinds)


@pytest.mark.parametrize("words, expected", [
    ([], (20, 1.6, 0.2)), (["--gamma", "3"], (20, 3.0, 0.2)),
    (["--guide-until", "0.3", "--steps", "7"], (7, 1.6, 0.3)),
])
def test_a_typed_value_comes_before_the_models(workplace, words, expected):
    """Even one that equals the general default; the shipped model brings gamma 1.6 and 0.2."""
    options = begun("class_cond", *words).options
    assert (options.steps, options.gamma, options.guide_until) == expected


def test_a_tasks_value_comes_before_the_models(workplace):
    """An anagram needs gamma 6 at all steps; a typed value comes first."""
    found = [begun("anagram", *words, own=CountOptions).options.gamma
             for words in ([], ["--gamma", "2"])]
    assert found == [6.0, 2.0]


@pytest.mark.parametrize(("script", "own", "kinds", "words", "message"), [
    ("flow", DigitOptions, ("flow",), ["--eta", "0.5"], "'flow' model has no use for --eta;"),
    ("flow", DigitOptions, ("flow",), ["--sampler", "ddim", "--clip", "none"],
     "no use for --clip, --sampler;"),
    ("flow", DigitOptions, ("flow",), ["--model", "deepfloyd"], "deepfloyd is not a flow"),
    ("uncond", CountOptions, ("uncond",), ["--gamma", "1"], "a 'uncond' model has no use for "),
    ("uncond", CountOptions, ("uncond",), ["--guide-until", "0"], "no use for --guide-until"),
    ("class_cond", DigitOptions, ("class",), ["--model-dir", "x"], "effect without --model"),
    ("class_cond", DigitOptions, ("class",), ["--download"], "effect without --model"),
    ("class_cond", DigitOptions, ("class",), ["--model", "deepfloyd", "--precision", "bfloat16"],
     "float16 or float32; drop --precision"),
])
def test_an_option_that_the_model_has_no_use_for_is_refused(
    workplace, script, own, kinds, words, message
):
    """In one sentence that names it, before anything is sampled."""
    with pytest.raises(ValueError, match=message):
        begun(script, *words, own=own, kinds=kinds)


@pytest.mark.parametrize(("script", "kind"), EXAMPLES)
def test_every_example_is_a_flag_of_its_script(workplace, capsys, script, kind):
    """No value in the table is lost to a misspelt name, and the images exist."""
    values = EXAMPLES[script, kind]
    found = shown(script, capsys, *([] if kind == "digits" else ["--model", kind]))
    assert {name.replace("_", "-") for name in values} <= found.keys()
    assert Path(values.get("image", ".")).exists()
