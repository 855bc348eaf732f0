"""cli.py: flags from dataclasses, one rule for their values, and how a user error is reported."""

import dataclasses
import re
import signal

import pytest
import torch

from minidiff.models.options import SampleOptions
from minidiff.system.cli import at_least, check_seed, flag, parse, program, writable
from minidiff.training.recipe import Recipe, RunOptions


@dataclasses.dataclass
class Paint:
    """Options of these tests."""

    width: int = flag(3, "of the brush, 100% of it")
    colour: str = flag("red", "of the paint", ("red", "blue"))
    words: tuple[str, ...] = flag(("a", "b"), "one or more")
    film: str = flag("", "a film", bare="film.gif")


def test_flags_are_fields_and_the_typed_names_are_returned():
    """One instance of each class, in order; underscores become hyphens; booleans have a --no-."""
    words = ["--lr", "0.01", "--early-epoch", "3", "--resume"]
    (recipe, run), typed = parse([Recipe, RunOptions], words)
    assert recipe == Recipe(lr=0.01, early_epoch=3) and run == RunOptions(resume=True)
    assert typed == {"lr", "early_epoch", "resume"}
    (run,), typed = parse([RunOptions], ["--no-resume"])
    assert run == RunOptions() and typed == {"resume"}


@pytest.mark.parametrize("words, typed, expected", [
    ([], set(), Paint(5, "red", ("x",))),                   # brought, overrides the defaults
    (["--width", "7"], {"width"}, Paint(7, "red", ("x",))),  # typed, overrides what is brought
    (["--colour", "blue"], {"colour"}, Paint(9, "blue", ("x",))),  # may depend on it
])
def test_a_value_is_what_was_typed_else_what_is_brought_else_the_default(words, typed, expected):
    """`brought` receives only the fields that were typed."""
    def brought(given):
        assert set(given) == typed
        return {"width": 9 if given.get("colour") == "blue" else 5, "words": ("x",), "other": 1}

    assert parse([Paint], words, brought=brought) == ([expected], typed)


def test_help_shows_the_value_that_will_be_used(capsys):
    """Including one that is brought; a percent sign is not a format; a tuple is shown as words."""
    def brought(given):
        return {"width": 8 if given.get("colour") == "blue" else 4}

    for words, width in ((["--help"], 4), (["--colour", "blue", "-h"], 8)):
        with pytest.raises(SystemExit) as stop:
            parse([Paint], words, description="paints", brought=brought)
        text = " ".join(capsys.readouterr().out.split())
        assert stop.value.code == 0 and "paints" in text
        assert f"of the brush, 100% of it (default: {width})" in text
        assert "one or more (default: a b)" in text and "(without a name: film.gif)" in text


def test_an_error_of_what_is_brought_is_raised_but_never_hides_the_help(capsys):
    """For example, if a checkpoint is missing; --help then shows the general defaults."""
    def brought(given):
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        parse([Paint], [], brought=brought)
    with pytest.raises(SystemExit) as stop:
        parse([Paint], ["--help"], brought=brought)
    assert stop.value.code == 0 and "(default: 3)" in " ".join(capsys.readouterr().out.split())


def test_a_flag_may_take_several_words_or_none():
    """A field that is a tuple takes one word or more; a field with `bare` may stand alone."""
    (paint,), _ = parse([Paint], ["--words", "6", "9", "--film"])
    assert paint.words == ["6", "9"] and paint.film == "film.gif"
    (paint,), _ = parse([Paint], ["--film", "my.gif"])
    assert paint.film == "my.gif"
    with pytest.raises(SystemExit):
        parse([Paint], ["--words"])


@pytest.mark.parametrize(
    "words, message",
    [
        (["--sampler", "euler"], "'ddpm'.*'ddim'"),
        (["--steps", "many"], "--steps.*'many'"),
        (["--colour", "red"], "--colour"),
        (["--step", "3"], "--step"),  # an abbreviation is not completed
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_is_named(words, message, capsys):
    """In argparse's own sentence, on stderr."""
    with pytest.raises(SystemExit) as stop:
        parse([SampleOptions], words)
    assert stop.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_values_out_of_range_are_rejected_with_their_flag():
    """Names as they are typed; seeds as torch's generators accept them."""
    at_least("batch_size", 1, 1)
    with pytest.raises(ValueError, match="batch-size must be at least 1, got 0"):
        at_least("batch_size", 0, 1)
    for seed in (0, 2**63 - 1):
        check_seed(seed)
        torch.Generator().manual_seed(seed)
    for seed in (-1, 2**63):
        with pytest.raises(ValueError, match="seed"):
            check_seed(seed)


def _status(error):
    with pytest.raises(SystemExit) as stop, program():
        raise error
    return stop.value.code


@pytest.fixture
def signals(monkeypatch):
    """Record which signals a program handles, without handling them here."""
    found = {}
    monkeypatch.setattr("signal.signal", lambda number, handler: found.update({number: handler}))
    return found


def test_a_user_error_is_one_line_on_stderr_without_a_traceback(capsys, monkeypatch, signals):
    """ValueError and OSError end with status 2, Ctrl-C with 130, SIGTERM with 143; when memory runs
    out, the message says what to reduce."""
    monkeypatch.delenv("MINIDIFF_DEBUG", raising=False)
    for error, message in (
        (ValueError("two\n lines"), "minidiff: two lines\n"),
        (PermissionError(13, "Permission denied", "x.png"), "x.png"),
        (torch.OutOfMemoryError("CUDA"), "--batch-size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "--batch-size"),
    ):
        assert _status(error) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1 and "Traceback" not in err
    assert _status(KeyboardInterrupt()) == 130
    assert set(signals) == {signal.SIGTERM, signal.SIGINT}
    with pytest.raises(SystemExit) as stop:
        signals[signal.SIGTERM](signal.SIGTERM, None)
    assert stop.value.code == 143


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch, signals):
    """Errors that are not the user's are raised; with MINIDIFF_DEBUG=1, all of them are."""
    for error in (RuntimeError("shapes"), KeyError("x"), TypeError("y")):
        with pytest.raises(type(error)), program():
            raise error
    monkeypatch.setenv("MINIDIFF_DEBUG", "1")
    with pytest.raises(ValueError, match="mine"), program():
        raise ValueError("mine")


def test_a_program_keeps_its_memory(monkeypatch, signals):
    """It asks the C library to, before its work begins."""
    order = []
    monkeypatch.setattr("minidiff.system.hardware.keep_memory", lambda: order.append("kept"))
    with program():
        order.append("work")
    assert order == ["kept", "work"]


def test_outputs_are_checked_before_the_work(tmp_path):
    """A wrong suffix or a missing folder is reported at once, not after an hour of sampling."""
    assert writable(tmp_path / "a.png", ".png") == tmp_path / "a.png"
    with pytest.raises(ValueError, match="should end in .png"):
        writable(tmp_path / "a.jpg", ".png")
    with pytest.raises(ValueError, match="does not exist"):
        writable(tmp_path / "no" / "a.png", ".png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        writable(tmp_path / "folder.png", ".png")
