"""Networks in files: written whole or not at all, read without trust.

A checkpoint is a plain dict of tensors, numbers and strings:

    minidiff     the format's version, 1
    kind         which training made it: "denoiser", "uncond", ...
    network      how to build the UNet: width, time, classes
    weights      its state_dict
    config       the recipe, as a dict
    dataset      the set it was really trained on
    epoch, step  how far it has come
    device, hardware    where
    guidance     gamma and guide_until it is best used with, in shipped files only
    training     optimiser and random state, only in files that can be resumed

Atomic: a kill -9 in the middle of writing leaves the old file (files.py). Untrusted:
`weights_only=True` reads tensors and plain values and runs no code, so a checkpoint from a
stranger can at worst be wrong. Self-contained: the network is rebuilt from the file alone.

Exercises
1. Read with `weights_only=False`. What can a file from a stranger do then?
   test_checkpoint.py: test_code_in_a_file_is_never_run
2. Write straight to the file and pull the plug half-way. What is under its name?
   test_checkpoint.py: test_a_crash_while_writing_leaves_the_old_file
Next: runs.py
"""

import errno
from pathlib import Path

import torch

from minidiff.classifier import Classifier
from minidiff.files import whole
from minidiff.unet import UNet

VERSION = 1
NETWORKS = {"classifier": Classifier}  # every other kind is a UNet
KEYS = {"kind", "network", "weights", "config", "dataset", "epoch", "step"}


def save(path, checkpoint: dict) -> None:
    """Write the dict to `path` atomically: afterwards the file is the old one or the new, whole."""
    with whole(path) as f:
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
    except Exception as e:  # any error can come out of a file that is something else
        raise _unreadable(path) from e
    if not isinstance(found, dict) or not isinstance(found.get("minidiff"), int):
        raise ValueError(f"{path} is no minidiff checkpoint; it was written by another program")
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


def build(kind: str, network: dict):
    """Build the network of a kind of training, with fresh weights. network: its arguments."""
    return NETWORKS.get(kind, UNet)(**network)


def rebuild(checkpoint: dict):
    """Build the network a checkpoint describes and fill in its weights, float32, in eval mode.

    Raises ValueError where the weights do not fit the description.
    """
    try:
        network = build(checkpoint["kind"], checkpoint["network"])
        network.load_state_dict(checkpoint["weights"])
    except (RuntimeError, TypeError, AttributeError) as e:
        raise ValueError(
            f"the checkpoint's weights do not fit its network {checkpoint['network']}"
        ) from e
    return network.eval()


def summary(checkpoint: dict) -> str:
    """Return a caption such as "uncond (D=64), mnist, epoch 20"."""
    return (
        f"{checkpoint['kind']} (D={checkpoint['network']['width']}), {checkpoint['dataset']}, "
        f"epoch {checkpoint['epoch']}"
    )
