"""config.py: recipes, flags, and how a mistake is told."""

import dataclasses
import re

import pytest
import torch

from minidiff.config import (
    RECIPES,
    DigitFlags,
    GuidanceFlags,
    MeasureFlags,
    RunFlags,
    TrainConfig,
    UncondFlags,
    WalkFlags,
    main,
    parse,
    writable,
)


def test_the_full_recipes_are_the_courses():
    """SPEC 1.3, number by number."""
    full = TrainConfig(**RECIPES["uncond"]["full"])
    assert (full.width, full.batch_size, full.epochs, full.early_epoch) == (64, 128, 20, 5)
    assert (full.lr, full.decay, full.T, full.warmup) == (1e-3, "exponential", 300, 0)
    full = TrainConfig(**RECIPES["denoiser"]["full"])
    assert (full.width, full.batch_size, full.epochs, full.early_epoch) == (128, 256, 5, 1)
    assert (full.lr, full.decay, full.sigma) == (1e-4, "constant", 0.5)


def test_every_recipe_can_be_built():
    """No recipe names a field that does not exist or a value that is refused."""
    for recipes in RECIPES.values():
        assert set(recipes) == {"full", "laptop"}
        for recipe in recipes.values():
            assert dataclasses.asdict(TrainConfig(**recipe)).items() >= recipe.items()


def test_flags_are_fields_and_only_what_was_given_is_returned():
    """A recipe must not be overwritten by a default that nobody typed."""
    words = ["--lr", "0.01", "--early-epoch", "3", "--resume"]
    recipe, flags = parse([TrainConfig, RunFlags], words)
    assert recipe == {"lr": 0.01, "early_epoch": 3}
    assert flags == {"resume": True}
    assert parse([WalkFlags], ["--steps", "3", "--no-clip"]) == [{"steps": 3, "clip": False}]


@pytest.mark.parametrize(
    "words, told",
    [
        (["--sampler", "euler"], "'ddpm'.*'ddim'"),
        (["--steps", "many"], "--steps.*'many'"),
        (["--colour", "red"], "--colour"),
        (["--step", "3"], "--step"),  # no guessing from beginnings of words
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_names_itself(words, told, capsys):
    """argparse's own sentence, on stderr."""
    with pytest.raises(SystemExit) as stop:
        parse([WalkFlags], words)
    assert stop.value.code == 2
    assert re.search(told, capsys.readouterr().err)


@pytest.mark.parametrize(
    "cls, wrong",
    [
        (TrainConfig, {"width": 0}),
        (TrainConfig, {"epochs": 0}),
        (TrainConfig, {"batch_size": 1}),
        (TrainConfig, {"lr": float("nan")}),
        (TrainConfig, {"lr": -1.0}),
        (TrainConfig, {"decay": "cosine"}),
        (TrainConfig, {"seed": -1}),
        (UncondFlags, {"n": 0}),
        (MeasureFlags, {"n": 9}),
        (DigitFlags, {"digits": "12a"}),
        (DigitFlags, {"digits": ""}),
        (DigitFlags, {"digits": "٣"}),
        (DigitFlags, {"per_digit": 0}),
        (GuidanceFlags, {"gamma": float("nan")}),
        (GuidanceFlags, {"guide_until": 1.2}),
        (TrainConfig, {"p_uncond": 1.5}),
        (WalkFlags, {"steps": 0}),
        (WalkFlags, {"eta": 1.5}),
    ],
)
def test_values_out_of_range_are_refused(cls, wrong):
    """The message names the knob and the value."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=name.replace("_", "-")) as e:
        cls(**wrong)
    assert str(value) in str(e.value)


def _stop(error):
    def body():
        raise error

    with pytest.raises(SystemExit) as stop:
        main(body)
    return stop.value.code


def test_a_mistake_is_one_line_on_stderr_without_traceback(capsys, monkeypatch):
    """ValueError and OSError end with status 2; Ctrl-C with 130; memory says what to turn down."""
    monkeypatch.delenv("MINIDIFF_DEBUG", raising=False)
    for error, told in (
        (ValueError("two\n lines"), "minidiff: two lines\n"),
        (PermissionError(13, "Permission denied", "x.png"), "x.png"),
        (torch.OutOfMemoryError("CUDA"), "--batch-size"),
    ):
        assert _stop(error) == 2
        err = capsys.readouterr().err
        assert told in err and err.count("\n") == 1 and "Traceback" not in err
    assert _stop(KeyboardInterrupt()) == 130


def test_outputs_are_checked_before_the_work(tmp_path):
    """A wrong ending or a missing folder is told at once, not after an hour of sampling."""
    assert writable(tmp_path / "a.png", ".png") == tmp_path / "a.png"
    with pytest.raises(ValueError, match="should end in .png"):
        writable(tmp_path / "a.jpg", ".png")
    with pytest.raises(ValueError, match="does not exist"):
        writable(tmp_path / "no" / "a.png", ".png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        writable(tmp_path / "folder.png", ".png")
