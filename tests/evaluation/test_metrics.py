"""metrics.py: the metrics against closed forms, brute force and sets whose quality is known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.evaluation.metrics import (
    features,
    frechet,
    from_afar,
    loss_at,
    nearest,
    score,
    statistics,
)
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.theory.schedule import linear
from tests.evaluation.conftest import RECIPE


def test_frechet_has_the_closed_form_of_axis_parallel_gaussians():
    """|m_1 - m_2|² + sum (s_1 - s_2)², which needs no matrix root."""
    m_1, m_2 = torch.tensor([1.0, 2, 3]).double(), torch.tensor([0.0, 2, 5]).double()
    s_1, s_2 = torch.tensor([1.0, 2, 3]).double(), torch.tensor([2.0, 2, 0]).double()
    got = frechet((m_1, s_1.square().diag()), (m_2, s_2.square().diag()))
    assert got == pytest.approx(5 + 1 + 9, abs=1e-9)


def test_frechet_agrees_with_numpys_eigenvalues():
    """tr (C_1 C_2)^{1/2} is the sum of the roots of the eigenvalues of C_1 C_2."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 6)), rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) + 1
    c_1, c_2 = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.linalg.eigvals(c_1 @ c_2).real).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c_1 + c_2) - 2 * cross
    got = frechet(statistics(torch.tensor(a)), statistics(torch.tensor(b)))
    assert got == pytest.approx(expected, rel=1e-9)


def test_frechet_is_symmetric_and_invariant_under_rotation():
    """Neither rotating both sets of features nor swapping them changes anything."""
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(40, 5, generator=g).double() * k for k in (1, 2))
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=g).double())[0]
    d = frechet(statistics(a), statistics(b))
    assert frechet(statistics(b), statistics(a)) == pytest.approx(d)
    assert frechet(statistics(a @ rotation), statistics(b @ rotation)) == pytest.approx(d)


def test_the_distance_of_the_test_set_to_itself_is_0(measure):
    """The whole set against the whole set; and each digit is nearest to itself."""
    x = measure.test.images_at(slice(None))
    assert measure.distance(x) == pytest.approx(0, abs=1e-6)
    assert nearest(x[:50], measure.test.images).max() < 1e-3


def test_unseen_digits_are_near_the_floor_and_noisy_ones_far_away(measure):
    """Unseen real digits: distance about 1 floor, copying about 1; with noise, many floors."""
    x, labels = strokes.dataset(500, seed=7)
    x, g = x.float() / 255, torch.Generator().manual_seed(0)
    real = measure(x, labels)
    assert real["n"] == 500 and real["accuracy"] > 0.6
    assert 0.5 < real["ratio"] < 2 and 0.9 < real["copying"] < 1.1
    assert real["ratio"] == pytest.approx(real["distance"] / real["floor"])
    noisy = measure((x + 0.5 * torch.randn(x.shape, generator=g)).clamp(0, 1), labels)
    assert noisy["ratio"] > 10 * real["ratio"]


def test_accuracy_and_confidence_are_the_judges_shares(measure):
    """Counted one image at a time; other labels give another accuracy, no labels give none."""
    x, labels = strokes.dataset(200, seed=8)
    x = x.float() / 255
    with torch.no_grad():
        certainties = [measure.judge(x[k : k + 1]).softmax(1)[0] for k in range(200)]
    found = measure(x, labels)
    right = sum(p.argmax() == digit for p, digit in zip(certainties, labels)).item()
    assert found["accuracy"] == pytest.approx(right / 200)
    confident = sum(p.max() > 0.9 for p in certainties).item()
    assert found["confident"] == pytest.approx(confident / 200)
    assert measure(x, (labels + 1) % 10)["accuracy"] <= 1 - right / 200 + 1e-6
    assert "accuracy" not in measure(x)


def test_one_perfect_image_of_each_digit_repeated_is_accurate_but_far(measure):
    """Accuracy does not notice such a collapse; the distance does."""
    x, labels = measure.test.images_at(slice(None)), measure.test.labels[:, 0]
    right = measure.judge(x).argmax(1) == labels
    first = torch.stack([(right & (labels == k)).nonzero()[0, 0] for k in range(10)]).repeat(20)
    found = measure(x[first], labels[first])
    assert found["accuracy"] == 1 and found["ratio"] > 10


