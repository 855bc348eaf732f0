"""cli.py: flags from dataclasses, one rule for their values, and how a user error is reported."""

import dataclasses
import os
import re

import pytest
import torch

from minidiff.models.options import SampleOptions
from minidiff.system.cli import SEED, check, flag, parse, program, writable
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


def test_seeds_are_those_that_torchs_generators_accept():
    """The largest is the largest of theirs."""
    torch.Generator().manual_seed(SEED)
    with pytest.raises((ValueError, RuntimeError)):
        torch.Generator().manual_seed(2 * SEED + 2)
    check(SampleOptions(seed=SEED))


@dataclasses.dataclass
class Numbers:
    """Options of these tests."""

    count: int = flag(3, "of things", least=1, most=1000)
    share: float = flag(0.5, "of them", least=0, most=1)
    free: int = flag(0, "without bounds of its own")
    fast: bool = flag(False, "or slow")
    colour: str = flag("red", "of them", ("red", "blue"))
    stroke: float = flag(1.0, "only of blue ones", needs={"colour": "blue"})
    some: int = flag(1, "of the count", within="count")


@pytest.mark.parametrize(("wrong", "message"), [
    ({"count": 0}, "count must lie in 1..1,000, got 0"),
    ({"count": 2**63}, "count must lie in 1..1,000, got 9223372036854775808"),
    ({"count": 1.5}, "count must be a whole number, got 1.5"),
    ({"count": True}, "count must be a whole number, got True"),
    ({"share": float("nan")}, "share must lie in 0..1, got nan"),
    ({"share": float("inf")}, "share must lie in 0..1, got inf"),
    ({"share": "x"}, "share must be a number, got 'x'"),
    ({"free": 10**12}, "free must lie in -1,000,000,000..1,000,000,000, got 1000000000000"),
    ({"fast": 1}, "fast must be yes or no, got 1"),
    ({"colour": None}, "colour must be a text, got None"),
    ({"colour": "green"}, "unknown colour 'green'; choose from: red, blue"),
])
def test_a_field_of_another_type_or_out_of_its_bounds_is_refused(wrong, message):
    """Typed or not: `parse` checks what it made, and a class may check itself."""
    check(Numbers())
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check(Numbers(**wrong))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse([Numbers], [], brought=lambda typed: wrong)


def test_help_shows_the_bounds(capsys):
    """Of every number that has any."""
    with pytest.raises(SystemExit):
        parse([Numbers], ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "of things, 1..1,000 (default: 3)" in text and "of its own (default: 0)" in text


@pytest.mark.parametrize(("words", "message"), [
    (["--stroke", "2"], "--stroke has no effect without --colour blue; add that, or drop --stroke"),
    (["--some", "9"], "--some 9 is beyond --count 3; it must not exceed that"),
    (["--some", "3"], ""), (["--stroke", "2", "--colour", "blue"], ""), (["--count", "1"], ""),
])
def test_a_typed_option_without_effect_is_refused(words, message):
    """An option says what it needs; only what was typed is refused, never a default."""
    if message:
        with pytest.raises(ValueError, match=f"^{message}$"):
            parse([Numbers], words)
    else:
        parse([Numbers], words)


def test_a_quoted_tilde_is_the_home_folder(monkeypatch):
    """In every text option, once; a ~ in the middle of a text is kept."""
    monkeypatch.setenv("HOME", "/home/me")
    (paint,), _ = parse([Paint], ["--film", "~/a.gif", "--words", "~/x"])
    assert paint.film == "/home/me/a.gif" and paint.words == ["~/x"]
    (paint,), _ = parse([Paint], ["--film", "a~/b.gif"])
    assert paint.film == "a~/b.gif"


@pytest.fixture
def signals(monkeypatch):
    """Record which signals a program handles, without handling them here."""
    found = {}
    monkeypatch.setattr("signal.signal", lambda number, handler: found.update({number: handler}))
    return found


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


def test_only_a_file_that_can_be_created_is_an_output(tmp_path):
    """A link in a circle or into a missing folder, and too long a name are refused; a link to a
    file and a pipe, which get the content, are not. Nothing is left behind."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    (tmp_path / "lost.png").symlink_to(tmp_path / "no" / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    names = sorted(tmp_path.iterdir())
    for name, message in (("circle", "link that leads nowhere"),
                          ("lost", "folder of .* does not exist"), ("n" * 252, "too long"),
                          ("n" * 5000, "too long")):
        with pytest.raises(ValueError, match=message):
            writable(tmp_path / f"{name}.png", ".png")
    for name in ("link", "pipe", "n" * 251):
        assert writable(tmp_path / f"{name}.png", ".png")
    assert sorted(tmp_path.iterdir()) == names
