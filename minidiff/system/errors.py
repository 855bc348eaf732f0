"""User errors in one sentence: what happened, and what to do about it."""

import errno
import re

import torch

flags = set()  # names of the options that this command has; cli.parse fills it
SMALLER = ("n", "per_digit", "batch_size", "width")  # options that decide how much memory is used
NO_MEMORY = re.compile("out of memory|allocate memory|not enough memory|alloc_cpu|ALLOC_FAILED")
CURES = {
    (errno.ENOSPC, errno.EDQUOT): "free some space, or choose a place on another disk",
    (errno.EACCES, errno.EPERM, errno.EROFS): "change the permissions, or choose another place",
    (errno.ENOENT, errno.ENOTDIR, errno.ELOOP): "check every folder and link of the path",
    (errno.EISDIR,): "name a file in it",
    (errno.ENAMETOOLONG,): "choose a shorter name",
    (errno.EMFILE, errno.ENFILE): "close other programs, or raise the limit (ulimit -n)",
}


def out_of_memory(error) -> bool:
    """Return whether memory ran out, on any device: Python, torch and its backends each raise an
    error of their own."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or (
        isinstance(error, RuntimeError) and bool(NO_MEMORY.search(str(error)))
    )


def smaller() -> str:
    """Return how to need less memory, in the options that this command has."""
    known = ["--" + name.replace("_", "-") for name in SMALLER if name in flags]
    return f"reduce {' or '.join(known)}" if known else "ask for fewer images at once"


def on_gpu(error) -> bool:
    """Return whether it was a GPU's memory that ran out."""
    return isinstance(error, torch.OutOfMemoryError) or bool(re.search("CUDA|MPS", str(error)))


def sentence(error) -> str | None:
    """Return a user error in one sentence; None for a fault of the program."""
    if out_of_memory(error):
        cpu = ", or use --device cpu" if on_gpu(error) and "device" in flags else ""
        return f"out of memory; {smaller()}{cpu}"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        cure = next((f"; {cure}" for numbers, cure in CURES.items() if error.errno in numbers), "")
        return f"{place}{error.strerror}{cure}"
    return " ".join(str(error).split()) if isinstance(error, (ValueError, OSError)) else None
