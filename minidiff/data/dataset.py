"""A data set as one uint8 tensor, and batches cut from it.

MNIST is 60,000 images of 28 x 28 bytes: 47 MB, which fits on any device. A batch is a slice of a
random permutation and one indexing operation: no worker processes, no copy to the GPU at each step.

    mnist      handwritten digits, LeCun et al.
    fashion    Fashion-MNIST, arXiv:1708.07747: clothes in the same format
    strokes    digits drawn by strokes.py, no download needed
    doodles    coloured images with sentences, drawn by doodles/; new ones every few epochs
    auto       mnist if its files are found or can be downloaded, else strokes with a loud warning

Images are float32 in [0, 1] once they are in a batch, 0 = black background, 1 = white ink.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch

from minidiff.data import mnist, prompts, strokes
from minidiff.data.doodles import world

NAMES = ("auto", *mnist.CLASSES, "strokes", "doodles")
SIZES = {"strokes": 28, "doodles": 32}  # in pixels, of drawn images, unless a size is given
RENEW = 3  # epochs after which new doodles are drawn
WARNING = """
  ************************************************************************
  *  NOT MNIST: {reason}.
  *  Using 'strokes' instead, digits drawn by this program; losses and images
  *  differ from MNIST's. Set MINIDIFF_DATA to a folder that holds MNIST/raw.
  ************************************************************************
"""


@dataclass(frozen=True)
class Dataset:
    """Labelled images. images: uint8 (N,C,H,W), digits (N,1,28,28). labels: int64 (N,), of doodles
    conditions (N,words). name: which set this really is."""

    name: str
    images: torch.Tensor
    labels: torch.Tensor
    renewed: Callable | None = None  # of an endless set: number -> another part of it

    def __len__(self):
        return len(self.labels)

    def to(self, device) -> "Dataset":
        """Return the same set on `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def at(self, epoch: int) -> "Dataset":
        """Return the set for an epoch, 0, 1, ...: itself or, if endless, a part that changes every
        RENEW epochs and is always the same for a given epoch."""
        return self.renewed(epoch // RENEW).to(self.images.device) if self.renewed else self

    def images_at(self, index) -> torch.Tensor:
        """Return the images at `index`, int64 (B,) or a slice, as float32 in [0, 1]."""
        return self.images[index].float() / 255


def load(name: str = "auto", split: str = "train", data_dir: str = "", size=0) -> Dataset:
    """Return a Dataset by name, read from its files or, for strokes and doodles, drawn.

    name: one of NAMES. split: "train" or "test". data_dir: where the files are or should go;
    default $MINIDIFF_DATA, else "data". size: in pixels, 0 for the set's own; strokes and doodles
    come in any. Raises ValueError for an unknown name or split, for a size that does not exist, and
    for files that are missing (and can't be downloaded) or damaged.
    """
    if name not in NAMES:
        raise ValueError(f"unknown dataset {name!r}; choose from: {', '.join(NAMES)}")
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}; choose from: train, test")
    if size and size != 28 and name not in SIZES:
        raise ValueError(f"only {' and '.join(SIZES)} come in {size} pixels, got {name!r}")
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
        return Dataset(name, *strokes.dataset(count, seed, size or SIZES[name]))
    if name == "doodles":
        return _doodles(60_000 if split == "train" else 2_000, split, size or SIZES[name])
    return Dataset(name, *mnist.load(name, split, root))


def batches(dataset: Dataset, batch_size: int, generator: torch.Generator):
    """Yield batches (x_0, labels), once over the set in random order; the last may be smaller.

    x_0: float32 (B,1,28,28) in [0, 1]. labels: int64 (B,). generator: decides the order.
    """
    order = torch.randperm(len(dataset), generator=generator, device=generator.device)
    for index in order.to(dataset.images.device).split(batch_size):
        yield dataset.images_at(index), dataset.labels[index]


@lru_cache(2)  # the training set and the test set
def _doodles(count, split, size, seed=0) -> Dataset:
    """Return doodles: images uint8 (count,3,size,size), and labels, their sentences' conditions."""
    images, captions, _ = world.dataset(count, seed, size, split)
    labels = prompts.DOODLES.embed(captions).byte()
    return Dataset("doodles", images, labels, partial(_doodles, count, split, size))
