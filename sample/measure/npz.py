"""Read the images of an npz file, which may come from anyone.

An npz is a zip of arrays, and each array starts with a header: its number format and its shape. The
headers are read first, so a file that claims to hold 10^12 images costs nothing. Only the arrays
that are needed are unpacked, and no pickled object ever is.
"""

import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

MOST = 100_000  # images
SIZE = 8 * 28 * 28 * MOST + 2**16  # bytes of an array, its header included
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
DAMAGED = (KeyError, TypeError, ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile,
           zlib.error)  # what damaged and foreign files raise


def read_npz(path):
    """Return `images` (N,1,28,28) and, if there, `labels` of an npz. ValueError for another."""
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}; sample one with --npz")
    with _archive(path) as archive:
        names = ["images", *(["labels"] if "labels.npy" in archive.namelist() else [])]
        shapes = {name: _shape(archive, name) for name in names}
    images, *labels = shapes.values()
    if images[1:] != (1, 28, 28) or not 2 <= images[0] <= MOST:
        raise ValueError(f"{path}: expected images (N,1,28,28), N >= 2, at most {MOST:,}, "
                         f"got {images}")
    if labels and labels[0] != images[:1]:
        raise ValueError(f"{path}: expected one label per image, got {labels[0]}")
    with _archive(path) as archive:
        arrays = {name: _read(archive, name) for name in names}
    x = torch.from_numpy(arrays["images"].astype(np.float32))
    if not 0 <= x.min() <= x.max() <= 1:
        raise ValueError(f"{path}: expected images in [0, 1], got {x.min()}..{x.max()}")
    if not labels:
        return x, None
    found = arrays["labels"]
    if found.dtype.kind not in "iu" or not 0 <= found.min() <= found.max() <= 9:
        raise ValueError(f"{path}: expected integer labels in 0..9, got "
                         f"{np.unique(found)[:20].tolist()}")
    return x, torch.from_numpy(found.astype(np.int64))


@contextmanager
def _archive(path):
    """Open the npz; errors of the block mean that it is damaged, or something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except PermissionError as e:
        raise ValueError(f"{path} cannot be read; check its permissions") from e
    except DAMAGED as e:
        raise ValueError(f"{path} is no npz with `images`, as the sampling scripts write it") from e


def _shape(archive, name):
    """Return the shape of an array of numbers, from its header alone."""
    if archive.getinfo(f"{name}.npy").file_size > SIZE:
        return (f"more than {SIZE:,} bytes",)
    with archive.open(f"{name}.npy") as f:
        shape, _, dtype = HEADERS[np.lib.format.read_magic(f)](f)
    if dtype.kind not in "fiub":
        raise ValueError(f"expected numbers, got {dtype}")
    return shape


def _read(archive, name):
    with archive.open(f"{name}.npy") as f:
        return np.lib.format.read_array(f, allow_pickle=False)
