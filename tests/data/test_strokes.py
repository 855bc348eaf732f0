"""strokes.py, the digits: seeds, shapes, and how similar to MNIST they are."""

import pytest
import torch
from torch.nn import functional as F

from minidiff.data import strokes
from minidiff.data.strokes import POINTS, TEMPLATES, dataset, draw

MNIST_MEAN = 0.1307  # of full scale, over the 60,000 training digits


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits():
    """1500 digits, 150 per class, and their labels."""
    return dataset(1500, seed=0)


def unit(images):
    return images[:, 0].double() / 255


def euler(images):
    """Parts minus holes of each image (N, H, W): corners - edges + pixels of the inked cells."""
    ink = F.pad((images > 127).float(), (1, 1, 1, 1))[:, None]
    cells = [F.max_pool2d(ink, kernel, 1).sum((1, 2, 3)) for kernel in [1, (1, 2), (2, 1), 2]]
    return (cells[0] - cells[1] - cells[2] + cells[3]).long()


# Seeds


def test_same_seed_same_pixels():
    """A seed decides every pixel and label, whatever torch's global generator does."""
    first = dataset(60, seed=3)
    torch.manual_seed(99), torch.rand(5)
    again = dataset(60, seed=3)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_no_generator_is_the_global_one():
    """draw without a generator uses torch's global one and advances it."""
    labels = torch.arange(10)
    torch.manual_seed(5)
    one, two = draw(labels), draw(labels)
    assert torch.equal(one, draw(labels, generator=seeded(5)))
    assert not torch.equal(one, two)


def test_every_digit_is_different():
    """No digit is repeated, neither within a set nor with another seed."""
    images = torch.cat([dataset(500, seed=1)[0], dataset(500, seed=2)[0]])
    assert len(images.flatten(1).unique(dim=0)) == 1000


def test_size_changes_only_the_detail():
    """Digits drawn at 56 pixels and pooled by 2 are those drawn at 28, in every batch."""
    labels = torch.arange(strokes.BATCH + 50) % 10
    small, large = (draw(labels, size, seeded(4)).float() / 255 for size in (28, 56))
    pooled = F.avg_pool2d(large, 2)
    worst = (pooled - small).abs().mean((1, 2, 3)).amax()
    others = (pooled.roll(10, 0) - small).abs().mean((1, 2, 3)).mean()
    assert (pooled - small).abs().mean() < 0.004
    assert worst < 0.012 < 0.06 < others


def test_the_size_of_a_block_of_memory_changes_no_pixel(monkeypatch):
    """Drawn one by one, the digits are the same."""
    labels = torch.arange(30) % 10
    whole = draw(labels, generator=seeded(6))
    monkeypatch.setattr(strokes, "BLOCK", 1)
    assert torch.equal(whole, draw(labels, generator=seeded(6)))


# The pen


def test_every_variant_is_used(monkeypatch):
    """Each digit has three templates or more, and a label uses only its own, each about equally
    often: without jitter, as many different digits are drawn as there are templates."""
    digit_of = [int(line[0]) for line in TEMPLATES.split("\n")[1:-1]]
    assert strokes.COUNT.min() >= 3
    for digit, (first, count) in enumerate(zip(strokes.FIRST, strokes.COUNT, strict=True)):
        assert digit_of[first : first + count] == [digit] * count
    assert strokes.COUNT.sum() == len(digit_of) == len(POINTS)
    monkeypatch.setattr(torch, "randn", lambda *shape, generator: torch.zeros(shape))
    for digit in range(10):
        numbers = iter([torch.linspace(0, 0.9999, 60)])  # the first numbers choose the templates
        monkeypatch.setattr(torch, "rand", lambda *shape, generator, numbers=numbers:
                            next(numbers, torch.zeros(shape)))
        images = draw(torch.full((60,), digit), generator=seeded(0)).flatten(1)
        _, counts = images.unique(dim=0, return_counts=True)
        assert len(counts) == strokes.COUNT[digit]
        assert counts.max() - counts.min() <= 1


# The digits


def test_digits_have_the_right_number_of_holes():
    """Counted by Euler's formula, most 8s have two holes, 0, 6 and 9 one, the rest none."""
    labels = torch.arange(10).repeat_interleave(40)
    parts = euler(draw(labels, 56, seeded(9))[:, 0])
    holes = (1 - parts).view(10, 40).mode(1).values
    assert holes.tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 2, 1]


