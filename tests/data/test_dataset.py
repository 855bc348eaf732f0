"""dataset.py: a set as one tensor; which folder it is read from; batches."""

import pytest
import torch

from minidiff.data import dataset
from minidiff.data.dataset import Dataset, batches, load


def test_an_epoch_shows_every_image_once_in_an_order_the_generator_decides(tiny):
    """Batches are slices of a permutation: 130 = 64 + 64 + 2, each image once."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    orders = []
    for seed in (0, 0, 1):
        parts = [labels for _, labels in batches(numbered, 64, torch.Generator().manual_seed(seed))]
        assert [len(p) for p in parts] == [64, 64, 2]
        orders.append(torch.cat(parts).tolist())
    assert sorted(orders[0]) == list(range(130)) != orders[0]
    assert orders[0] == orders[1] != orders[2]


def test_images_are_floats_from_0_to_1_with_their_labels(tiny):
    """uint8 / 255, and image k still belongs to label k."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    for x_0, index in batches(numbered, 50, torch.Generator()):
        assert x_0.dtype == torch.float32 and x_0.min() == 0 and x_0.max() == 1
        assert torch.equal((x_0 * 255).round().byte(), tiny.images[index])


def test_a_set_moves_to_a_device_whole(tiny, device):
    """Images, labels and batches are on it; their order still comes from the CPU's generator."""
    moved = tiny.to(device)
    assert len(moved) == 130 and moved.name == tiny.name
    here = list(batches(tiny, 64, torch.Generator().manual_seed(0)))
    there = list(batches(moved, 64, torch.Generator().manual_seed(0)))
    for (x, labels), (x_there, labels_there) in zip(here, there):
        assert x_there.device.type == labels_there.device.type == device.type
        assert torch.equal(x_there.cpu(), x) and torch.equal(labels_there.cpu(), labels)


def test_the_folder_is_the_argument_then_the_environment_then_data(workplace, monkeypatch):
    """--data-dir comes before $MINIDIFF_DATA, which comes before data/."""
    def read(name, split, root):
        return torch.zeros(2, 1, 28, 28, dtype=torch.uint8), [name, split, str(root)]

    monkeypatch.setattr(dataset.mnist, "load", read)
    assert load("fashion", "test").labels == ["fashion", "test", "data"]
    monkeypatch.setenv("MINIDIFF_DATA", "b")
    assert load("fashion", "test").labels == ["fashion", "test", "b"]
    found = load("fashion", "train", "a")
    assert found.labels == ["fashion", "train", "a"] and found.name == "fashion"


def test_auto_without_mnist_is_strokes_with_a_loud_warning(workplace, monkeypatch, capsys):
    """Nobody should mistake strokes for MNIST: the set is named, the warning gives the reason."""
    def missing(name, root):
        raise ValueError("mnist is not in data")

    monkeypatch.setattr(dataset.mnist, "find", missing)
    assert load("auto").name == "strokes"
    assert "NOT MNIST: mnist is not in data." in capsys.readouterr().err


def test_training_and_test_strokes_have_nothing_in_common(workplace):
    """Their seeds differ, so no digit is in both; the same split is the same digits again."""
    train, test, again = load("strokes"), load("strokes", "test"), load("strokes", "test")
    assert torch.equal(test.images, again.images)
    both = torch.cat([train.images, test.images]).flatten(1)
    assert len(both.unique(dim=0)) == len(both) == 260


def test_strokes_are_the_digits_of_their_seeds(monkeypatch):
    """60,000 of seed 1 to train, 10,000 of seed 2 to test, as for the shipped weights: whoever
    draws with seed 2 draws digits that no model was trained on."""
    monkeypatch.setattr(dataset.strokes, "dataset", lambda n, seed, size: ((n, seed), size))
    assert [(load("strokes", split).images, load("strokes", split, size=56).labels)
            for split in ("train", "test")] == [((60_000, 1), 56), ((10_000, 2), 56)]
    assert load("strokes").labels == 28


def test_an_endless_set_is_renewed_every_few_epochs(tiny):
    """For RENEW epochs the same part, then the next; a set that is not endless stays itself."""
    parts = [Dataset("doodles", tiny.images, torch.full((130,), k)) for k in range(3)]
    endless = Dataset("doodles", tiny.images, tiny.labels, parts.__getitem__)
    seen = [endless.at(epoch).labels[0].item() for epoch in range(3 * dataset.RENEW)]
    assert seen == [k for k in range(3) for _ in range(dataset.RENEW)] and tiny.at(5) is tiny


def test_unknown_names_and_sizes_list_what_is_allowed():
    """A set, a split or a size that does not exist is never replaced by another."""
    with pytest.raises(ValueError, match="auto, mnist, fashion, .*strokes"):
        load("cifar")
    with pytest.raises(ValueError, match="train, test"):
        load("strokes", "validation")
    with pytest.raises(ValueError, match="only strokes .*56 pixels, got 'mnist'"):
        load("mnist", size=56)
