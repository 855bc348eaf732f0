"""catalog.py: which set a name means, and which folder it is read from."""

import pytest
import torch

from minidiff.data import catalog
from minidiff.data.catalog import load


def test_the_folder_is_the_argument_then_the_environment_then_data(workplace, monkeypatch):
    """--data-dir comes before $MINIDIFF_DATA, which comes before data/."""
    def read(name, split, root):
        return torch.zeros(2, 1, 28, 28, dtype=torch.uint8), [name, split, str(root)]

    monkeypatch.setattr(catalog.mnist, "load", read)
    assert load("fashion", "test").labels == ["fashion", "test", "data"]
    monkeypatch.setenv("MINIDIFF_DATA", "b")
    assert load("fashion", "test").labels == ["fashion", "test", "b"]
    found = load("fashion", "train", "a")
    assert found.labels == ["fashion", "train", "a"] and found.name == "fashion"


def test_auto_without_mnist_is_strokes_with_a_loud_warning(workplace, monkeypatch, capsys):
    """Nobody should mistake strokes for MNIST: the set is named, the warning gives the reason."""
    def missing(name, root):
        raise ValueError("mnist is not in data")

    monkeypatch.setattr(catalog.mnist, "find", missing)
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
    monkeypatch.setattr(catalog.strokes, "dataset", lambda n, seed, size: ((n, seed), size))
    assert [(load("strokes", split).images, load("strokes", split, size=56).labels)
            for split in ("train", "test")] == [((60_000, 1), 56), ((10_000, 2), 56)]
    assert load("strokes").labels == 28


def test_unknown_names_and_sizes_list_what_is_allowed():
    """A set, a split or a size that does not exist is never replaced by another."""
    with pytest.raises(ValueError, match="auto, mnist, fashion, .*strokes"):
        load("cifar")
    with pytest.raises(ValueError, match="train, test"):
        load("strokes", "validation")
    with pytest.raises(ValueError, match="only strokes.*56 pixels, got 'mnist'"):
        load("mnist", size=56)


def test_the_first_doodles_are_drawn_once(monkeypatch):
    """What `load` drew is what the first epoch trains on: drawing takes minutes."""
    drawn = []

    real = catalog.world.dataset
    monkeypatch.setattr(catalog.world, "dataset", lambda count, *rest: (
        drawn.append((count, *rest)), real(4, *rest))[1])
    catalog._doodles.cache_clear()
    found = load("doodles", "train", size=8)
    assert torch.equal(found.at(0).images, found.images)
    assert drawn == [(60_000, 0, 8, "train")]
    catalog._doodles.cache_clear()
