"""cifar.py: files in CIFAR-10's layout are found, checked and read without running code."""

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch

from minidiff.data import cifar, mnist
from minidiff.data.catalog import load


def write(folder, monkeypatch, each=20, **changed):
    """Write six files in the published layout, and enter their checksums; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for name in cifar.FILES:
        data = generator.integers(256, size=(each, 3072), dtype=np.uint8)
        labels = [k % 10 for k in range(each)]
        content = {"data": data, "labels": labels, "batch_label": name, **changed}
        enter(folder / name, pickle.dumps(content, protocol=2), monkeypatch)
    return folder


def enter(file, content, monkeypatch):
    """Write a file, and make its checksum the published one."""
    file.write_bytes(content)
    monkeypatch.setitem(cifar.FILES, file.name, hashlib.md5(content).hexdigest())


@pytest.mark.parametrize("place", ["data/cifar-10-batches-py", "data"])
def test_files_are_read_as_published(workplace, monkeypatch, place):
    """Five batches to train on, one to test; a row is 1,024 red bytes, then green, then blue."""
    folder = write(workplace / place, monkeypatch)
    train, test = load("cifar10"), load("cifar10", "test")
    assert train.shape == test.shape == (3, 32, 32) and (len(train), len(test)) == (100, 20)
    assert train.words[3] == "cat" and train.prompts_at(torch.tensor([3])) == ["cat"]
    found = pickle.loads((folder / "test_batch").read_bytes())
    assert test.images[1, 2, 5, 7] == found["data"][1, 2 * 1024 + 5 * 32 + 7]
    assert test.labels.tolist() == found["labels"]
    assert test.judged().labels.shape == (20, 1) and len(test.judged().questions["class"]) == 10


def test_a_changed_file_is_refused(workplace, monkeypatch):
    """By its checksum, before it is unpickled."""
    folder = write(workplace / "data", monkeypatch)
    with open(folder / "data_batch_3", "ab") as f:
        f.write(b"x")
    with pytest.raises(ValueError, match="data_batch_3 is damaged: its checksum is not CIFAR-10's"):
        load("cifar10")


class Evil:
    """What runs a command where a pickle is read carelessly."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


def test_code_in_a_file_is_never_run(workplace, monkeypatch):
    """Even if the checksum were right: only arrays and plain values are read."""
    folder = write(workplace / "data", monkeypatch)
    enter(folder / "test_batch", pickle.dumps({"data": Evil()}), monkeypatch)
    with pytest.raises(ValueError, match="damaged: it would import .*mkdir"):
        load("cifar10", "test")
    assert not (workplace / "was-run").exists()
    enter(folder / "test_batch", pickle.dumps({"data": np.zeros((2, 10), np.uint8)}), monkeypatch)
    with pytest.raises(ValueError, match="test_batch is damaged"):
        load("cifar10", "test")


def test_missing_files_are_downloaded_or_named(workplace, monkeypatch):
    """By torchvision; without a network a sentence says where they should be."""
    class Failing:
        def CIFAR10(self, root, download):  # noqa: N802
            raise OSError("no network in tests")

    monkeypatch.setattr(mnist, "torchvision_datasets", Failing)
    with pytest.raises(ValueError, match="cifar10 is not in data .* its six files, data"):
        load("cifar10")
    assert not (workplace / "data").exists()


def test_the_checksums_are_those_of_torchvision():
    """Published constants, compared with an independent copy."""
    known = mnist.torchvision_datasets().CIFAR10
    assert dict(known.train_list + known.test_list) == cifar.FILES
    assert known.base_folder == cifar.FOLDER