def test_digits_are_the_right_way_up(digits):
    """A 2 has more ink below than above, a 7 less; a 1 is the narrowest; a 0 is dark inside."""
    images, labels = digits
    means = torch.stack([unit(images)[labels == k].mean(0) for k in range(10)])
    drawn = means > 0.02
    middle = [drawn[k].any(1).nonzero().double().mean() for k in range(10)]  # of the rows in use
    assert middle[6] < middle[9] and middle[2] < middle[7]
    assert means[1].amax(0).gt(0.1).sum() == min(m.amax(0).gt(0.1).sum() for m in means)
    assert means[0, 13:15, 13:15].mean() < 0.1 < 0.5 < means[1, 13:15, 13:15].mean()
    bottom, top = means[:, 17:, :].sum((1, 2)), means[:, :11, :].sum((1, 2))
    assert bottom[2] > top[2] and top[7] > bottom[7]


def test_classes_can_be_distinguished(digits):
    """Least squares on the pixels of 1500 digits classifies over 85 of 100 others correctly."""
    (seen, labels), (unseen, truth) = digits, dataset(500, seed=77)
    ridge = torch.eye(784).double()
    x, y = unit(seen).flatten(1), F.one_hot(labels, 10).double()
    solution = torch.linalg.solve(x.T @ x + 10 * ridge, x.T @ y)
    read = (unit(unseen).flatten(1) @ solution).argmax(1)
    assert (read == truth).double().mean() > 0.85


def test_digits_of_a_class_vary(digits):
    """They differ in their amount of ink, and none is a near copy of another."""
    images, labels = digits
    for k in range(10):
        x = unit(images)[labels == k].flatten(1)
        gap = torch.cdist(x, x).fill_diagonal_(99).amin(1)
        assert gap.median() > 1.5
        assert x.mean(1).std() > 0.01


def test_digits_are_placed_as_in_mnist(digits):
    """Centred by mass, about 20 of 28 pixels on the longer side, away from the border."""
    x = unit(digits[0])
    at = torch.arange(28) - 13.5
    mass = x.sum((1, 2))
    assert mass.min() > 20
    for axis in (1, 2):
        off = (x.sum(axis) @ at.double() / mass).abs()
        assert off.mean() < 0.4 and off.max() < 1.5    # pixels
    side = torch.stack([(x.amax(d) > 0.5).sum(1) for d in (1, 2)]).amax(0)
    assert side.min() >= 17 and side.max() <= 22 and 19 < side.double().mean() < 21
    edge = torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1)
    assert (edge.amax(1) > 0).double().mean() < 0.03    # MNIST: 0.01


def test_the_amount_of_ink_is_about_mnists(digits):
    """The mean is MNIST's within a tenth, most pixels are black, strokes are white inside."""
    x = unit(digits[0])
    assert abs(x.mean() - MNIST_MEAN) < 0.013
    assert x.amin() == 0 and (x.amax((1, 2)) > 0.99).double().mean() > 0.9
    assert 0.16 < (x > 0).double().mean() < 0.22       # MNIST: 0.19
    assert 0.06 < (x > 0.98).double().mean() < 0.10    # MNIST: 0.08


# Arguments


def test_shapes_and_types():
    """Images are uint8 (N, 1, size, size), labels int64 (N,), also for N = 0."""
    for n, size in [(0, 28), (3, 8), (12, 33)]:
        images, labels = dataset(n, seed=0, size=size)
        assert images.shape == (n, 1, size, size) and images.dtype == torch.uint8
        assert labels.shape == (n,) and labels.dtype == torch.int64


def test_labels_are_balanced_and_shuffled():
    """Class counts differ by at most one, and the order depends on the seed."""
    labels = dataset(103, seed=0, size=8)[1]
    counts = labels.bincount(minlength=10)
    assert counts.min() == 10 and counts.max() == 11
    assert not torch.equal(labels, torch.arange(103) % 10)
    assert not torch.equal(labels, dataset(103, seed=1, size=8)[1])


@pytest.mark.parametrize(
    ("labels", "size", "message"),
    [
        (torch.tensor([3, 10]), 28, r"labels must lie in 0..9, got 3..10"),
        (torch.tensor([-1]), 28, "got -1..-1"),
        (torch.tensor([1.0]), 28, "got torch.float32"),
        (torch.tensor([1], dtype=torch.uint8), 28, "got torch.uint8"),
        (torch.tensor(1), 28, r"expected labels torch.int64 \(N,\) on cpu"),
        (torch.ones(2, 1, dtype=torch.int64), 28, r"got torch.int64 \(2, 1\)"),
        (torch.empty(1, dtype=torch.int64, device="meta"), 28, "on meta"),
        (torch.tensor([1]), 7, "size must be at least 8 pixels, got 7"),
    ],
)
def test_wrong_arguments_are_rejected(labels, size, message):
    """The message says what was expected and what was given."""
    with pytest.raises(ValueError, match=message):
        draw(labels, size)
