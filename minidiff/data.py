"""A data set as one uint8 tensor, and batches cut from it.

MNIST is 60,000 pictures of 28 x 28 bytes: 47 MB. That fits on any device, so it is put there
once and stays there. A batch is a slice of a random permutation and one indexing operation: no
worker processes, no pictures decoded one by one, no copy from CPU to GPU at each step.

    mnist      handwritten digits, LeCun et al.
    fashion    Fashion-MNIST, arXiv:1708.07747: clothes in the same format
    strokes    digits drawn by strokes.py, no file and no network needed
    auto       mnist if its files are found or can be downloaded, else strokes with a loud warning

Files are checked before they are used: their length, and for MNIST the checksum of every byte.
(torchvision checks what it downloads, but not what already lies there.)

Pictures are float32 in [0, 1] once they are in a batch, 0 = black ground, 1 = white ink.

Exercises
1. How many batches of 64 has a set of 130 pictures? Which pictures come twice in an epoch?
   test_data.py: test_an_epoch_shows_every_picture_once_in_an_order_the_generator_decides
2. Change one byte of your MNIST (a copy!). Where would you notice, if nothing were checked?
   test_data.py: test_truncated_and_corrupt_files_are_named
Next: machine.py, the first of five files of plumbing
"""

import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from minidiff import strokes
from minidiff.torchvision_ops import torchvision_datasets

CLASSES = {"mnist": "MNIST", "fashion": "FashionMNIST"}  # ours -> torchvision's
NAMES = ("auto", *CLASSES, "strokes")
FILES = {  # name -> (bytes, MD5 of MNIST's own)
    "train-images-idx3-ubyte": (47040016, "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": (60008, "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": (7840016, "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": (10008, "27ae3e4e09519cfbb04c329615203637"),
}
AGAIN = "delete what is damaged and run again to download it, or copy it anew"
WARNING = """
  ************************************************************************
  *  NOT MNIST: {reason}.
  *  Using 'strokes' instead: digits drawn by
  *  this program. Good for a try, but losses and pictures are not those of
  *  MNIST. To use MNIST, set MINIDIFF_DATA to a folder that holds MNIST/raw.
  ************************************************************************
"""


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures.

    name: which set this really is. images: uint8 (N,1,28,28), strokes in any size. labels: int64
    (N,).
    """

    name: str
    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def to(self, device) -> "Dataset":
        """Return the same set on `device`."""
        return Dataset(self.name, self.images.to(device), self.labels.to(device))

    def pictures(self, index) -> torch.Tensor:
        """Return the pictures at `index`, int64 (B,) or a slice, as float32 in [0, 1]."""
        return self.images[index].float() / 255


def load(name: str = "auto", split: str = "train", data_dir: str = "", size=28) -> Dataset:
    """Load a data set by name, from its files or, for strokes, by drawing it.

    name: one of NAMES. split: "train" (60,000) or "test" (10,000). data_dir: where the files lie
    or should go; default $MINIDIFF_DATA, else "data". size: of the pictures in pixels; strokes come
    in any, files in 28. Raises ValueError for an unknown name or split, for another size of a file,
    and for files that are missing (and can't be downloaded) or damaged.
    """
    if name not in NAMES:
        raise ValueError(f"unknown dataset {name!r}; choose from: {', '.join(NAMES)}")
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}; choose from: train, test")
    if size != 28 and name != "strokes":
        raise ValueError(f"only strokes come in {size} pixels, got {name!r}; --dataset strokes")
    root = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data")
    if name == "auto":
        raw = root / CLASSES["mnist"] / "raw"
        try:
            if not _lie_in(raw):
                _download("mnist", root)
            name = "mnist"
        except ValueError as e:
            print(WARNING.format(reason=e), file=sys.stderr, flush=True)
            name = "strokes"
    if name == "strokes":
        count, seed = (60_000, 1) if split == "train" else (10_000, 2)
        return Dataset(name, *strokes.dataset(count, seed, size))
    raw = root / CLASSES[name] / "raw"
    if not _lie_in(raw):
        _download(name, root)
    _verify(raw, split, with_md5=name == "mnist")
    try:
        found = getattr(torchvision_datasets(), CLASSES[name])(root, train=split == "train")
    except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as e:
        raise ValueError(f"the {name} files in {raw} are damaged; {AGAIN}") from e
    size = (60_000 if split == "train" else 10_000, 28, 28)
    images, labels = found.data, found.targets.long()
    fits = images.shape == size and labels.shape == size[:1]
    if not fits or not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"the {name} files in {raw.parent} do not hold {size} digits; {AGAIN}")
    return Dataset(name, images.unsqueeze(1).contiguous(), labels)


def batches(dataset: Dataset, batch_size: int, generator: torch.Generator):
    """Yield batches (x_0, labels), once over the set in random order; the last may be smaller.

    x_0: float32 (B,1,28,28) in [0, 1]. labels: int64 (B,). generator: decides the order.
    """
    order = torch.randperm(len(dataset), generator=generator, device=generator.device)
    for index in order.to(dataset.images.device).split(batch_size):
        yield dataset.pictures(index), dataset.labels[index]


def _lie_in(raw: Path) -> bool:
    return all((raw / file).is_file() for file in FILES)


def _download(name: str, root: Path) -> None:
    """Fetch with torchvision, its progress bar and checksums. Raises ValueError if that fails."""
    print(f"downloading {name} to {root}", file=sys.stderr, flush=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; a network that drops packets would hang for ever
    try:
        getattr(torchvision_datasets(), CLASSES[name])(root, download=True)
    except (OSError, RuntimeError, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise ValueError(
            f"{name} is not in {root} and could not be downloaded ({reason}); put its four files "
            f"into {root / CLASSES[name] / 'raw'}, or name another folder with --data-dir, "
            "or take --dataset strokes, which needs no files"
        ) from e
    finally:
        socket.setdefaulttimeout(before)


def _verify(raw: Path, split: str, with_md5: bool) -> None:
    """Check the split's two files before they are parsed. ValueError names the damaged one."""
    for file, (size, md5) in FILES.items():
        if not file.startswith("train" if split == "train" else "t10k"):
            continue
        content = (raw / file).read_bytes()
        if len(content) != size:
            raise ValueError(
                f"{raw / file} is damaged: {len(content):,} bytes, expected {size:,}; "
                f"{AGAIN}"
            )
        if with_md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise ValueError(
                f"{raw / file} is damaged: its checksum is not MNIST's; "
                f"{AGAIN}"
            )
