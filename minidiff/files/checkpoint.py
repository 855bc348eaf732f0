"""Models in files: written completely or not at all, and read without trusting them.

A checkpoint is a plain dict of tensors, numbers and strings. It holds all that is needed to
rebuild its model:

    minidiff     the format's version, 1
    kind         which training made it: "denoiser", "uncond", ...
    network      the network's arguments: width, time, classes
    weights      its state_dict
    model        how the model uses the network: schedule (its name and arguments), image_shape,
                 data_range, vocabulary (the words of its prompts)
    config       the recipe, as a dict
    dataset      the set it was trained on
    data         what else is kept of it: prompts as examples, whether it shows light on dark
    epoch, step  how far the training has got
    device, hardware    where it was trained
    guidance     the gamma and guide_until that work best, in shipped files only
    training     optimiser and random state, only where training can be resumed

`weights_only=True` reads tensors and plain values and runs no code, so a checkpoint from a stranger
can at worst be wrong; and what would be wrong in silence is refused (validate.py). A kill -9 in the
middle of writing leaves the old file intact (atomic.py).

Exercises
1. Read with `weights_only=False`. What can a file from a stranger do then?
   test_checkpoint.py: test_code_in_a_file_is_never_run
2. Write straight to the file and kill the program half-way. What does the file contain?
   test_checkpoint.py: test_a_crash_while_writing_leaves_the_old_file
"""

import errno
import os
from pathlib import Path

import torch

from minidiff.files import validate
from minidiff.files.atomic import atomic_write

VERSION = 1
KEYS = {"kind", "network", "weights", "config", "dataset", "epoch", "step"}


class Checkpoint(dict):
    """A loaded checkpoint. file: where it was read, for the errors."""

    file = None


def save(path, checkpoint: dict) -> None:
    """Write the dict to `path` atomically: the file is then the old or the new one, complete.
    Raises OSError where the disk is full."""
    write(path, {"minidiff": VERSION, **checkpoint})


def write(path, content) -> None:
    """Write tensors and plain values to `path`, as `save` does."""
    try:
        with atomic_write(path) as f:
            torch.save(content, f)
    except RuntimeError as e:  # so torch reports a write that failed
        raise OSError(errno.ENOSPC, "cannot be written; the disk may be full", str(path)) from e


def load(path) -> Checkpoint:
    """Read a checkpoint to the CPU and check all that is in it (validate.py).

    Raises ValueError, in one sentence, for a missing, foreign, damaged or newer file.
    """
    path = Path(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise ValueError(f"there is no checkpoint {path}; name a .pt file or a run's folder")
    found = read(path)
    if not isinstance(found, dict) or type(found.get("minidiff")) is not int:
        raise ValueError(f"{path} is not a minidiff checkpoint; it was written by another program")
    if found["minidiff"] > VERSION:
        raise ValueError(
            f"{path} has format {found['minidiff']}, this minidiff reads up to {VERSION}; update it"
        )
    if missing := KEYS - found.keys():
        raise ValueError(f"{path} is incomplete: it lacks {', '.join(sorted(missing))}")
    try:
        validate.check_checkpoint(found)
    except ValueError as e:
        raise ValueError(f"{path} is damaged: {e}; use another copy of it") from e
    found = Checkpoint(found)
    found.file = path
    return found


def read(path):
    """Return the tensors and plain values in a file whose checksums are right. Raises ValueError
    for another file."""
    unreadable = ValueError(
        f"{path} cannot be read as a checkpoint: it is truncated or was not written by minidiff"
    )
    try:
        flaw = validate.flaw_of_zip(path)
        if not flaw:
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as e:
        if e.errno in (errno.EACCES, errno.EISDIR, errno.EIO):
            raise
        raise unreadable from e
    except Exception as e:  # a file that is something else can raise any error
        raise unreadable from e
    raise ValueError(f"{path} is damaged: {flaw}; use another copy of it")


def summary(checkpoint: dict) -> str:
    """Return a caption such as "uncond (D=64), mnist, epoch 20"."""
    network = checkpoint["network"]
    about = f"D={network['width']}" + (", wide" if "mults" in network else "")
    if (predict := checkpoint.get("model", {}).get("predict", "eps")) != "eps":
        about += f", predicts {predict}"
    if ema := checkpoint["config"].get("ema"):
        about += f", EMA {ema:g}"
    return (f"{checkpoint['kind']} ({about}), {checkpoint['dataset']}, "
            f"epoch {checkpoint['epoch']}")
