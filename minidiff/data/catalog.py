"""The data sets there are, by name.

    mnist      handwritten digits, LeCun et al.
    fashion    Fashion-MNIST, arXiv:1708.07747: clothes in the same format
    strokes    digits drawn by strokes.py, no download needed
    doodles    coloured images with sentences, drawn by doodles/; new ones every few epochs
    cifar10    coloured photos of ten kinds of animals and vehicles (cifar.py)
    folder:X   your own images, in the folder X (folder.py)
    auto       mnist if its files are found or can be downloaded, else strokes with a loud warning

Another set is one function, added to SETS.
"""

import os
import sys
from collections import Counter
from functools import lru_cache, partial
from pathlib import Path

import torch

from minidiff.data import cifar, folder, mnist, prompts, strokes
from minidiff.data.dataset import Dataset
from minidiff.data.doodles import world
from minidiff.files import photos

SIZES = {"strokes": 28, "doodles": 32}  # in pixels, of drawn images, unless a size is given
SPLITS = ("train", "test", "all", "held_out")  # the last two differ only for doodles (world.py)
WARNING = """
  ************************************************************************
  *  NOT MNIST: {reason}.
  *  Using 'strokes' instead, digits drawn by this program; losses and images
  *  differ from MNIST's. Set MINIDIFF_DATA to a folder that holds MNIST/raw.
  ************************************************************************
"""


def load(name: str = "auto", split="train", data_dir="", size=0, limit=0) -> Dataset:
    """Return a Dataset by name, read from its files or, for strokes and doodles, drawn.

    name: a key of SETS, auto or folder:PATH. split: one of SPLITS. data_dir: where the files are or
    should go; default $MINIDIFF_DATA, else "data". size: in pixels, 0 for the set's own; strokes,
    doodles and folders come in any. limit: how many images to train on will be taken; a folder
    reads no more than it needs for them. Raises ValueError for an unknown name or split, for a size
    that does not exist, and for files that are missing (and can't be downloaded) or damaged.
    """
    own = name.startswith(folder.PREFIX)
    if not own and name not in ("auto", *SETS):
        known = ", ".join(("auto", *SETS, f"{folder.PREFIX}PATH"))
        raise ValueError(f"unknown dataset {name!r}; choose from: {known}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from: {', '.join(SPLITS)}")
    if size and size != 28 and not own and name not in SIZES:
        raise ValueError(f"only {', '.join(SIZES)} and folders come in {size} pixels, got {name!r}")
    root = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data")
    if own:
        return folder.load(name, split, root, size, limit)
    if name == "auto":
        try:
            mnist.find("mnist", root)
            name = "mnist"
        except ValueError as e:
            print(WARNING.format(reason=e), file=sys.stderr, flush=True)
            name = "strokes"
    return SETS[name](split, root, size or SIZES.get(name, 0))


def named(name: str, size=0, colour="auto") -> str:
    """Return a set's name that also says the size and colour of a folder's images. Raises
    ValueError for a size or a colour of another set."""
    if name.startswith(folder.PREFIX):
        return folder.place(name, size, colour).name
    if size or colour != "auto":
        raise ValueError("--size and --colour are of use with --dataset folder:PATH only; leave "
                         "them out")
    return name


def size_of(name: str) -> int:
    """Return the side of a set's images, pixels, from its name."""
    return folder.place(name).size if name.startswith(folder.PREFIX) else SIZES.get(name, 28)


def about(data: Dataset) -> dict:
    """Return what a model keeps of its training set: up to 100 `examples` of prompts, names of
    classes or frequent captions, and whether its images are `light_on_dark`."""
    classes = (data.questions or {}).get("class") or (() if data.captions else data.words)
    found = classes or [text for text, _ in Counter(data.captions or ()).most_common(100)]
    found = [text for text in found if text.isprintable() and 0 < len(text) <= 200]
    sample = data.images_at(slice(0, None, max(1, len(data) // 500)))
    return {"examples": found[:100], "light_on_dark": not photos.dark_on_light(sample)}


def questions(name: str) -> dict | None:
    """Return the questions that a judge of this set answers; None if they are not known by name."""
    if name in ("mnist", "strokes"):
        return {"digit": prompts.DIGITS.words}
    return {"doodles": world.QUESTIONS, "cifar10": {"class": cifar.WORDS}}.get(name)


@lru_cache(2)  # the training set and the test set
def _doodles(count, split, size, seed) -> Dataset:
    """Return doodles: images uint8 (count,3,size,size), and labels, their sentences' conditions."""
    images, captions, scenes = world.dataset(count, seed, size, split)
    labels = prompts.DOODLES.embed(captions).byte()
    answers = torch.stack(scenes, 1)
    answers[answers[:, 1] == 0, 1] = -1  # a caption without a medium asks for none
    return Dataset("doodles", images, labels, prompts.DOODLES.words, captions, world.QUESTIONS,
                   answers, partial(_doodles, count, split, size))


def _from_idx(name, split, root, size) -> Dataset:
    return Dataset(name, *mnist.load(name, "train" if split == "all" else split, root))


def _cifar10(split, root, size) -> Dataset:
    return Dataset("cifar10", *cifar.load(split, root), cifar.WORDS, None, {"class": cifar.WORDS})


def _strokes(split, root, size) -> Dataset:
    count, seed = (10_000, 2) if split == "test" else (60_000, 1)
    return Dataset("strokes", *strokes.dataset(count, seed, size))


SETS = {  # name: (split, data folder, size in pixels or 0) -> Dataset
    **{name: partial(_from_idx, name) for name in mnist.CLASSES}, "strokes": _strokes,
    "doodles": lambda split, root, size: _doodles(
        2_000 if split in ("test", "held_out") else 60_000, split, size, 0),
    "cifar10": _cifar10,
}
