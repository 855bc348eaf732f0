"""metrics.py: each metric on a few numbers made by hand, whose result is known exactly."""

import math

import pytest
import torch

from minidiff.data.dataset import Dataset
from minidiff.evaluation import metrics
from minidiff.evaluation.metrics import Measure, frechet, loss_at, nearest, statistics
from minidiff.theory.schedule import linear


class Readable:
    """A judge of images that say what it reads: pixel 0 is its certainty, pixel 1 the digit / 10,
    pixel 2 its first feature; the second is always 0."""

    answers = (10,)

    def __call__(self, x):
        p, digit = x[:, 0, 0, 0], (x[:, 0, 0, 1] * 10).round().long()
        shares = ((1 - p) / 9)[:, None].expand(-1, 10).clone()
        shares[torch.arange(len(x)), digit] = p
        return shares.log()

    def features(self, x):
        """Return pixel 2 and 0, (N,2)."""
        return torch.cat([x[:, 0, 0, 2:3], 0 * x[:, 0, 0, 2:3]], 1)


def image(certainty=0.95, digit=0, feature=0.0, grey=0.0):
    x = torch.full((1, 28, 28), grey)
    x[0, 0, :3] = torch.tensor([certainty, digit / 10, feature])
    return x


def measured(samples, labels=None, train=(0.0,), test=(0.0, 1.0)):
    """Return the measures of samples by `Readable`. train, test: grey levels of their images."""
    def dataset(greys):
        images = torch.stack([torch.full((1, 28, 28), grey) for grey in greys])
        return Dataset("x", (images * 255).round().byte(), torch.zeros(len(greys)).long())

    measure = Measure(Readable(), dataset(train), dataset(test))
    measure.floor = lambda n, labels=None: 0.5
    return measure(torch.stack(samples), labels)


def test_confident_is_the_share_above_90_percent():
    """Of certainties 0.95, 0.91, 0.89, 0.6 and 0.4, two are; whether the digit is right does not
    matter."""
    read = ((0.95, 3), (0.91, 4), (0.89, 3), (0.6, 3), (0.4, 3))
    samples = [image(p, digit) for p, digit in read]
    assert measured(samples, torch.full((5,), 3))["confident"] == pytest.approx(2 / 5)


def test_accuracy_is_the_share_read_as_the_label():
    """Three of four, the sure and the unsure alike."""
    samples = [image(p, digit) for p, digit in ((0.95, 1), (0.3, 2), (0.95, 3), (0.6, 9))]
    found = measured(samples, torch.tensor([1, 2, 4, 9]))
    assert found["accuracy"] == pytest.approx(3 / 4) and found["n"] == 4


def test_the_distance_of_one_feature_is_that_of_two_gaussians():
    """Samples 0.2, 0.6: m = 0.4, variance 0.08 (over n - 1). Real digits 0, 1: m = 0.5, variance
    0.5. d² = 0.1² + (sqrt 0.08 - sqrt 0.5)². The ratio is d² over the floor, 0.5 here."""
    found = measured([image(feature=0.2), image(feature=0.6)])
    expected = 0.01 + (math.sqrt(0.08) - math.sqrt(0.5)) ** 2
    assert found["distance"] == pytest.approx(expected, rel=1e-6)
    assert found["floor"] == 0.5 and found["ratio"] == pytest.approx(2 * expected, rel=1e-6)


def test_each_term_of_frechet_by_hand():
    """C_1 = [[2, 1], [1, 2]] and C_2 = 4 I commute: the root of C_1 C_2 has the eigenvalues
    2 sqrt 3 and 2, so d² = |m|² + 4 + 8 - 2 (2 sqrt 3 + 2)."""
    c_1 = torch.tensor([[2.0, 1], [1, 2]]).double()
    one, two = (torch.tensor([3.0, 4]).double(), c_1), (torch.zeros(2).double(),
                                                        4 * torch.eye(2).double())
    assert frechet(one, two) == pytest.approx(25 + 12 - 4 * (math.sqrt(3) + 1), rel=1e-12)


def test_statistics_divide_by_n_minus_1():
    """Rows (0, 0), (2, 4): mean (1, 2), covariance [[2, 4], [4, 8]]."""
    mean, covariance = statistics(torch.tensor([[0.0, 0], [2, 4]]).double())
    assert mean.tolist() == [1, 2] and covariance.tolist() == [[2, 4], [4, 8]]


def test_copying_is_a_ratio_of_two_mean_distances(monkeypatch):
    """Training digits of grey 0 and 1; samples of grey 0.2 and 0.9 are 0.15 away on average, test
    digits of grey 0.4 and 0.6 are 0.4 away: 0.375. Only the first COPIES samples count."""
    def grey(level):
        return torch.full((1, 28, 28), level)

    monkeypatch.setattr(Readable, "__call__", lambda self, x: torch.zeros(len(x), 10))
    values = {"train": (0.0, 1.0), "test": (0.4, 0.6)}
    found = measured([grey(0.2), grey(0.9)], **values)["copying"]
    assert found == pytest.approx(0.15 / 0.4, abs=1e-4)
    monkeypatch.setattr(metrics, "COPIES", 2)
    found = measured([grey(0.2), grey(0.9), grey(0.5)], **values)["copying"]
    assert found == pytest.approx(0.15 / 0.4, abs=1e-4)


def test_nearest_is_a_root_mean_square_over_pixels():
    """One pixel of 784 differs by 1: sqrt(1 / 784) = 1/28."""
    x, other = torch.zeros(1, 1, 28, 28), torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    x[0, 0, 5, 5], other[1] = 1, 255
    assert nearest(x, other).tolist() == pytest.approx([1 / 28])


@pytest.mark.parametrize("T", [10, 300])
def test_the_loss_at_t_is_measured_at_t(T):
    """A model that solves x_t for eps exactly, given the right t and x_0, and adds t / 100: its
    loss is (t / 100)². One step off, the noise level or the t it is given, and it is not."""
    x_0 = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))

    class Exact:
        schedule = linear(T)

        def embed(self, prompts):
            """Return the prompts as they are."""
            return prompts

        def __call__(self, x_t, t, cond):
            assert cond == list("0123") and t.shape == (4,) and t.dtype == torch.int64
            ab = self.schedule.alpha_bar[t].view(-1, 1, 1, 1)
            return (x_t - ab.sqrt() * x_0) / (1 - ab).sqrt() + t.view(-1, 1, 1, 1) / 100

    times = [1, 2, T // 2, T]
    expected = [(t / 100) ** 2 for t in times]
    assert loss_at(Exact(), x_0, list("0123"), times) == pytest.approx(expected, rel=1e-3)


def test_what_is_not_finite_is_not_measured():
    """NaN or infinity in one pixel of one image, or in the judge's features: one sentence."""
    good = [image(), image()]
    for value in (math.nan, math.inf, -math.inf):
        bad = image()
        bad[0, 9, 9] = value
        with pytest.raises(ValueError, match="the samples are not finite, so nothing is written"):
            measured([*good, bad])
    with pytest.raises(ValueError, match="the judge's features are not finite"):
        statistics(torch.tensor([[0.0, 1], [math.nan, 2]]))
