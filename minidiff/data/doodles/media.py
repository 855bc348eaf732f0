"""Media: what a camera, a brush or a lithographer's crayon makes of the same doodle.

A subject is drawn once, in flat colours. A medium takes its layers (the image, the background
alone, how much of each pixel is foreground) and renders them in its own way:

* photo: a background out of focus with discs of light, soft light on round forms, darker corners,
  paler colours, grain.
* oil painting: the canvas is a lattice of cells, each with one dab of paint at a random place. A
  dab takes the colour under its centre, lies along the contours (at right angles to the gradient
  of lightness) and covers the pixels nearest to it in its own stretched metric: a Voronoi diagram.
* lithograph: one ink on paper. Hatching lines are wider where the tone is darker, and contours are
  drawn as lines.

Lengths are in units of the image, never in pixels, and random fields come from the image's key,
so a doodle keeps its dabs, lines and grain at every size.

Sources: Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (1998), for
strokes along contours from coarse to fine; Winkenbach & Salesin, "Computer-generated pen-and-ink
illustration" (1994), for tone by hatching.
"""

import math
from typing import NamedTuple

import torch
from torch.nn.functional import grid_sample, interpolate, max_pool2d, pad

from minidiff.data.doodles.chance import Chance
from minidiff.data.doodles.kit import rgb

COARSE, MIDDLE, FINE = 9, 15, 30     # dabs along a side: background, foreground, its details
HATCH = 0.2                          # distance between hatching lines: 3.2 pixels of 32


class Layers(NamedTuple):
    """A drawn doodle: image and back (n, 3, S, S) in 0..1, front (n, S, S) in 0..1, key (n,)."""

    image: torch.Tensor
    back: torch.Tensor
    front: torch.Tensor
    key: torch.Tensor


def _blur(image, cells):
    """Average (n, k, S, S) over cells x cells squares and interpolate smoothly between them."""
    small = interpolate(image, (cells, cells), mode="area")
    return interpolate(small, image.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)


def _axes(size):
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    return axis.view(1, 1, -1), axis.view(1, -1, 1)


