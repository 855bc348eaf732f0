"""Flags made from dataclasses, and a person's mistake told in one sentence.

A dataclass that holds settings is also the list of its flags; nothing is written down twice:

    lr: float = flag(1e-3, "learning rate of Adam at its peak")     ->     --lr 1e-3

`parse` returns only what was typed, so that a default never overwrites a recipe. `main` runs a
script: whatever a person did wrong ends in one sentence on stderr and exit status 2.

Next: config.py
"""

import argparse
import dataclasses
import os
import signal
import sys
import typing
from dataclasses import field
from pathlib import Path

import torch

from minidiff import machine


def flag(default, help, choices=None, bare=None):
    """Return a dataclass field that `parse` turns into a flag. bare: its value when the flag is
    given without one."""
    return field(default=default, metadata={"help": help, "choices": choices, "bare": bare})


def parse(classes, argv=None, prog=None, description=None):
    """Turn command-line words into a dict per dataclass, holding only the fields that were given.

    classes: dataclasses made of `flag`s. argv: words, default sys.argv. Returns a list of dicts.
    A word that does not fit ends the program with one sentence and exit status 2, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description=description, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    for cls in classes:
        kinds = typing.get_type_hints(cls)
        for f in dataclasses.fields(cls):
            told = getattr(cls, "DEFAULT", f.default)
            how = {"help": f.metadata["help"] + (f" (default: {told})" if told != "" else "")}
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
    given = vars(parser.parse_args(argv))
    names = [[f.name for f in dataclasses.fields(cls)] for cls in classes]
    return [{name: given[name] for name in group if name in given} for group in names]


def writable(path, suffix):
    """Return `path` as a Path that can be written: asked before long work, not after.

    Raises ValueError for another ending, a folder, or a folder that is not there.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"{path} should end in {suffix}; name the file something{suffix}")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"the folder of {path} does not exist; make it, or name another place")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    places = [path.absolute().parent, path] if path.exists() else [path.absolute().parent]
    if not all(os.access(place, os.W_OK) for place in places):
        raise ValueError(f"{path} cannot be written; name another place")
    return path


def main(body):
    """Run a script's body; tell a person's mistake in one sentence on stderr, exit status 2.

    Ctrl-C and SIGTERM end with status 130 and 143. Set MINIDIFF_DEBUG=1 to see a traceback instead.
    """
    machine.keep_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell job ignores it
    try:
        body()
    except KeyboardInterrupt:
        sys.exit(130)
    except torch.OutOfMemoryError:
        sys.exit(_tell("out of memory; ask for less (--n, --batch-size) or take --device cpu"))
    except RuntimeError as e:  # what the CPU's allocator raises
        if "alloc" not in str(e):
            raise
        sys.exit(_tell("out of memory; ask for less (--n, --width, --batch-size)"))
    except (ValueError, OSError) as e:
        if os.environ.get("MINIDIFF_DEBUG"):
            raise
        sys.exit(_tell(" ".join(str(e).split())))


def _tell(sentence):
    print(f"minidiff: {sentence}", file=sys.stderr)
    return 2
