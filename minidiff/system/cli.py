"""Flags made from dataclasses, one rule for their values, and user errors in one sentence.

A dataclass of settings is also the list of its flags; nothing is written down twice:

    lr: float = flag(1e-3, "peak learning rate of Adam")     ->     --lr 1e-3

The one rule: a value is what was typed; else what `brought` returns, a recipe's or a model's
defaults; else the field's default. `parse` applies it, once, for every script, and --help shows the
value that will be used.

A flag also says which values it accepts, and which other option it needs. `check` refuses others,
typed or not; `parse` refuses a flag that was typed where it would have no effect.
"""

import argparse
import dataclasses
import errno
import numbers
import os
import signal
import sys
import typing
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from minidiff.system import errors, hardware
from minidiff.system.streams import tolerant

LIMIT = 10**9  # of a number that has no bounds of its own
SEED = 2**63 - 1  # the largest that torch's generators accept
TYPES = {bool: (bool, "yes or no"), int: (numbers.Integral, "a whole number"),
         float: (numbers.Real, "a number"), str: ((str, os.PathLike), "a text")}


def flag(default, help, choices=None, bare=None, *, least=None, most=None, needs=None, within=None):
    """Return a dataclass field that `parse` turns into a flag.

    bare: its value when the flag is given without one. least, most: bounds of a number. needs:
    {name: value} of the option without which this one has no effect. within: the name of an option
    that a typed value must not exceed.
    """
    return field(default=default, metadata={
        "help": help, "choices": choices, "bare": bare, "least": least, "most": most,
        "needs": needs or {}, "within": within,
    })


def check(options):
    """Raise ValueError for a field of a dataclass of flags that is of another type, out of its
    bounds or not among its choices."""
    kinds = typing.get_type_hints(type(options))
    for f in dataclasses.fields(options):
        name, value, kind = f.name.replace("_", "-"), getattr(options, f.name), kinds[f.name]
        types, words = TYPES.get(kind, ((list, tuple), "a list"))
        if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{name} must be {words}, got {value!r:.40}")
        least, most = _bounds(f.metadata)
        if kind in (int, float) and not least <= value <= most:
            raise ValueError(f"{name} must lie in {_range(least, most)}, got {value!s:.40}")
        choices = f.metadata["choices"]
        if choices and value not in choices and value != f.default:
            raise ValueError(f"unknown {name} {value!r:.40}; choose from: {', '.join(choices)}")


def _bounds(metadata):
    least, most = metadata["least"], metadata["most"]
    return -LIMIT if least is None else least, LIMIT if most is None else most


def _range(least, most):
    """Return bounds as text: "1..10,000"."""
    shown = [f"{v:,}" if isinstance(v, int) else f"{v:g}" for v in (least, most)]
    return "..".join("2^63-1" if v == SEED else text for v, text in zip((least, most), shown))


