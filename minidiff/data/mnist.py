"""MNIST and Fashion-MNIST: find, download, check and read the files.

Files are checked before they are used: their length, their header and, for MNIST, their checksum.
(torchvision checks what it downloads, but not what is already there.) The format is IDX: a header
of big-endian integers (a magic number, then the length of each axis), then the bytes.
"""

import hashlib
import shutil
import socket
import struct
import sys
from pathlib import Path

import torch

from minidiff.system.torchvision_ops import torchvision_datasets

CLASSES = {"mnist": "MNIST", "fashion": "FashionMNIST"}  # ours -> torchvision's
FILES = {  # name -> (bytes, MD5 of MNIST's file)
    "train-images-idx3-ubyte": (47040016, "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": (60008, "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": (7840016, "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": (10008, "27ae3e4e09519cfbb04c329615203637"),
}
CURE = "delete the damaged file and run again to download it, or copy it again"


def find(name: str, root: Path) -> Path:
    """Return the folder with the four files of a set, downloaded if they are missing.

    name: a key of CLASSES. root: the data folder; or, one or two levels below it, that of the set
    or of its files. Raises ValueError if the download fails.
    """
    other = CLASSES["fashion" if name == "mnist" else "mnist"]
    whole = root.expanduser()
    near = [] if other in whole.absolute().parts[-2:] else [whole / "raw", whole]
    for raw in (whole / CLASSES[name] / "raw", whole / CLASSES[name], *near):
        if all(_file(raw, file).is_file() for file in FILES):
            return raw
    raw = whole / CLASSES[name] / "raw"
    download(name, CLASSES[name], whole, raw, f"its four files, {', '.join(FILES)}")
    return raw


def load(name: str, split: str, root: Path):
    """Return a split's images, uint8 (N,1,28,28), and labels, int64 (N,).

    name: a key of CLASSES. split: "train" or "test". Raises ValueError for files that are missing
    (and can't be downloaded) or damaged.
    """
    raw, prefix = find(name, root), "train" if split == "train" else "t10k"
    n = 60_000 if split == "train" else 10_000
    images = _read(raw, f"{prefix}-images-idx3-ubyte", (2051, n, 28, 28), name)
    labels = _read(raw, f"{prefix}-labels-idx1-ubyte", (2049, n), name).long()
    if labels.max() > 9:
        raise ValueError(f"the {name} labels in {raw} do not contain digits only; {CURE}")
    return images.view(n, 1, 28, 28), labels


def _file(raw: Path, name: str) -> Path:
    """Return the path of one of FILES; some copies are called train-images.idx3-ubyte."""
    dotted = raw / name.replace("-idx", ".idx")
    return dotted if dotted.is_file() else raw / name


def download(name: str, kind: str, root: Path, folder: Path, files: str) -> None:
    """Download a set with torchvision, which verifies checksums. ValueError if that fails; no
    folder or file is then left behind.

    kind: its class in torchvision. folder: where its files will be. files: what they are, in words.
    """
    print(f"downloading {name} to {root}", file=sys.stderr, flush=True)
    before, folder = socket.getdefaulttimeout(), folder.absolute()
    made = next((p for p in (*reversed(folder.parents), folder) if not p.exists()), None)
    socket.setdefaulttimeout(20)  # seconds; a network that drops packets would hang forever
    try:
        getattr(torchvision_datasets(), kind)(root, download=True)
        made = None
    except (OSError, RuntimeError, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise ValueError(
            f"{name} is not in {root} and could not be downloaded ({reason}); put {files}, into "
            f"{folder}, or name another folder with --data-dir, or use --dataset strokes, which "
            "needs no files"
        ) from e
    finally:
        socket.setdefaulttimeout(before)
        if made:
            shutil.rmtree(made, ignore_errors=True)


def _read(raw: Path, file: str, header, name) -> torch.Tensor:
    """Return the content of one of FILES, uint8, after its header. ValueError if it is damaged."""
    path, (size, md5) = _file(raw, file), FILES[file]
    content = bytearray(path.read_bytes())
    if len(content) != size:
        raise ValueError(f"{path} is damaged: {len(content):,} bytes, expected {size:,}; {CURE}")
    is_mnist = hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
    if is_mnist != (name == "mnist"):
        raise ValueError(f"{path} " + (
            "is MNIST's, not Fashion-MNIST's; name another folder with --data-dir" if is_mnist
            else f"is damaged: its checksum is not MNIST's; {CURE}"
        ))
    start = 4 * len(header)
    if struct.unpack_from(f">{len(header)}i", content) != header:
        raise ValueError(f"the {name} file {path} is damaged: its header is not {header}; {CURE}")
    return torch.frombuffer(content, dtype=torch.uint8, offset=start)