def test_copies_of_training_digits_are_detected(measure):
    """Copies have copying 0, copies with a little noise still below 0.5; distance and accuracy do
    not notice."""
    copies, labels = measure.train.images_at(slice(0, 100)), measure.train.labels[:, 0][:100]
    noise = torch.randn(copies.shape, generator=torch.Generator().manual_seed(0))
    assert measure(copies)["copying"] < 0.01
    found = measure((copies + 0.02 * noise).clamp(0, 1), labels)
    assert found["copying"] < 0.5 and found["ratio"] < 4 and found["accuracy"] > 0.6


def test_the_floor_falls_with_n(measure):
    """The distance of n real digits is about proportional to 1/n."""
    assert measure.floor(100) > 2 * measure.floor(500)


def test_nearest_is_brute_force(tiny):
    """Against every pair, in a loop."""
    x, others = tiny.images_at(slice(0, 5)), tiny.images[20:40]
    found = nearest(x, others)
    for k in range(5):
        each = [(x[k] - o.float() / 255).square().mean().sqrt().item() for o in others]
        assert found[k] == pytest.approx(min(each), abs=1e-4)


def test_the_view_from_afar_is_a_blur_with_the_contrast_restored(tiny):
    """Each image's middle grey stays, its range is four times as wide, cut at black and white; an
    image of one grey does not become infinite."""
    x = tiny.images_at(slice(0, 20))
    found = from_afar(x)
    assert found.amin((1, 2, 3)).eq(0).all() and found.amax((1, 2, 3)).eq(1).all()
    d = torch.arange(-6, 7) ** 2
    window = torch.exp(-(d[:, None] + d) / (2 * 2.0**2))
    blurred = F.conv2d(F.pad(x, [6] * 4, mode="reflect"), (window / window.sum())[None, None])
    low, high = blurred.amin((1, 2, 3), True), blurred.amax((1, 2, 3), True)
    expected = (4 * (blurred - (low + high) / 2) / (high - low) + 0.5).clamp(0, 1)
    assert torch.allclose(found, expected, atol=1e-4)
    assert from_afar(torch.full((1, 1, 28, 28), 0.5)).isfinite().all()


def test_the_loss_at_each_t_is_the_models_squared_error(gaussian):
    """For a model that returns 0 the loss is E[eps²], from the same noise at every t; for the ideal
    predictor of N(m, s²) it is ab s² / (ab s² + 1 - ab)."""
    schedule, times = linear(300), [1, 100, 300]
    data = gaussian(schedule)
    g = torch.Generator().manual_seed(1)
    x_0 = data.mean + data.std * torch.randn(300, 1, 28, 28, generator=g)
    model = NoiseModel(UNet(2, time=True).eval())

    def losses(fn):
        model.evaluate = lambda x, t, c: fn(x, (t * 300).round().long())
        return loss_at(model, x_0, [""] * 300, times)

    zero = losses(lambda x, t: torch.zeros_like(x))
    assert zero[0] == zero[1] == zero[2] == pytest.approx(1, abs=0.01)
    for t, found in zip(times, losses(data.eps)):
        ab = schedule.alpha_bar[t].item()
        assert found == pytest.approx(ab * 0.09 / (ab * 0.09 + 1 - ab), rel=0.02)


def test_shapes_that_do_not_fit_are_rejected(measure):
    """The message says what was expected and what was given."""
    with pytest.raises(ValueError, match=r"\(N,1,28,28\).*\(3, 28, 28\)"):
        measure(torch.zeros(3, 28, 28))
    with pytest.raises(ValueError, match="N >= 2"):
        statistics(torch.zeros(1, 4))


def test_features_are_the_judges_whatever_the_chunk(measure, monkeypatch):
    """float64 (N, F)."""
    x = measure.test.images_at(slice(0, 30))
    whole = features(measure.judge, x)
    monkeypatch.setattr("minidiff.evaluation.metrics.CHUNK", 7)
    assert torch.allclose(features(measure.judge, x), whole, atol=1e-4)
    assert whole.dtype == torch.float64 and whole.shape == (30, 32)


def test_a_classifier_learns_from_good_samples_and_not_from_wrong_labels(tiny):
    """The score of real digits is high, that of the same digits with random labels is chance."""
    train = Dataset("strokes", *strokes.dataset(1500, seed=9))
    good = score(train, tiny, epochs=4, **RECIPE)
    g = torch.Generator().manual_seed(0)
    wrong = Dataset("x", train.images, torch.randint(0, 10, (1500,), generator=g))
    bad = score(wrong, tiny, epochs=1, **RECIPE)
    assert good > 0.7 and bad < 0.35 and math.isfinite(bad)
