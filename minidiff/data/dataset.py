"""A data set as one uint8 tensor, and batches cut from it.

MNIST is 60,000 images of 28 x 28 bytes: 47 MB, which fits on any device. A batch is a slice of a
random permutation and one indexing operation: no worker processes, no copy to the GPU at each step.

    mnist      handwritten digits, LeCun et al.
    fashion    Fashion-MNIST, arXiv:1708.07747: clothes in the same format
    strokes    digits drawn by strokes.py, no file and no network needed
    auto       mnist if its files are found or can be downloaded, else strokes with a loud warning

Images are float32 in [0, 1] once they are in a batch, 0 = black ground, 1 = white ink.

Exercises
1. How many batches of 64 has a set of 130 images? Which images come twice in an epoch?
   test_dataset.py: test_an_epoch_shows_every_image_once_in_an_order_the_generator_decides
2. Change one byte of your MNIST (a copy!). Where would you notice, if nothing were checked?
   test_mnist.py: test_truncated_and_corrupt_files_are_named
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from minidiff.data import mnist, strokes

NAMES = ("auto", *mnist.CLASSES, "strokes")
WARNING = """
  ************************************************************************
  *  NOT MNIST: {reason}.
  *  Using 'strokes' instead: digits drawn by
  *  this program. Good for a try, but losses and images are not those of
  *  MNIST. To use MNIST, set MINIDIFF_DATA to a folder that holds MNIST/raw.
  ************************************************************************
"""


@dataclass(frozen=True)
class Dataset:
    """Labelled images: uint8 (N,1,28,28), strokes in any size, and int64 (N,). name: which set this
    really is."""

    name: str
    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def to(self, device) -> "Dataset":
        """Return the same set on `device`."""
        return Dataset(self.name, self.images.to(device), self.labels.to(device))

    def images_at(self, index) -> torch.Tensor:
        """Return the images at `index`, int64 (B,) or a slice, as float32 in [0, 1]."""
        return self.images[index].float() / 255


def load(name: str = "auto", split: str = "train", data_dir: str = "", size=28) -> Dataset:
    """Load a data set by name, from its files or, for strokes, by drawing it.

    name: one of NAMES. split: "train" (60,000) or "test" (10,000). data_dir: where the files are
    or should go; default $MINIDIFF_DATA, else "data". size: of the images in pixels; strokes come
    in any size, files in 28. Raises ValueError for an unknown name or split, for another size of a
    file, and for files that are missing (and can't be downloaded) or damaged.
    """
    if name not in NAMES:
        raise ValueError(f"unknown dataset {name!r}; choose from: {', '.join(NAMES)}")
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}; choose from: train, test")
    if size != 28 and name != "strokes":
        raise ValueError(f"only strokes come in {size} pixels, got {name!r}; use --dataset strokes")
    root = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data")
    if name == "auto":
        try:
            mnist.find("mnist", root)
            name = "mnist"
        except ValueError as e:
            print(WARNING.format(reason=e), file=sys.stderr, flush=True)
            name = "strokes"
    if name == "strokes":
        count, seed = (60_000, 1) if split == "train" else (10_000, 2)
        return Dataset(name, *strokes.dataset(count, seed, size))
    return Dataset(name, *mnist.load(name, split, root))


def batches(dataset: Dataset, batch_size: int, generator: torch.Generator):
    """Yield batches (x_0, labels), once over the set in random order; the last may be smaller.

    x_0: float32 (B,1,28,28) in [0, 1]. labels: int64 (B,). generator: decides the order.
    """
    order = torch.randperm(len(dataset), generator=generator, device=generator.device)
    for index in order.to(dataset.images.device).split(batch_size):
        yield dataset.images_at(index), dataset.labels[index]
