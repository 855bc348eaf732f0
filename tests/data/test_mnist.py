"""mnist.py: files are found, downloaded, checked and read; what can go wrong."""

import os
import shutil
import socket
from pathlib import Path

import pytest
import torch

from minidiff.data import mnist
from minidiff.data.catalog import load

MNIST = Path(os.environ.get("MINIDIFF_DATA", "data"))
needs_mnist = pytest.mark.skipif(
    not all((MNIST / "MNIST" / "raw" / name).is_file() for name in mnist.FILES),
    reason="MNIST is not on this machine",
)


@pytest.fixture
def no_network(monkeypatch):
    """Make every download fail at once."""

    def fail(*args, **kwargs):
        raise OSError("no network in tests")

    datasets = mnist.torchvision_datasets()
    monkeypatch.setattr(datasets.mnist, "download_and_extract_archive", fail)


def write_idx(raw, fill=7):
    """Write four files of MNIST's format and size: constant images, labels 0..9 in turn."""
    raw.mkdir(parents=True)
    for name, n in (("train", 60_000), ("t10k", 10_000)):
        head = (2051).to_bytes(4, "big") + n.to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
        (raw / f"{name}-images-idx3-ubyte").write_bytes(head + bytes([fill]) * (n * 784))
        head = (2049).to_bytes(4, "big") + n.to_bytes(4, "big")
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(head + bytes(range(10)) * (n // 10))


def test_files_that_are_there_are_read_and_not_downloaded(tmp_path, no_network):
    """Images uint8 (N,1,28,28) and labels int64 (N,), in the files' order."""
    write_idx(tmp_path / "FashionMNIST" / "raw", 3)
    assert mnist.find("fashion", tmp_path) == tmp_path / "FashionMNIST" / "raw"
    images, labels = mnist.load("fashion", "test", tmp_path)
    assert images.shape == (10_000, 1, 28, 28) and images.dtype == torch.uint8
    assert images.unique().tolist() == [3] and labels.dtype == torch.int64
    assert labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


@pytest.mark.parametrize("rename", [str, lambda name: name.replace("-idx", ".idx")])
@pytest.mark.parametrize("place", [".", "..", "../..", "copy", "copy/raw"])
def test_a_folder_one_or_two_levels_off_is_recognised(tmp_path, no_network, place, rename):
    """That of the set or of its files, also under another name, and with a dot in the names."""
    raw = tmp_path / "FashionMNIST" / "raw"
    write_idx(raw, 3)
    for file in mnist.FILES:
        (raw / file).rename(raw / rename(file))
    if place.startswith("copy"):
        (tmp_path / "copy").mkdir()
        raw = raw.rename(tmp_path / place)
        root = tmp_path / "copy"
    else:
        root = raw / place
    test, train = load("fashion", "test", str(root)), load("fashion", "train", root)
    assert test.images.shape == (10_000, 1, 28, 28) and (test.images == 3).all()
    assert len(train) == 60_000


def test_another_sets_folder_is_not_taken(tmp_path, no_network):
    """Fashion's files in a folder of their own name are not MNIST, nor the other way round."""
    write_idx(tmp_path / "FashionMNIST" / "raw")
    for root in (tmp_path / "FashionMNIST", tmp_path / "FashionMNIST" / "raw"):
        with pytest.raises(ValueError, match="mnist is not in "):
            load("mnist", data_dir=root)


@pytest.mark.parametrize("root", [".", "new", "new/er"])
def test_a_failed_download_leaves_nothing_behind(workplace, no_network, root):
    """Neither folders nor files; its message names the four files."""
    before = sorted(workplace.rglob("*"))
    with pytest.raises(ValueError, match=", ".join(mnist.FILES)):
        load("mnist", data_dir=root)
    assert sorted(workplace.rglob("*")) == before


def test_missing_files_without_network_are_one_sentence(workplace, no_network):
    """What was missing, where, and the three ways out; the socket's timeout is restored."""
    before = socket.getdefaulttimeout()
    with pytest.raises(ValueError, match="could not be downloaded.*--data-dir.*strokes"):
        load("mnist")
    assert socket.getdefaulttimeout() == before


def test_a_data_folder_that_cannot_be_written_is_one_sentence(workplace):
    """A file where the folder should be, in place of a read-only disk: the reason is named."""
    (workplace / "taken").write_text("")
    with pytest.raises(ValueError, match="could not be downloaded.*(Not a directory|exists)"):
        load("fashion", data_dir="taken")


def test_truncated_and_corrupt_files_are_named(tmp_path):
    """A file of the wrong length, or MNIST's with a wrong byte, is rejected, with "auto" too."""
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw)
    for name in ("mnist", "auto"):
        with pytest.raises(ValueError, match="t10k-images-idx3-ubyte is damaged: its checksum"):
            load(name, "test", tmp_path)
    with open(raw / "t10k-images-idx3-ubyte", "r+b") as f:
        f.truncate(1000)
    with pytest.raises(ValueError, match="damaged: 1,000 bytes, expected 7,840,016"):
        load("mnist", "test", tmp_path)


def test_damaged_content_of_the_right_length_is_rejected_for_fashion_too(tmp_path):
    """Its checksums are not known, but its header and its labels are checked."""
    raw = tmp_path / "FashionMNIST" / "raw"
    write_idx(raw)
    path = raw / "t10k-labels-idx1-ubyte"
    intact = path.read_bytes()
    for at, wrong in ((0, b"\xff\xff\xff\xff"), (0, b"\x00\x00\x07\x01"), (0, b"\x00\x00\x0b\x01"),
                      (500, b"\x0a")):
        path.write_bytes(intact[:at] + wrong + intact[at + len(wrong) :])
        with pytest.raises(ValueError, match="fashion.*(damaged|do not contain)"):
            load("fashion", "test", tmp_path)


@needs_mnist
def test_the_real_mnist():
    """60,000 and 10,000 digits with the published class counts and mean 0.1307."""
    train, test = load("mnist", "train", MNIST), load("auto", "test", MNIST)
    assert len(train) == 60_000 and len(test) == 10_000 and test.name == "mnist"
    assert train.labels.bincount().tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949
    ]
    assert train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)


@needs_mnist
def test_reading_leaves_the_folder_unchanged(tmp_path):
    """Nothing is written next to the files, so a read-only folder is enough."""
    shutil.copytree(MNIST / "MNIST", tmp_path / "MNIST")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    load("mnist", "test", tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


@needs_mnist
def test_mnist_is_not_taken_for_fashion(tmp_path):
    """Its files in a folder without a name."""
    (tmp_path / "raw").symlink_to((MNIST / "MNIST" / "raw").absolute())
    with pytest.raises(ValueError, match="is MNIST's, not Fashion-MNIST's"):
        load("fashion", "test", tmp_path)
    assert len(load("mnist", "test", tmp_path)) == 10_000
