"""MNIST and Fashion-MNIST: find, download, check and read the files.

Files are checked before they are used: their length, and for MNIST their checksum too.
(torchvision checks what it downloads, but not what is already there.)
"""

import hashlib
import socket
import sys
from pathlib import Path

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

    name: a key of CLASSES. root: the data folder. Raises ValueError if the download fails.
    """
    raw = root / CLASSES[name] / "raw"
    if not all((raw / file).is_file() for file in FILES):
        _download(name, root)
    return raw


def load(name: str, split: str, root: Path):
    """Return a split's images, uint8 (N,1,28,28), and labels, int64 (N,).

    name: a key of CLASSES. split: "train" or "test". Raises ValueError for files that are missing
    (and can't be downloaded) or damaged.
    """
    raw = find(name, root)
    _verify(raw, split, with_md5=name == "mnist")
    try:
        found = getattr(torchvision_datasets(), CLASSES[name])(root, train=split == "train")
    except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as e:
        raise ValueError(f"the {name} files in {raw} are damaged; {CURE}") from e
    size = (60_000 if split == "train" else 10_000, 28, 28)
    images, labels = found.data, found.targets.long()
    fits = images.shape == size and labels.shape == size[:1]
    if not fits or not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"the {name} files in {raw.parent} do not contain {size} digits; {CURE}")
    return images.unsqueeze(1).contiguous(), labels


def _download(name: str, root: Path) -> None:
    """Download with torchvision, which verifies checksums. ValueError if that fails."""
    print(f"downloading {name} to {root}", file=sys.stderr, flush=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; a network that drops packets would hang forever
    try:
        getattr(torchvision_datasets(), CLASSES[name])(root, download=True)
    except (OSError, RuntimeError, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise ValueError(
            f"{name} is not in {root} and could not be downloaded ({reason}); put its four files "
            f"into {root / CLASSES[name] / 'raw'}, or name another folder with --data-dir, "
            "or use --dataset strokes, which needs no files"
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
                f"{raw / file} is damaged: {len(content):,} bytes, expected {size:,}; {CURE}"
            )
        if with_md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise ValueError(f"{raw / file} is damaged: its checksum is not MNIST's; {CURE}")
