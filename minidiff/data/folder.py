"""A folder of your own images as a data set.

    folder:PATH                one folder inside it per class, whose name is the prompt; or images
                               beside text files of the same name, their captions; or just images
    folder:PATH:32:grey        the same at 32 pixels, without colour

Images may have any format, mode and size. They are read once, cropped to the middle square, resized
and kept as one file of bytes in the data folder, until an image or a caption changes. Whether they
have colour is seen from the pixels, unless the name says it.

A fixed 5% of the images, at least one, are the test set: those whose file's name has a small hash.
So an image stays where it is when others are added.
"""

import hashlib
import os
import re
import sys
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from minidiff.data.dataset import Dataset
from minidiff.data.prompts import learned
from minidiff.files import checkpoint, photos

PREFIX, SIZE, COLOURS = "folder:", 32, ("auto", "grey", "colour")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
NAME = re.compile(r"folder:(.+?)(?::(\d+))?(?::(auto|grey|colour))?")
TEST = 0.05  # share of the images that are never trained on
TOLERANCE = 8  # of 255: channels of a grey image may differ by that much


class Place(NamedTuple):
    """What a set's name says. size: side of the images, pixels. colour: one of COLOURS."""

    path: str
    size: int
    colour: str

    @property
    def name(self):
        """The name again, complete: it decides the images."""
        return f"{PREFIX}{self.path}:{self.size}:{self.colour}"


def place(name: str, size=0, colour="auto") -> Place:
    """Return what a name says; a size or colour that is given comes first. Raises ValueError for a
    name that is not of this form or cannot be stored, and for a size that no network takes."""
    path, own, shade = NAME.fullmatch(name).groups() if NAME.fullmatch(name) else ("", "", "")
    found = Place(path, int(size or own or SIZE), shade or "auto")
    found = found if colour == "auto" else found._replace(colour=colour)
    if not path or not found.name.isprintable() or len(found.name) > 200:
        raise ValueError(f"{ascii(name)[:60]} cannot be a data set's name, folder:PATH, of at "
                         "most 190 printable characters; rename the folder, or link to it")
    if found.size < 4 or found.size % 4 or found.size > 1024:
        raise ValueError(f"size must be a multiple of 4 in 4..1024 pixels, got {found.size}")
    return found


def load(name: str, split: str, root: Path, size=0, limit=0) -> Dataset:
    """Return the images of a folder as a Dataset, whose name also says size and colour.

    name: folder:PATH, see `place`; the path may be relative to the data folder `root` too. split:
    "test", or another for the rest. size: of the images, instead of the name's. limit: how many to
    train on are wanted, 0: all; not many more are read. Raises ValueError where there are fewer
    than two images, and for names of classes that are not distinct.
    """
    about = place(name)
    top = next((p for p in (Path(about.path).expanduser(), root / about.path) if p.is_dir()), None)
    if not top:
        raise ValueError(f"there is no folder {about.path}; name one with images: folder:PATH")
    found = _kept(top, size or about.size, root, limit)
    images, share = found["images"], found["share"]
    if len(images) < 2:
        many = "no readable image" if len(images) == 0 else "one readable image"
        raise ValueError(f"{top} holds {many} ({', '.join(SUFFIXES[:3])} ...); a training needs at "
                         "least 2")
    colour = about.colour if about.colour != "auto" else COLOURS[1 + (images.shape[1] == 3)]
    if colour == "grey" and images.shape[1] == 3:
        weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        images = torch.cat([(part * weights).sum(1, keepdim=True).round().byte()
                            for part in images.split(1000)])
    images = images.expand(-1, 3, -1, -1).contiguous() if colour == "colour" else images
    test = share <= max(TEST, share.min().item())
    index = (test if split == "test" else ~test).nonzero().flatten()
    name = about._replace(colour=colour).name
    return part(labelled(name, images, found["texts"], found["classes"]), index)


def part(data: Dataset, index) -> Dataset:
    """Return the set of the images at `index`, int64 (n,)."""
    found = {name: value[index] for name in ("images", "labels", "answers")
             if (value := getattr(data, name)) is not None}
    captions = data.captions and [data.captions[k] for k in index.tolist()]
    return replace(data, **found, captions=captions)


def labelled(name: str, images: torch.Tensor, texts: list[str], classes=True) -> Dataset:
    """Return a Dataset of images and what each shows, in words.

    texts: a prompt for each image; if all are "", there are no conditions. classes: whether they
    are names of classes, which a judge can read, and not captions. Raises ValueError for classes
    whose names have the same words, or none.
    """
    names = sorted(set(texts)) if classes and any(texts) else []
    vocabulary = learned(names or texts, 10_000 if names else 500)
    if not names:
        cond = [vocabulary.embed(texts[k : k + 1000]).byte() for k in range(0, len(texts), 1000)]
        return Dataset(name, images, torch.cat(cond), vocabulary.words, texts)
    cond = vocabulary.embed(names)
    same = {}
    for row, text in zip(cond, names):
        same.setdefault(tuple(row.tolist()), []).append(text)
    if twins := next((n for row, n in same.items() if len(n) > 1 or not any(row)), None):
        raise ValueError(f"classes need names that differ in a word, but there is "
                         f"{' and '.join(map(repr, twins))}; rename one, or merge them")
    single = bool((cond.sum(1) == 1).all())
    if single:  # a class is a word, and a label its index
        names = [names[k] for k in cond.T.argmax(1)]
    answers = torch.tensor([{text: k for k, text in enumerate(names)}[text] for text in texts])
    labels = answers if single else cond.byte()[answers]
    captions = None if single else texts
    return Dataset(name, images, labels, vocabulary.words, captions, {"class": tuple(names)},
                   answers[:, None])


