"""evaluate.py: a measure that is itself measured."""

import math

import numpy as np
import pytest
import torch

from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.evaluation.metrics import Measure, features, frechet, nearest, score, statistics
from minidiff.network.classifier import Classifier, classification_loss
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe

RECIPE = {"width": 8, "batch_size": 64, "lr": 3e-3, "decay": "linear"}


@pytest.fixture(scope="module")
def measure():
    """A judge trained for a few seconds on 3,000 drawn digits, with 1,000 others as test set."""
    torch.manual_seed(0)
    train = Dataset("strokes", *strokes.dataset(3000, seed=5))
    test = Dataset("strokes", *strokes.dataset(1000, seed=6))
    judge = Classifier(8)
    cfg = Recipe(**RECIPE, epochs=2, early_epoch=1, precision="float32")
    for _ in fit(Training(judge, classification_loss, cfg, torch.device("cpu")), train):
        pass
    return Measure(judge.eval(), train, test)


def test_frechet_has_the_closed_form_of_axis_parallel_gaussians():
    """|m_1 - m_2|² + sum (s_1 - s_2)², which needs no matrix root."""
    m_1, m_2 = torch.tensor([1.0, 2, 3]).double(), torch.tensor([0.0, 2, 5]).double()
    s_1, s_2 = torch.tensor([1.0, 2, 3]).double(), torch.tensor([2.0, 2, 0]).double()
    got = frechet((m_1, s_1.square().diag()), (m_2, s_2.square().diag()))
    assert got == pytest.approx(5 + 1 + 9, abs=1e-9)


def test_frechet_agrees_with_the_plain_matrix_root():
    """tr (C_1 C_2)^{1/2} is the sum of the roots of C_1 C_2's eigenvalues, by numpy."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 6)), rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) + 1
    c_1, c_2 = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.linalg.eigvals(c_1 @ c_2).real).sum()
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c_1 + c_2) - 2 * cross
    got = frechet(statistics(torch.tensor(a)), statistics(torch.tensor(b)))
    assert got == pytest.approx(wanted, rel=1e-9)


def test_frechet_is_symmetric_and_unmoved_by_a_rotation():
    """An invariance: turning both sets of features changes nothing."""
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(40, 5, generator=g).double() * k for k in (1, 2))
    turn = torch.linalg.qr(torch.randn(5, 5, generator=g).double())[0]
    d = frechet(statistics(a), statistics(b))
    assert frechet(statistics(b), statistics(a)) == pytest.approx(d)
    assert frechet(statistics(a @ turn), statistics(b @ turn)) == pytest.approx(d)


def test_real_against_itself_is_0(measure):
    """The whole test set against the whole test set; and each digit is nearest to itself."""
    x = measure.test.images_at(slice(None))
    assert measure.distance(x) == pytest.approx(0, abs=1e-6)
    assert nearest(x[:50], measure.test.images).max() < 1e-3


def test_real_against_real_is_near_the_floor_and_noise_is_far_away(measure):
    """Unseen real digits: about 1 floor, copying about 1. The same with noise: many floors."""
    x, labels = strokes.dataset(500, seed=7)
    x = x.float() / 255
    real = measure(x, labels)
    assert real["n"] == 500 and real["accuracy"] > 0.6
    assert 0.3 < real["ratio"] < 2 and 0.9 < real["copying"] < 1.1
    assert real["ratio"] == pytest.approx(real["distance"] / real["floor"])
    noisy = measure((x + 0.5 * torch.randn_like(x)).clamp(0, 1), labels)
    assert noisy["ratio"] > 10 * real["ratio"]


def test_accuracy_counts_what_was_asked(measure):
    """Labels turned by one digit: almost all are wrong; without labels there is no accuracy."""
    x, labels = strokes.dataset(200, seed=8)
    x = x.float() / 255
    right = measure(x, labels)["accuracy"]
    assert measure(x, (labels + 1) % 10)["accuracy"] <= 1 - right + 1e-9
    assert "accuracy" not in measure(x)


def test_one_perfect_digit_again_and_again_is_accurate_but_far(measure):
    """What accuracy cannot see: collapse."""
    x, labels = measure.test.images_at(slice(0, 200)), measure.test.labels[:200]
    read = measure.judge(x).argmax(1) == labels
    k = int(read.nonzero()[0])
    found = measure(x[k : k + 1].expand(200, -1, -1, -1), labels[k : k + 1].expand(200))
    assert found["accuracy"] == 1 and found["ratio"] > 10


def test_copies_of_training_digits_are_found_out(measure):
    """Distance to the nearest training digit is 0; slightly noised copies are still below 0.5."""
    copies = measure.train.images_at(slice(0, 100))
    assert measure(copies)["copying"] < 0.01
    assert measure((copies + 0.02 * torch.randn_like(copies)).clamp(0, 1))["copying"] < 0.5


def test_the_floor_falls_with_n(measure):
    """A finite set lies off by about 1/n."""
    assert measure.floor(100) > 2 * measure.floor(500)


def test_nearest_is_brute_force(tiny):
    """Against every pair, in a loop."""
    x, others = tiny.images_at(slice(0, 5)), tiny.images[20:40]
    found = nearest(x, others)
    for k in range(5):
        each = [(x[k] - o.float() / 255).square().mean().sqrt().item() for o in others]
        assert found[k] == pytest.approx(min(each), abs=1e-4)


def test_what_is_no_picture_is_refused(measure):
    """Shapes, with got and wanted."""
    with pytest.raises(ValueError, match=r"\(N,1,28,28\).*\(3, 28, 28\)"):
        measure(torch.zeros(3, 28, 28))
    with pytest.raises(ValueError, match="N >= 2"):
        statistics(torch.zeros(1, 4))


def test_features_are_the_judges_in_any_chunks(measure, monkeypatch):
    """float64 (N, F)."""
    x = measure.test.images_at(slice(0, 30))
    whole = features(measure.judge, x)
    monkeypatch.setattr("minidiff.evaluation.metrics.CHUNK", 7)
    assert torch.allclose(features(measure.judge, x), whole, atol=1e-4)
    assert whole.dtype == torch.float64 and whole.shape == (30, 32)


def test_a_classifier_learns_from_good_samples_and_not_from_wrong_labels(tiny):
    """The score of real digits is high, that of the same digits with labels at random is chance."""
    train = Dataset("strokes", *strokes.dataset(1500, seed=9))
    good = score(train, tiny, epochs=4, **RECIPE)
    g = torch.Generator().manual_seed(0)
    wrong = Dataset("x", train.images, torch.randint(0, 10, (1500,), generator=g))
    bad = score(wrong, tiny, epochs=1, **RECIPE)
    assert good > 0.7 and bad < 0.35 and math.isfinite(bad)
