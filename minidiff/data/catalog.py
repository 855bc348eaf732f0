"""The data sets there are, by name.

    mnist      handwritten digits, LeCun et al.
    fashion    Fashion-MNIST, arXiv:1708.07747: clothes in the same format
    strokes    digits drawn by strokes.py, no download needed
    doodles    coloured images with sentences, drawn by doodles/; new ones every few epochs
    auto       mnist if its files are found or can be downloaded, else strokes with a loud warning
"""

import os
import sys
from functools import lru_cache, partial
from pathlib import Path

import torch

from minidiff.data import mnist, prompts, strokes
from minidiff.data.dataset import Dataset
from minidiff.data.doodles import world

NAMES = ("auto", *mnist.CLASSES, "strokes", "doodles")
SIZES = {"strokes": 28, "doodles": 32}  # in pixels, of drawn images, unless a size is given
SPLITS = ("train", "test", "all", "held_out")  # the last two differ only for doodles (world.py)
WARNING = """
  ************************************************************************
  *  NOT MNIST: {reason}.
  *  Using 'strokes' instead, digits drawn by this program; losses and images
  *  differ from MNIST's. Set MINIDIFF_DATA to a folder that holds MNIST/raw.
  ************************************************************************
"""


def load(name: str = "auto", split: str = "train", data_dir: str = "", size=0) -> Dataset:
    """Return a Dataset by name, read from its files or, for strokes and doodles, drawn.

    name: one of NAMES. split: one of SPLITS. data_dir: where the files are or should go; default
    $MINIDIFF_DATA, else "data". size: in pixels, 0 for the set's own; strokes and doodles come in
    any. Raises ValueError for an unknown name or split, for a size that does not exist, and for
    files that are missing (and can't be downloaded) or damaged.
    """
    if name not in NAMES:
        raise ValueError(f"unknown dataset {name!r}; choose from: {', '.join(NAMES)}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from: {', '.join(SPLITS)}")
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
        count, seed = (10_000, 2) if split == "test" else (60_000, 1)
        return Dataset(name, *strokes.dataset(count, seed, size or SIZES[name]))
    if name == "doodles":
        count = 2_000 if split in ("test", "held_out") else 60_000
        return _doodles(count, split, size or SIZES[name], 0)
    return Dataset(name, *mnist.load(name, "train" if split == "all" else split, root))


def questions(name: str) -> dict | None:
    """Return the questions that a judge of this set answers; None if they are not known by name."""
    if name in ("mnist", "strokes"):
        return {"digit": prompts.DIGITS.words}
    return world.QUESTIONS if name == "doodles" else None


@lru_cache(2)  # the training set and the test set
def _doodles(count, split, size, seed) -> Dataset:
    """Return doodles: images uint8 (count,3,size,size), and labels, their sentences' conditions."""
    images, captions, scenes = world.dataset(count, seed, size, split)
    labels = prompts.DOODLES.embed(captions).byte()
    answers = torch.stack(scenes, 1)
    answers[answers[:, 1] == 0, 1] = -1  # a caption without a medium asks for none
    return Dataset("doodles", images, labels, prompts.DOODLES.words, captions, world.QUESTIONS,
                   answers, partial(_doodles, count, split, size))