def luminance(image: torch.Tensor) -> torch.Tensor:
    """Return lightness (n, 1, S, S) = 0.30 R + 0.59 G + 0.11 B (ITU-R BT.601)."""
    return (image * torch.tensor([0.30, 0.59, 0.11]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def flat(layers: Layers) -> torch.Tensor:
    """Return the doodle as it was drawn."""
    return layers.image


def _out_of_focus(back, chance):
    """Blur a background and add discs of light, as distant lamps and glints appear."""
    size = back.shape[-1]
    x, y = _axes(size)
    soft = _blur(back, 7)
    for _ in range(5):
        cx, cy, r = chance.uniform(-1, 1), chance.uniform(-1, 0.7), chance.uniform(0.1, 0.24)
        disc = (0.5 + (r - ((x - cx).square() + (y - cy).square()).sqrt()) * size / 2).clamp(0, 1)
        soft = soft + 0.22 * disc[:, None] * (rgb(255, 240, 205) * 0.75 - 0.4 * soft)
    return soft


def photo(layers: Layers) -> torch.Tensor:
    """Render a photo: shallow focus, soft light, a vignette, pale colours, grain."""
    image, front, chance = layers.image, layers.front[:, None], Chance(layers.key, 1)
    size = image.shape[-1]
    x, y = _axes(size)
    r2 = (x * x + y * y)[:, None]
    shape = _blur(front, 6)                                   # casts a shadow and looks round
    soft = _out_of_focus(layers.back, chance) * (1 - 0.3 * shape)
    image = image + (1 - front) * (soft - layers.back)
    image = image * (1 - 0.6 * front * (1 - shape).clamp(0, 0.45))
    side = 1 - 2 * chance.flip()
    image = image * (1.1 - 0.14 * (side * x + 0.8 * y))[:, None]
    lens = (0.3 * r2 * (1 - 0.5 * front)).clamp(0, 0.6)       # sharp in the middle only
    image = image + lens * (_blur(image.clamp(0, 1), 11) - image)
    image = image + 0.35 * _blur(image.clamp(0, 1), 8).square() * (1 - image)
    grey = luminance(image)
    image = 0.05 + 0.95 * (grey + 0.78 * (image - grey))
    image = image * (1.02 - 0.19 * r2)
    warm = torch.tensor([1.0, 0.1, -1.0]).view(1, 3, 1, 1) * chance.uniform(-0.4, 1, (1, 1, 1))
    grain = interpolate(chance.uniform(-1, 1, (1, 64, 64)), (size, size), mode="area")
    return (image * (1 + 0.05 * warm) + 0.04 * grain).clamp(0, 1)


def _directions(image, cells, chance):
    """Return unit vectors (n, 2, cells, cells) along contours; where there are none, at random.

    A contour points both ways, so angles are doubled before directions are averaged.
    """
    grey = interpolate(luminance(image), (cells, cells), mode="area")
    grey = pad(grey, (1, 1, 1, 1), "replicate")
    gx = (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) / 2
    gy = (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) / 2
    flow = interpolate(chance.normal((2, 3, 3)), (cells, cells), mode="bilinear")
    twice_x = gy * gy - gx * gx + 0.002 * flow[:, :1]        # cos and sin of twice the angle of
    twice_y = -2 * gx * gy + 0.002 * flow[:, 1:]             # the gradient turned by 90 degrees
    angle = torch.atan2(twice_y, twice_x) / 2
    return torch.cat([angle.cos(), angle.sin()], 1)


def _dabs(image, cells, chance):
    """Paint an image (n, 3, S, S) again with cells x cells dabs, plus a rim outside."""
    size, full = image.shape[-1], cells + 2
    place = torch.arange(full) - 0.5                          # centres, in cells
    jitter = chance.uniform(-0.4, 0.4, (2, full, full))
    cx, cy = place.view(1, 1, -1) + jitter[:, 0], place.view(1, -1, 1) + jitter[:, 1]
    where = torch.stack([cx, cy], -1) * (2 / cells) - 1
    paint = grid_sample(image, where, padding_mode="border", align_corners=False)
    paint = paint * (1 + 0.16 * chance.uniform(-1, 1, (1, full, full)))
    paint = paint + 0.03 * chance.uniform(-1, 1, (3, full, full))
    along = pad(_directions(image, cells, chance), (1, 1, 1, 1), "replicate")
    height = chance.uniform(0, 0.35, (full, full))
    table = torch.cat([paint, along, cx[:, None], cy[:, None], height[:, None]], 1)
    pixel = (torch.arange(size) + 0.5) * cells / size         # in cells
    home = pixel.long() + 1
    total, weight = 0.0, 0.0
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            dab = table[:, :, home + dy][:, :, :, home + dx]
            rx, ry = pixel.view(1, 1, -1) - dab[:, 5], pixel.view(1, -1, 1) - dab[:, 6]
            length = dab[:, 3] * rx + dab[:, 4] * ry
            across = dab[:, 3] * ry - dab[:, 4] * rx
            distance = ((length / 1.9).square() + across.square()).sqrt() + dab[:, 7]
            share = torch.exp(-(2.6 * size / cells) * distance).clamp(min=1e-30)[:, None]
            ridge = 1 - 0.2 * torch.tanh(2.5 * across)[:, None]
            total, weight = total + share * ridge * dab[:, :3], weight + share
    return total / weight


def oil(layers: Layers) -> torch.Tensor:
    """Render an oil painting: saturated dabs along the contours, finer in the foreground."""
    image, chance = layers.image, Chance(layers.key, 2)
    grey = luminance(image)
    image = (grey + 1.25 * (image - grey)).clamp(0.003, 1) ** 0.86
    image = (image + 0.2 * (image - _blur(image, 8))).clamp(0, 1)
    detail = 8 * (image - _blur(image, 12)).abs().amax(1, keepdim=True) - 0.25
    detail = _blur(detail.clamp(0, 1), 16) * layers.front[:, None]
    painted = _dabs(image, COARSE, chance)
    painted = painted + layers.front[:, None] * (_dabs(image, MIDDLE, chance) - painted)
    return (painted + detail * (_dabs(image, FINE, chance) - painted)).clamp(0, 1)


def _contours(image):
    """Return how much the colours within 1/20 of the image differ, 0..1 (n, 1, S, S)."""
    k = max(2, round(image.shape[-1] / 20))
    side = (k // 2, k - 1 - k // 2) * 2
    high = max_pool2d(pad(image, side, "replicate"), k, 1)
    low = -max_pool2d(pad(-image, side, "replicate"), k, 1)
    return (((high - low).amax(1, keepdim=True) - 0.12) / 0.4).clamp(0, 1)


def lithograph(layers: Layers) -> torch.Tensor:
    """Render a lithograph: contours and hatching in one ink on paper with a margin.

    The crayon lays down ink in proportion to the tone, plus lines that widen with the tone:

        ink = a · tone + b · clamp(½ + (tone · HATCH/2 − distance to a line) / pixel, 0, 1)
    """
    image, chance = layers.image, Chance(layers.key, 3)
    size, front = image.shape[-1], layers.front[:, None]
    x, y = _axes(size)
    grey = 0.75 * luminance(image) + 0.25 * image.amax(1, keepdim=True)         # skin is light
    small = interpolate(grey, (16, 16), mode="area")
    low, high = small.amin((2, 3), keepdim=True), small.amax((2, 3), keepdim=True)
    tone = (high - grey) / (high - low).clamp(min=0.25)                         # 1 is darkest
    tone = (tone + 0.5 * (tone - _blur(tone.clamp(0, 1), 8))).clamp(0, 1) ** 1.3
    angle = (math.pi / 4 + chance.uniform(-0.25, 0.25)) * (1 - 2 * chance.flip())
    u = x * angle.cos() + y * angle.sin() + 0.25 * _blur(grey, 5)[:, 0]
    distance = ((u / HATCH) % 1 - 0.5).abs()[:, None] * HATCH
    lines = (0.5 + (tone * HATCH / 2 - distance) * size / 2).clamp(0, 1) * (4 * tone).clamp(0, 1)
    ink = tone * (0.45 + 0.3 * front) + (0.35 - 0.08 * front) * lines
    ink = 1 - (1 - ink.clamp(0, 1)) * (1 - 0.6 * _contours(image))
    border = 0.92 + 0.03 * interpolate(chance.normal((1, 9, 9)), (size, size), mode="bicubic",
                                       align_corners=False)
    ink = ink * (0.5 + (border - torch.maximum(x.abs(), y.abs())[:, None]) * size / 2).clamp(0, 1)
    fibre = interpolate(chance.uniform(-1, 1, (1, 64, 64)), (size, size), mode="area")
    inks = torch.tensor([[38, 30, 28], [28, 34, 56], [58, 38, 26]]) / 255
    papers = torch.tensor([[246, 236, 212], [240, 226, 196], [238, 234, 222]]) / 255
    dark = inks[chance.integer(3)][:, :, None, None]
    paper = papers[chance.integer(3)][:, :, None, None] * (1 + 0.04 * fibre)
    return (paper + 0.93 * ink * (dark - paper)).clamp(0, 1)


RENDER = (flat, photo, oil, lithograph)      # in the order of MEDIA
