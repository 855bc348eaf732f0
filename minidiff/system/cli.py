"""Flags made from dataclasses, one rule for their values, and user errors in one sentence.

A dataclass of settings is also the list of its flags; nothing is written down twice:

    lr: float = flag(1e-3, "peak learning rate of Adam")     ->     --lr 1e-3

The one rule: a value is what was typed; else what `brought` returns, a recipe's or a model's
defaults; else the field's default. `parse` applies it, once, for every script, and --help shows the
value that will be used.
"""

import argparse
import dataclasses
import os
import signal
import sys
import typing
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

import torch

from minidiff.system import hardware


def flag(default, help, choices=None, bare=None):
    """Return a dataclass field that `parse` turns into a flag. bare: its value when the flag is
    given without one."""
    return field(default=default, metadata={"help": help, "choices": choices, "bare": bare})


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
    made = [cls(**{n: values[n] for n in fields if n in values})
            for cls, fields in zip(classes, names)]
    return made, set(typed)


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
            how = {"help": f.metadata["help"] + (f" (default: {shown})" if shown != "" else "")}
            how["help"] = how["help"].replace("%", "%%")
            if kinds[f.name] is bool:
                how["action"] = argparse.BooleanOptionalAction
            elif typing.get_origin(kinds[f.name]) is tuple:  # one word or more
                how.update(type=typing.get_args(kinds[f.name])[0], nargs="+")
            else:
                how.update(type=kinds[f.name], choices=f.metadata["choices"])
            if f.metadata["bare"]:
                how.update(nargs="?", const=f.metadata["bare"])
                how["help"] += f" (without a name: {f.metadata['bare']})"
            parser.add_argument("--" + f.name.replace("_", "-"), **how)
    return parser


def at_least(name, value, least):
    """Raise ValueError for a flag's value below `least`."""
    if value < least:
        raise ValueError(f"{name.replace('_', '-')} must be at least {least}, got {value}")


def check_seed(seed):
    """Raise ValueError for a seed that torch's generators do not accept."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must lie in 0..2^63-1, got {seed}")


def writable(path, suffix):
    """Check that `path` can be written, before long work and not after; return it as a Path.

    Raises ValueError for another suffix, a folder, or a file whose folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"{path} should end in {suffix}, like result{suffix}")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"the folder of {path} does not exist; create it, or choose another")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; choose a file")
    places = [path.absolute().parent, path] if path.exists() else [path.absolute().parent]
    if not all(os.access(place, os.W_OK) for place in places):
        raise ValueError(f"{path} cannot be written; choose another path")
    return path


@contextmanager
def program():
    """Run a script's body: a user error becomes one sentence on stderr and exit status 2.

    Ctrl-C and SIGTERM end with status 130 and 143. Set MINIDIFF_DEBUG=1 to see a traceback instead.
    """
    hardware.keep_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell job ignores it
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except torch.OutOfMemoryError:
        sys.exit(_error("out of memory; reduce --n or --batch-size, or use --device cpu"))
    except RuntimeError as e:  # what the CPU's allocator raises
        if "alloc" not in str(e):
            raise
        sys.exit(_error("out of memory; reduce --n, --width or --batch-size"))
    except (ValueError, OSError) as e:
        if os.environ.get("MINIDIFF_DEBUG"):
            raise
        sys.exit(_error(" ".join(str(e).split())))


def _error(sentence):
    print(f"minidiff: {sentence}", file=sys.stderr)
    return 2
