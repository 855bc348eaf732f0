"""data.py: a set as one tensor; where it comes from; what goes wrong."""

import os
import shutil

import pytest
import torch

from minidiff.data import dataset
from minidiff.data.dataset import Dataset, batches, load

MNIST = os.environ.get("MINIDIFF_DATA", "data")
needs_mnist = pytest.mark.skipif(
    not dataset._lie_in(dataset.Path(MNIST) / "MNIST" / "raw"), reason="MNIST is not on this machine"
)


@pytest.fixture
def no_network(monkeypatch):
    """Let every download fail at once."""

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    datasets = dataset.torchvision_datasets()
    monkeypatch.setattr(datasets.mnist, "download_and_extract_archive", refuse)


def write_idx(raw, fill=7):
    """Write four files of MNIST's format and size: constant pictures, labels 0..9 in turn."""
    raw.mkdir(parents=True)
    for name, n in (("train", 60_000), ("t10k", 10_000)):
        head = (2051).to_bytes(4, "big") + n.to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
        (raw / f"{name}-images-idx3-ubyte").write_bytes(head + bytes([fill]) * (n * 784))
        head = (2049).to_bytes(4, "big") + n.to_bytes(4, "big")
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(head + bytes(range(10)) * (n // 10))


def test_an_epoch_shows_every_picture_once_in_an_order_the_generator_decides(tiny):
    """Batches are slices of a permutation: 130 = 64 + 64 + 2, each picture once."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    orders = []
    for seed in (0, 0, 1):
        parts = [labels for _, labels in batches(numbered, 64, torch.Generator().manual_seed(seed))]
        assert [len(p) for p in parts] == [64, 64, 2]
        orders.append(torch.cat(parts).tolist())
    assert sorted(orders[0]) == list(range(130))
    assert orders[0] == orders[1] != orders[2]


def test_pictures_are_floats_from_0_to_1_beside_their_labels(tiny):
    """uint8 / 255, and picture k still belongs to label k."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    for x_0, index in batches(numbered, 50, torch.Generator()):
        assert x_0.dtype == torch.float32 and x_0.min() == 0 and x_0.max() == 1
        assert torch.equal((x_0 * 255).round().byte(), tiny.images[index])


def test_files_are_read_from_the_folder_named_first(tmp_path, monkeypatch, no_network):
    """--data-dir before $MINIDIFF_DATA before data/."""
    for place, fill in (("a", 1), ("b", 2), ("data", 3)):
        write_idx(tmp_path / place / "FashionMNIST" / "raw", fill)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    assert load("fashion", "test").images.unique().tolist() == [3]
    monkeypatch.setenv("MINIDIFF_DATA", "b")
    assert load("fashion", "test").images.unique().tolist() == [2]
    found = load("fashion", "test", "a")
    assert found.images.unique().tolist() == [1] and found.name == "fashion"
    assert found.images.shape == (10_000, 1, 28, 28) and found.images.dtype == torch.uint8
    assert found.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_auto_without_mnist_is_strokes_with_a_loud_warning(workplace, no_network, capsys):
    """Nobody shall take drawn digits for MNIST: the set is named, the warning stands out."""
    assert load("auto").name == "strokes"
    assert "NOT MNIST" in capsys.readouterr().err


def test_missing_files_without_network_are_one_sentence(workplace, no_network):
    """What was looked for, where, and the three ways out."""
    with pytest.raises(ValueError, match="could not be downloaded.*--data-dir.*strokes"):
        load("mnist")


def test_a_data_folder_that_cannot_be_written_is_one_sentence(workplace):
    """A file where the folder should be stands in for a read-only disk: the reason is told."""
    (workplace / "taken").write_text("")
    with pytest.raises(ValueError, match="could not be downloaded.*(Not a directory|exists)"):
        load("fashion", data_dir="taken")


def test_truncated_and_corrupt_files_are_named(tmp_path):
    """A file of the wrong length, or MNIST's with a wrong byte, is refused, also by auto."""
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw)
    for name in ("mnist", "auto"):
        with pytest.raises(ValueError, match="t10k-images-idx3-ubyte is damaged: its checksum"):
            load(name, "test", tmp_path)
    with open(raw / "t10k-images-idx3-ubyte", "r+b") as f:
        f.truncate(1000)
    with pytest.raises(ValueError, match="damaged: 1,000 bytes, expected 7,840,016"):
        load("mnist", "test", tmp_path)


def test_damaged_content_of_the_right_length_is_refused_for_fashion_too(tmp_path):
    """Without a known checksum the header is still read."""
    raw = tmp_path / "FashionMNIST" / "raw"
    write_idx(raw)
    for magic in (b"\xff\xff\xff\xff", b"\x00\x00\x07\x01", b"\x00\x00\x0b\x01"):
        with open(raw / "t10k-labels-idx1-ubyte", "r+b") as f:
            f.write(magic)
        with pytest.raises(ValueError, match="fashion.*damaged"):
            load("fashion", "test", tmp_path)


def test_unknown_names_list_what_is_allowed():
    """Neither a set nor a split is guessed."""
    with pytest.raises(ValueError, match="auto, mnist, fashion, strokes"):
        load("cifar")
    with pytest.raises(ValueError, match="train, test"):
        load("strokes", "validation")


@needs_mnist
def test_the_real_mnist():
    """60,000 and 10,000 digits with the published class counts and mean 0.1307."""
    train, test = load("mnist", "train"), load("auto", "test")
    assert len(train) == 60_000 and len(test) == 10_000 and test.name == "mnist"
    assert train.labels.bincount().tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949
    ]
    assert train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)


@needs_mnist
def test_a_read_only_folder_is_enough_where_the_files_lie(tmp_path):
    """Reading must not write beside the files."""
    shutil.copytree(MNIST + "/MNIST", tmp_path / "MNIST")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    load("mnist", "test", tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
