"""CIFAR-10: 60,000 coloured photos of 32 x 32 pixels, in ten classes.

The files are those of torchvision: five batches to train on and one to test, each a pickle of a
dict with images as bytes. A pickle can run any code when it is read. So each file's checksum is
compared with the published one first, and then only arrays and plain values are read from it.

Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
"""

import hashlib
import io
import pickle
from pathlib import Path

import torch

from minidiff.data.mnist import CURE, download

FOLDER = "cifar-10-batches-py"
FILES = {  # name -> MD5
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
WORDS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ALLOWED = {"numpy": ("_reconstruct", "ndarray", "dtype"), "_codecs": ("encode",)}  # of an array


class _Plain(pickle.Unpickler):
    """Reads plain values and arrays of numpy, and refuses to import anything else."""

    def find_class(self, module, name):
        if name not in ALLOWED.get(module.partition(".")[0], ()):
            raise pickle.UnpicklingError(f"it would import {module}.{name}")
        return super().find_class(module, name)


def find(root: Path) -> Path:
    """Return the folder with the six files, downloaded if they are missing. root: the data folder,
    or that of the files. Raises ValueError if the download fails."""
    whole = root.expanduser()
    for folder in (whole / FOLDER, whole):
        if all((folder / file).is_file() for file in FILES):
            return folder
    download("cifar10", "CIFAR10", whole, whole / FOLDER, f"its six files, {', '.join(FILES)}")
    return whole / FOLDER


def load(split: str, root: Path):
    """Return a split's images, uint8 (N,3,32,32), and labels, int64 (N,), indices into WORDS.

    split: "test", or another for the 50,000 to train on. Raises ValueError for files that are
    missing (and can't be downloaded) or damaged.
    """
    folder = find(root)
    parts = [_read(folder / f) for f in FILES if (f == "test_batch") == (split == "test")]
    return torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts])


def _read(path: Path):
    """Return the images and labels of one file. ValueError if it is damaged."""
    content = path.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != FILES[path.name]:
        raise ValueError(f"{path} is damaged: its checksum is not CIFAR-10's; {CURE}")
    try:
        found = _Plain(io.BytesIO(content), encoding="latin1").load()
        images = torch.from_numpy(found["data"]).view(-1, 3, 32, 32)
        return images, torch.tensor(found["labels"])
    except (pickle.UnpicklingError, KeyError, TypeError, RuntimeError) as e:
        raise ValueError(f"{path} is damaged: {e}; {CURE}") from e
