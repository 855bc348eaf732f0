"""strokes.py, the pen: distance, area and curves against brute force and closed forms."""

import math

import torch

from minidiff.data import strokes
from minidiff.data.strokes import POINTS, SEGMENTS, TEMPLATES, WEIGHTS, draw


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_ink_is_the_distance_to_the_nearest_piece():
    """The ink agrees with a projection onto every piece, done point by point in float64."""
    size, (starts, ends, radius) = 28, strokes._hand(torch.arange(10), seeded(7))
    ink = strokes._ink(starts, ends, radius, size)
    centre = (torch.arange(size).double() + 0.5) / size - 0.5
    pixel = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1)[:, :, None]
    for i in range(10):
        a, b = starts[i].double(), ends[i].double()
        u = ((pixel - a) * (b - a)).sum(-1) / (b - a).square().sum(-1)
        foot = a + u.clamp(0, 1)[..., None] * (b - a)
        distance = (pixel - foot).norm(dim=-1).amin(-1)
        expected = (0.5 + (radius[i].double() - distance) * size).clamp(0, 1)
        torch.testing.assert_close(ink[i].double(), expected, atol=1e-4, rtol=0)


def test_pixels_are_rounded_ink():
    """A pixel is 255 times the ink, rounded: it differs by half a level at most."""
    labels = torch.arange(10)
    ink = strokes._ink(*strokes._hand(labels, seeded(7)), 28)
    assert (255 * ink - draw(labels, generator=seeded(7))[:, 0]).abs().max() <= 0.5 + 1e-4


def test_ink_is_an_area():
    """The ink of a straight stroke is its area, 2rL + πr², and lies along x if drawn along x."""
    at = torch.linspace(-0.25, 0.25, SEGMENTS + 1)
    line = torch.stack([at, torch.zeros_like(at)], -1)[None]
    radius, size = torch.tensor([0.05]), 100
    ink = strokes._ink(line[:, :-1], line[:, 1:], radius, size)[0]
    area = size**2 * (2 * 0.05 * 0.5 + math.pi * 0.05**2)
    assert abs(ink.sum().item() / area - 1) < 0.01
    assert ink[45:55].sum() > 0.98 * ink.sum()


def test_a_dot_is_a_disc():
    """Pieces of length 0 draw a round dot of area πr²."""
    dot = torch.zeros(1, SEGMENTS, 2)
    ink = strokes._ink(dot, dot, torch.tensor([0.2]), 50)[0]
    assert abs(ink.sum().item() / (math.pi * 10**2) - 1) < 0.01


# The templates


def test_curves_pass_through_their_points():
    """At an integer u the spline is at a control point; everywhere its weights sum to one."""
    for closed in (False, True):
        for k in range(41):
            weights = strokes._spline(k / 10, closed, 4)
            assert abs(weights.sum().item() - 1) < 1e-5
            if k % 10 == 0:
                torch.testing.assert_close(weights, torch.eye(5)[k // 10])


def test_a_ring_closes_smoothly():
    """A closed stroke ends where it began, and in the same direction."""
    ring = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    at = [strokes._spline(u, True, 4) @ ring for u in (0, 0.001, 3.999, 4)]
    torch.testing.assert_close(at[0], at[3])
    torch.testing.assert_close(at[1] - at[0], at[3] - at[2], atol=2e-5, rtol=0)


def test_pieces_join_except_where_the_pen_is_lifted():
    """Each template is SEGMENTS pieces, interrupted only between strokes, and about 1 high."""
    curves = WEIGHTS @ POINTS
    for text, curve in zip(TEMPLATES.split("\n")[1:-1], curves, strict=True):
        starts, ends = curve.split(SEGMENTS)
        lifts = ((starts[1:] - ends[:-1]).norm(dim=-1) > 1e-4).sum()
        assert lifts <= text.count("/"), text
        assert (ends - starts).norm(dim=-1).max() < 0.4, text
        assert 0.9 < curve[:, 1].max() - curve[:, 1].min() < 1.1, text


def test_points_that_meet_still_meet():
    """The corner of a 7 is one point: moving it moves the bar's end and the stem's start
    together."""
    points, starts, ends = strokes._compile("10,0 80,0 / 80,0 40,99")
    assert len(points) == 3
    moved = points + torch.randn(points.shape, generator=seeded(8))
    breaks = (starts @ moved)[1:] - (ends @ moved)[:-1]
    assert breaks.abs().max() < 1e-5
