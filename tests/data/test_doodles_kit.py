"""kit.py and chance.py: shapes, painting, and random numbers."""

import math

import pytest
import torch

from minidiff.data.doodles.chance import Chance, keys
from minidiff.data.doodles.kit import Canvas, rgb, smooth_union


def canvas(size=64, n=1):
    """A canvas whose frame is the whole image."""
    return Canvas(keys(0, 0, n), size)


def area(distance, pixel):
    """The area that is covered, in the units of the frame."""
    return ((0.5 - distance / pixel).clamp(0, 1).sum() * pixel**2).item()


def test_uniform_numbers_fill_the_interval_evenly():
    """Mean 1/2, variance 1/12, and each of ten bins holds a tenth, within five sigmas."""
    u = Chance(keys(3, 0, 1000)).uniform(shape=(100,)).flatten()
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * (1 / 12 / len(u)) ** 0.5
    assert abs(u.var() - 1 / 12) < 0.002
    counts = torch.histc(u, 10, 0, 1) / len(u)
    assert (counts - 0.1).abs().max() < 5 * (0.09 / len(u)) ** 0.5


def test_normal_numbers_are_normal():
    """Mean 0, variance 1, kurtosis 3."""
    z = Chance(keys(4, 0, 1000)).normal((100,)).flatten()
    assert abs(z.mean()) < 0.02 and abs(z.var() - 1) < 0.03
    assert abs(z.pow(4).mean() - 3) < 0.15


def test_keys_are_independent():
    """Numbers of neighbouring keys, neighbouring counters and two streams are uncorrelated."""
    u = Chance(keys(5, 0, 2000)).uniform(shape=(50,)) - 0.5
    other = Chance(keys(5, 0, 2000), stream=1).uniform(shape=(50,)) - 0.5
    for a, b in ((u[1:], u[:-1]), (u[:, 1:], u[:, :-1]), (u, other)):
        assert abs((a * b).mean().item() * 12) < 5 / math.sqrt(a.numel())


def test_an_image_has_its_numbers_in_any_batch():
    """The numbers of a key don't depend on what else is in the batch."""
    all_, one = Chance(keys(6, 0, 10)), Chance(keys(6, 7, 1))
    for _ in range(3):
        assert torch.equal(all_.uniform(shape=(4,))[7:8], one.uniform(shape=(4,)))


@pytest.mark.parametrize("size", [32, 64, 256])
def test_covered_areas_are_the_areas_of_the_shapes(size):
    """An ellipse has area π·a·b, a box w·h, a triangle half of that, a stroke 2wl + πw²."""
    c = canvas(size)
    tolerance, ellipse = 0.03, c.ellipse(0.1, 0, 0.6, 0.3)
    assert area(ellipse, c.pixel) == pytest.approx(math.pi * 0.18, rel=tolerance)
    assert area(c.box(-0.5, -0.2, 0.3, 0.4), c.pixel) == pytest.approx(0.48, rel=tolerance)
    triangle = c.polygon((-0.5, 0.5), (0.5, 0.5), (0.0, -0.5))
    assert area(triangle, c.pixel) == pytest.approx(0.5, rel=tolerance)
    stroke = c.line(-0.4, 0.0, 0.4, 0.2, 0.1)
    length = math.hypot(0.8, 0.2)
    assert area(stroke, c.pixel) == pytest.approx(0.2 * length + math.pi * 0.01, rel=tolerance)


def test_distances_are_distances():
    """Outside a circle, a box and a polygon they equal the brute-force minimum."""
    c = canvas(32)
    t = torch.linspace(0, 1, 2001)
    corners = [(-0.5, -0.3), (0.4, -0.3), (0.4, 0.5), (-0.5, 0.5)]
    edge = torch.cat([torch.stack([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])], -1)
                      for a, b in zip(corners, corners[1:] + corners[:1])])
    points = torch.stack([(c.x + 0 * c.y)[0], (c.y + 0 * c.x)[0]], -1).reshape(-1, 1, 2)
    brute = (points - edge).norm(dim=-1).amin(1).view(32, 32)
    for distance in (c.box(-0.5, -0.3, 0.4, 0.5), c.polygon(*corners)):
        assert torch.allclose(distance[0].abs(), brute, atol=2e-3)
    circle = (c.x.square() + c.y.square()).sqrt() - 0.5
    assert torch.allclose(c.ellipse(0, 0, 0.5, 0.5), circle, atol=1e-4)


def test_the_direction_of_a_polygon_does_not_matter():
    """Clockwise or counter-clockwise, the same points have the same inside."""
    c, points = canvas(), [(-0.5, 0.4), (0.6, 0.3), (0.1, -0.7)]
    assert torch.allclose(c.polygon(*points), c.polygon(*points[::-1]), atol=1e-5)


def test_smooth_union_only_adds_and_only_near_the_joint():
    """smooth_union ≤ min, and equal to it where the distances differ by more than k."""
    a, b = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    joined, plain = smooth_union(a, b, 0.2), torch.minimum(a, b)
    assert (joined <= plain).all()
    far = (a - b).abs() >= 0.2
    assert torch.equal(joined[far], plain[far])


def test_only_what_is_painted_after_stand_is_foreground():
    """Paint before stand() is background; the front is the coverage of what comes after."""
    c = canvas(32, 2)
    c.paint(c.box(-1, -1, 1, 1), rgb(255, 0, 0))
    assert c.front.sum() == 0
    c.stand()
    c.paint(c.ellipse(0, 0, 0.5, 0.5), rgb(0, 0, 255))
    assert torch.equal(c.back[0, :, 16, 16], torch.tensor([1.0, 0, 0]))
    assert torch.equal(c.image[0, :, 16, 16], torch.tensor([0, 0, 1.0]))
    assert c.front[0, 16, 16] == 1 and c.front[0, 0, 0] == 0


def test_the_main_colour_is_that_of_the_scene():
    """A given colour is used, its lightness jittered; otherwise a natural one is picked."""
    given = torch.tensor([[0.8, 0.2, 0.1], [math.nan] * 3])[:, :, None, None]
    c = Canvas(keys(0, 0, 2), 8, given)
    red, free = c.main((10, 20, 30))
    assert torch.allclose(red / red[0], given[0] / 0.8, atol=1e-5)
    assert torch.allclose(free / free[0], torch.tensor([1.0, 2, 3])[:, None, None], atol=1e-4)


def test_a_mirrored_frame_is_lit_from_the_same_side():
    """Half of the frames are mirrored, and the light stays where it is in the image."""
    c = canvas(8, 40)
    before = c.light[0].flatten()
    c.place((1.0, 1.0), 0.0, (0.0, 0.0))
    mirrored = (c.x[:, 0, -1] - c.x[:, 0, 0]).sign()
    assert 8 < (mirrored < 0).sum() < 32
    assert torch.equal(c.light[0].flatten() * mirrored, before)


def test_no_number_is_used_twice():
    """Each call continues the sequence, however many numbers the call before it took."""
    chance = Chance(keys(3, 0, 2))
    found = torch.cat([chance.uniform(shape=(n,)) for n in (5, 1, 7, 3)], 1)
    assert all(len(row.unique()) == 16 for row in found)
