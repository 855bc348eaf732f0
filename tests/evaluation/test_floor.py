"""metrics.py: the floor, the distance of real digits with the labels of the samples."""

import os
from pathlib import Path

import pytest
import torch

from minidiff.data import catalog, strokes
from minidiff.data.dataset import Dataset
from minidiff.evaluation.metrics import Measure, _parts
from minidiff.models import zoo
from minidiff.network.registry import rebuild

LABELLED = [True, False]
MNIST = Path(os.environ.get("MINIDIFF_DATA") or "data")


def balanced(n):
    return torch.arange(n) % 10


def mean_ratio(measure, real, n, labelled, draws):
    """Return the mean ratio of n real digits, over so many disjoint draws of them. real: Dataset,
    of which the floor uses no digit."""
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(1))
    found = []
    for k in range(draws):
        index = order[k * n : (k + 1) * n]
        if labelled:
            groups = [order[real.labels[order] == digit] for digit in range(10)]
            each = n // 10
            index = torch.cat([group[k * each : (k + 1) * each] for group in groups])
        assert len(index) == n
        labels = real.labels[index] if labelled else None
        found.append(measure.distance(real.images_at(index)) / measure.floor(n, labels))
    return sum(found) / len(found)


def drawn(n, seed):
    """Return n strokes, as many of each digit."""
    images = strokes.draw(balanced(n), generator=torch.Generator().manual_seed(seed))
    return Dataset("strokes", images, balanced(n))


@pytest.fixture(scope="module")
def whole(measure):
    """A Measure of larger sets of strokes with the same judge, and digits that are in neither."""
    return Measure(measure.judge, drawn(6000, 11), drawn(1000, 12)), drawn(4000, 13)


@pytest.mark.parametrize("labelled", LABELLED)
@pytest.mark.parametrize("n, draws", [(20, 20), (100, 20), (500, 5)])
def test_real_digits_have_a_ratio_of_1(whole, n, draws, labelled):
    """Within the noise, whether they are balanced or drawn at random; with the floor of the other
    kind they would not have it."""
    measure, real = whole
    ratio = mean_ratio(measure, real, n, labelled, draws)
    assert ratio == pytest.approx(1, abs=0.2 if labelled else 0.4)
    labels, other = (balanced(n), None) if labelled else (None, balanced(n))
    wrong = ratio * measure.floor(n, labels) / measure.floor(n, other)
    assert wrong < 0.75 if labelled else wrong > 1.4


def test_samples_are_compared_with_the_floor_of_their_own_labels(whole):
    """As many of each digit as in the labels, whatever their order; at random without labels."""
    measure, real = whole
    x, labels = real.images_at(slice(0, 30)), real.labels[:30]
    assert measure(x, labels)["floor"] == measure.floor(30, labels.flip(0))
    assert measure(x)["floor"] == measure.floor(30) > 1.5 * measure.floor(30, labels)
    assert measure.floor(30, labels.clamp(max=4)) > 1.5 * measure.floor(30, labels)


def test_the_floors_digits_have_the_counts_of_the_labels():
    """Up to ten disjoint parts; with fewer digits, fewer; a class that is too small is repeated."""
    order, classes = torch.arange(100), torch.arange(100) % 10
    found = _parts(order, classes, (1, 2, *[0] * 8))
    assert len(found) == 5 and all((part % 10).tolist() == [0, 1, 1] for part in found)
    assert len(torch.cat(found).unique()) == 15
    assert len(_parts(order, 0 * classes, (7,))) == 10
    (one,) = _parts(order, classes, (25, 1))
    assert (one % 10).bincount().tolist() == [25, 1] and len(one.unique()) == 11


@pytest.mark.parametrize("labelled", LABELLED)
@pytest.mark.parametrize("n", [40, 100])
def test_real_digits_of_mnist_have_a_ratio_of_1_with_the_shipped_judge(n, labelled):
    """The same with the judge and the data of the published numbers. A floor drawn at random gives
    balanced digits a ratio of 0.4."""
    measure, real = shipped()
    ratio = mean_ratio(measure, real, n, labelled, 20)
    assert ratio == pytest.approx(1, abs=0.2 if labelled else 0.4)


def shipped(cache={}):  # noqa: B006
    """Return the shipped judge's Measure, and MNIST's training digits that no floor of n <= 500 has
    used, with 3,000 test digits; skip the test where there is no MNIST."""
    if not (MNIST / "MNIST" / "raw").is_dir():
        pytest.skip("there is no MNIST here")
    if not cache:
        train, test = (catalog.load("mnist", s, str(MNIST)) for s in ("train", "test"))
        test = Dataset("mnist", test.images[:3000], test.labels[:3000])
        judge = rebuild(zoo.load_kind("classifier", str(zoo.snapshots("classifier")[-1])))
        cache["measure"] = Measure(judge, train, test)
        order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0))[-10_000:]
        cache["real"] = Dataset("mnist", train.images[order], train.labels[order])
    return cache["measure"], cache["real"]