def parse(classes, argv=None, prog=None, description=None, brought=lambda typed: {}):
    """Turn command-line words into an instance of each dataclass.

    classes: dataclasses made of `flag`s. argv: words, default sys.argv. brought: a function from
    the typed fields, a dict, to a dict of values that override the defaults; its ValueError is
    raised, except with --help. Returns the list of instances and the set of the names that were
    typed. A word that is not valid ends the program with one sentence and exit status 2, as in
    argparse.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    wants_help = bool({"-h", "--help"} & set(argv))
    first, _ = _parser(classes, {}, prog, add_help=False).parse_known_args(argv)
    try:
        values = brought(vars(first))
    except ValueError:
        if not wants_help:
            raise
        values = {}
    parser = _parser(classes, values, prog, description=description)
    typed = vars(parser.parse_args(argv))
    values = {**values, **typed}
    names = [[f.name for f in dataclasses.fields(cls)] for cls in classes]
    errors.flags = set().union(*names)
    made = [cls(**{n: values[n] for n in fields if n in values})
            for cls, fields in zip(classes, names)]
    for options in made:
        check(options)
    check_needs(typed, made)
    return made, set(typed)


def check_needs(typed, made):
    """Raise ValueError for a typed option that has no effect with the others. typed: {name: value}.
    made: instances of dataclasses of flags."""
    values = {k: v for options in made for k, v in vars(options).items()}
    for f in (f for options in made for f in dataclasses.fields(options) if f.name in typed):
        flag = "--" + f.name.replace("_", "-")
        for name, value in f.metadata["needs"].items():
            if values[name] != value:
                other = f"--{name}" + ("" if value is True else f" {value}")
                raise ValueError(f"{flag} has no effect without {other}; add that, or drop {flag}")
        limit = f.metadata["within"]
        if limit and typed[f.name] > values[limit]:
            raise ValueError(f"{flag} {typed[f.name]} is beyond --{limit} "
                             f"{values[limit]}; it must not exceed that")


def _expanded(text):
    """Return a word of the command line, in which "~/" or "~name/" is a home folder: a quoted ~ is
    not expanded by the shell."""
    return os.path.expanduser(text) if text == "~" or text.startswith("~") and "/" in text else text


def _parser(classes, values, prog, **options):
    """Return the parser of all flags, whose help shows `values` in place of defaults."""
    parser = argparse.ArgumentParser(
        prog=prog, argument_default=argparse.SUPPRESS, allow_abbrev=False, **options
    )
    for cls in classes:
        kinds = typing.get_type_hints(cls)
        for f in dataclasses.fields(cls):
            default = values.get(f.name, f.default)
            shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
            limits = "" if f.metadata["least"] is None else f", {_range(*_bounds(f.metadata))}"
            help = f.metadata["help"] + limits + (f" (default: {shown})" if shown != "" else "")
            how = {"help": help.replace("%", "%%")}
            if kinds[f.name] is bool:
                how["action"] = argparse.BooleanOptionalAction
            elif typing.get_origin(kinds[f.name]) is tuple:  # one word or more
                how.update(type=typing.get_args(kinds[f.name])[0], nargs="+")
            else:
                kind = _expanded if kinds[f.name] is str else kinds[f.name]
                how.update(type=kind, choices=f.metadata["choices"])
            if f.metadata["bare"]:
                how.update(nargs="?", const=f.metadata["bare"])
                how["help"] += f" (without a name: {f.metadata['bare']})"
            parser.add_argument("--" + f.name.replace("_", "-"), **how)
    return parser


def flags(names) -> str:
    """Return options as they are typed, "--p-uncond, --sigma"."""
    return ", ".join("--" + name.replace("_", "-") for name in sorted(names))


def writable(path, suffix):
    """Check that `path` can be written, before long work and not after; return it as a Path.

    Raises ValueError for another suffix, for a folder, and where no file can be created.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"{path} should end in {suffix}, like result{suffix}")
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; choose a file")
    try:
        target = Path(os.path.realpath(path))  # a link's file is what will be written
        if not target.parent.is_dir():
            raise ValueError(f"the folder of {path} does not exist; create it, or choose another")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "it is write-protected")
        if target.is_file() or not target.exists():  # not a pipe or a device
            trial = target.with_name(f"{os.getpid()}.part") if target.exists() else target
            trial.touch(exist_ok=False)
            trial.unlink()
    except FileExistsError as e:
        raise ValueError(f"{path} is a link that leads nowhere; choose another path") from e
    except OSError as e:
        raise ValueError(f"{path} cannot be written ({e.strerror}); choose another path") from e
    return path


def empty_folder(path):
    """Make a folder, before long work and not after; return it as a Path. Raises ValueError for one
    that is not empty, and where none can be made."""
    path = Path(path)
    try:
        path.mkdir(exist_ok=True)
        if any(path.iterdir()):
            raise ValueError(f"{path} is not empty; name another folder, or empty it")
        (path / "0000.png").touch()
        (path / "0000.png").unlink()
    except OSError as e:
        raise ValueError(f"{path} cannot be written ({e.strerror}); choose another path") from e
    return path


@contextmanager
def program():
    """Run a script's body: a user error becomes one sentence on stderr and exit status 2.

    Ctrl-C and SIGTERM end with status 130 and 143. Set MINIDIFF_DEBUG=1 to see a traceback instead.
    Messages that cannot be written are dropped, and the user's matplotlibrc has no effect.
    """
    hardware.keep_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell job ignores it
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rcdefaults()
    with tolerant():
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as e:
            sentence = errors.sentence(e)
            if sentence is None or os.environ.get("MINIDIFF_DEBUG"):
                raise
            print(f"minidiff: {sentence}", file=sys.stderr)
            sys.exit(2)