def _kept(top: Path, size: int, root: Path, limit=0) -> dict:
    """Return a folder's `images`, uint8 (N,1 or 3,size,size), each one's `share`, a hash of its
    name in 0..1, and `texts`, and whether those are `classes`: from the file that keeps them or, if
    the folder has changed, read anew. limit: of `load`."""
    files, captions, notes = _listing(top)
    stamp = _digest(repr((sorted(files.items()), sorted(captions.items()))))
    name = re.sub(r"[^A-Za-z0-9]+", "-", top.name)[:50] + f"-{limit}" * bool(limit)
    file = root / "folders" / f"{name}-{size}-{_digest(os.path.realpath(top))}.pt"
    share = {f: int(_digest(Path(f).as_posix())[:8], 16) / 16**8 for f in sorted(files)}
    if limit:  # evenly spread over each of the two parts
        parts = [[f for f in share if (share[f] <= TEST) == test] for test in (False, True)]
        chosen = {p[k * len(p) // n] for p in parts if (n := min(len(p), limit + 2))
                  for k in range(n)}
        share = {f: share[f] for f in share if f in chosen}
    with suppress(ValueError, KeyError, TypeError):  # a damaged file is made again
        if file.is_file() and (found := checkpoint.read(file))["stamp"] == stamp:
            return found
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    texts = _texts(top, [*share], captions)
    images, good = _read(top, [*share], size)
    found = {"stamp": stamp, "images": images, "share": torch.tensor([*share.values()])[good],
             "texts": [texts[k] for k in good], "classes": not captions}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write(file, found)
    except OSError as e:
        print(f"note: {file}: {e.strerror}; the images are read again next time", file=sys.stderr)
    return found


def _listing(top: Path):
    """Return the images in a folder and below, {path within it: (bytes, time of change)}, the same
    for their captions, and notes on what is left out."""
    files, captions, notes, seen = {}, {}, [], set()
    for where, folders, names in os.walk(top, followlinks=True):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        inside, before = os.path.relpath(where, top), len(files)
        if os.path.realpath(where) in seen:
            folders.clear()
            notes.append(f"{ascii(inside)} leads to a folder that is read already; left out")
            continue
        seen.add(os.path.realpath(where))
        texts = {n[:-4] for n in names if n.endswith(".txt")}
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                stem, file = os.path.splitext(name)[0], os.path.normpath(os.path.join(inside, name))
                files[file] = _state(os.path.join(where, name))
                if stem in texts:
                    captions[file] = _state(os.path.join(where, stem + ".txt"))
        if len(files) == before and not folders and inside != os.curdir:
            notes.append(f"the folder {ascii(inside)} has no images, so it is no class; left out")
    loose = [file for file in files if os.sep not in file]
    if not captions and len(loose) < len(files):
        for file in loose:
            notes.append(f"{ascii(file)} is in no class's folder; left out")
            del files[file]
    return files, captions, notes


def _state(path):
    """Return a file's length and its time of change; those of a broken link are zeros."""
    with suppress(OSError):
        about = os.stat(path)
        return about.st_size, about.st_mtime_ns
    return 0, 0


def _texts(top: Path, files: list[str], captions: dict) -> list[str]:
    """Return what each image shows: its caption, if any image has one; else its class, the name of
    the folder inside `top` that it is in; else "". Raises ValueError for two spellings of a class,
    and for a name that is not text."""
    if captions:
        if missing := sum(file not in captions for file in files):
            print(f"note: {missing:,} of {len(files):,} images have no caption", file=sys.stderr)
        stems = [top / f"{os.path.splitext(f)[0]}.txt" if f in captions else None for f in files]
        return [" ".join(s.read_text("utf-8", "replace").split()) if s else "" for s in stems]
    folders = [file.split(os.sep)[0] if os.sep in file else "" for file in files]
    classes = {}
    for folder in sorted({*folders} - {""}):
        if not folder.isprintable():
            raise ValueError(f"the name of the folder {ascii(folder)} is no text in UTF-8; rename "
                             "it, since it will be a prompt")
        text = " ".join(unicodedata.normalize("NFC", folder).replace("_", " ").lower().split())
        if twin := next((other for other, known in classes.items() if known == text), None):
            raise ValueError(f"{twin!r} and {folder!r} in {top} are two spellings of one class; "
                             "rename one, or merge them")
        classes[folder] = text
    return [classes.get(folder, "") for folder in folders]


def _read(top: Path, files: list[str], size: int):
    """Return images, uint8 (N,1 or 3,size,size), and the indices of the files that are readable.
    Others are named, and counted at the end."""
    images, good = torch.empty(len(files), 3, size, size, dtype=torch.uint8), []
    with tqdm(files, desc="reading images", unit="image", disable=not files) as bar:
        for k, file in enumerate(bar):
            try:
                x = photos.load_image(top / file, (3, size, size))
                images[len(good)] = (255 * x[0]).round().byte()
                good.append(k)
            except (ValueError, OSError) as e:
                bar.write(f"left out: {ascii(str(e))[1:-1]}", file=sys.stderr)
    if lost := len(files) - len(good):
        print(f"note: {lost:,} of {len(files):,} files cannot be read and are left out",
              file=sys.stderr)
    images = images[: len(good)]
    spread = max(((part.amax(1) - part.amin(1)).max().item() for part in images.split(1000)
                  if len(part)), default=0)
    return (images[:, :1] if spread <= TOLERANCE else images).clone(), good


def _digest(text: str) -> str:
    return hashlib.md5(os.fsencode(text), usedforsecurity=False).hexdigest()
