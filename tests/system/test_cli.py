"""cli.py: flags from dataclasses, and how a mistake is told."""

import dataclasses
import re

import pytest
import torch

from minidiff.models.options import SampleOptions
from minidiff.system.cli import flag, parse, program, writable
from minidiff.training.recipe import Recipe, RunOptions


def test_flags_are_fields_and_only_what_was_given_is_returned():
    """A recipe must not be overwritten by a default that nobody typed."""
    words = ["--lr", "0.01", "--early-epoch", "3", "--resume"]
    recipe, flags = parse([Recipe, RunOptions], words)
    assert recipe == {"lr": 0.01, "early_epoch": 3}
    assert flags == {"resume": True}
    assert parse([SampleOptions], ["--steps", "3", "--clip", "none"]) == [{"steps": 3, "clip": "none"}]


@dataclasses.dataclass
class _Several:
    words: tuple[str, ...] = flag(("a",), "one or more")


def test_a_flag_may_take_several_words():
    """A field that is a tuple: one word or more; none is an error."""
    assert parse([_Several], ["--words", "6", "9"]) == [{"words": ["6", "9"]}]
    with pytest.raises(SystemExit):
        parse([_Several], ["--words"])


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
        parse([SampleOptions], words)
    assert stop.value.code == 2
    assert re.search(told, capsys.readouterr().err)


def _stop(error):
    def body():
        raise error

    with pytest.raises(SystemExit) as stop:
        program(body)
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


def test_a_program_keeps_its_memory(monkeypatch):
    """Asked of the C library before the work begins."""
    order = []
    monkeypatch.setattr("minidiff.system.hardware.keep_memory", lambda: order.append("kept"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    program(lambda: order.append("work"))
    assert order == ["kept", "work"]


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
