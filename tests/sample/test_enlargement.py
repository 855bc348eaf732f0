"""sample/measure/enlargement.py: its measures on a few numbers made by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from sample.measure.enlargement import perceptual, psnr, sharpness, softened


def test_psnr_is_in_decibels():
    """An error of 0.1 everywhere is 20 dB, of 0.01 40 dB; half the pixels wrong by 0.1, 23 dB."""
    x = torch.full((2, 1, 4, 4), 0.5)
    assert psnr(x, x + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr(x + 0.01, x) == pytest.approx(40, abs=1e-3)
    half = x.clone()
    half[0] += 0.1
    assert psnr(half, x) == pytest.approx(20 + 10 * math.log10(2), abs=1e-4)


def test_sharpness_is_the_root_mean_square_of_both_directions():
    """Columns 0, 1, 0, 1 differ by 1 across and by 0 down: sqrt(1/2); a ramp of 0.1 both ways is
    0.1."""
    columns = torch.tensor([0.0, 1, 0, 1]).expand(1, 1, 3, 4)
    assert sharpness(columns) == sharpness(columns.mT) == pytest.approx(math.sqrt(0.5))
    ramp = torch.arange(4.0)[:, None] / 10 + torch.arange(5.0) / 10
    assert sharpness(ramp[None, None]) == pytest.approx(0.1)


def test_the_perceptual_distance_compares_directions_of_features():
    """Two layers, with features (x, 1) and (x, 2); pooling does not count, nor do the last two.
    The squared distance of the unit vectors for x = 0 and 1 is 2 - sqrt 2 and 2 - 4 / sqrt 5."""
    first = torch.nn.Conv2d(1, 2, 1)
    second = torch.nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([1.0, 0]).view(2, 1, 1, 1))
        first.bias.copy_(torch.tensor([0.0, 1]))
        second.weight.copy_(torch.tensor([[1.0, 0], [0, 2]]).view(2, 2, 1, 1))
    body = torch.nn.Sequential(first, torch.nn.MaxPool2d(2), second,
                               torch.nn.Flatten(), torch.nn.Identity())
    judge = SimpleNamespace(body=body)
    x, y = torch.zeros(3, 1, 4, 4), torch.ones(3, 1, 4, 4)
    expected = (2 - math.sqrt(2) + 2 - 4 / math.sqrt(5)) / 2
    assert perceptual(judge, x, y) == pytest.approx(expected, rel=1e-5)
    y[0] = 0  # a third of the images, at every position of both layers
    assert perceptual(judge, x, y) == pytest.approx(expected * 2 / 3, rel=1e-5)


def test_softened_has_the_sharpness_that_was_asked_for():
    """Of a chequered image; one that is soft enough already stays as it is."""
    x = F.interpolate(torch.eye(2).repeat(7, 7)[None, None], scale_factor=4)
    target = 0.5 * sharpness(x)
    assert sharpness(softened(x, target)) == pytest.approx(target, rel=0.05)
    assert torch.equal(softened(x, sharpness(x)), x)
