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
    epoch, step  how far the training has got
    device, hardware    where it was trained
    guidance     the gamma and guide_until that work best, in shipped files only
    training     optimiser and random state, only where training can be resumed

`weights_only=True` reads tensors and plain values and runs no code, so a checkpoint from a stranger
can at worst be wrong. A kill -9 in the middle of writing leaves the old file intact (atomic.py).

Exercises
1. Read with `weights_only=False`. What can a file from a stranger do then?
   test_checkpoint.py: test_code_in_a_file_is_never_run
2. Write straight to the file and kill the program half-way. What does the file contain?
   test_checkpoint.py: test_a_crash_while_writing_leaves_the_old_file
"""

import errno
from pathlib import Path

import torch

from minidiff.files.atomic import atomic_write

VERSION = 1
KEYS = {"kind", "network", "weights", "config", "dataset", "epoch", "step"}


def save(path, checkpoint: dict) -> None:
    """Write the dict to `path` atomically: the file is then the old or the new one, complete."""
    with atomic_write(path) as f:
        torch.save({"minidiff": VERSION, **checkpoint}, f)


def load(path) -> dict:
    """Read a checkpoint to the CPU and check that it is one.

    Raises ValueError, in one sentence, for a missing, foreign, truncated or newer file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}; name a .pt file or a run's folder")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as e:
        if e.errno in (errno.EACCES, errno.EISDIR, errno.EIO):
            raise
        raise _unreadable(path) from e
    except Exception as e:  # a file that is something else can raise any error
        raise _unreadable(path) from e
    if not isinstance(found, dict) or not isinstance(found.get("minidiff"), int):
        raise ValueError(f"{path} is not a minidiff checkpoint; it was written by another program")
    if found["minidiff"] > VERSION:
        raise ValueError(
            f"{path} has format {found['minidiff']}, this minidiff reads up to {VERSION}; update it"
        )
    if missing := KEYS - found.keys():
        raise ValueError(f"{path} is incomplete: it lacks {', '.join(sorted(missing))}")
    return found


def _unreadable(path):
    return ValueError(
        f"{path} cannot be read as a checkpoint: it is truncated or was not written by minidiff"
    )


def summary(checkpoint: dict) -> str:
    """Return a caption such as "uncond (D=64), mnist, epoch 20"."""
    return (
        f"{checkpoint['kind']} (D={checkpoint['network']['width']}), {checkpoint['dataset']}, "
        f"epoch {checkpoint['epoch']}"
    )
