"""The drawing kit: a batch of canvases and a few operations on them.

A shape is given by its signed distance d(x, y): negative inside, zero on the outline, positive
outside. The coverage of a pixel is the share of it that lies inside, for a smooth outline nearly

    coverage = clamp(½ − d / pixel, 0, 1)              pixel = the side of a pixel

so edges are smooth at any size, without drawing at a larger size and shrinking. The frame is x, y
in −1..1, y downwards. Shapes combine as sets do: union min(d₁, d₂), intersection max(d₁, d₂),
difference max(d₁, −d₂); |d| − w is an outline of half-width w.

Every number may be a float, or (n, 1, 1) with a value for each image; a colour is (n, 3, 1, 1) in
0..1. Everything painted after `c.stand()` is the foreground, which media may treat in another way.

Source of the distances: Inigo Quilez, "2D distance functions", iquilezles.org/articles.
"""

import math

import torch
from torch.nn.functional import interpolate

from minidiff.data.doodles.chance import Chance


def rgb(*colour) -> torch.Tensor:
    """Return a colour given in 0..255 as float (1, 3, 1, 1) in 0..1."""
    return torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1) / 255


def smooth_union(a, b, k=0.1):
    """Join two shapes with a fillet of size k: min(a, b) − h²k/4, h = max(k − |a − b|, 0)/k."""
    h = (k - (a - b).abs()).clamp(min=0) / k
    return torch.minimum(a, b) - h * h * k / 4


class Canvas:
    """n images of size x size pixels that are drawn at once.

    key: int64 (n,), see chance.py. colour: float (n, 3, 1, 1) of the main thing, nan where any will
    do. time: int64 (n,), 0 day, 1 sunset, 2 night, -1 none.
    """

    def __init__(self, key, size, colour=None, time=None):
        self.n, self.size, self.chance = len(key), size, Chance(key)
        self.colour = torch.full((self.n, 3, 1, 1), float("nan")) if colour is None else colour
        self.time = torch.full((self.n,), -1) if time is None else time
        self.image = torch.zeros(self.n, 3, size, size)
        self.front, self.standing = torch.zeros(self.n, size, size), False
        self.back = self.image
        side = 1 - 2 * self.chance.flip()
        self.light = (-0.75 * side, -0.65)                    # towards the light
        self.reset()

    def reset(self):
        """Return to the frame of the whole image."""
        axis = (torch.arange(self.size) + 0.5) / self.size * 2 - 1
        self.y, self.x = axis.view(1, -1, 1), axis.view(1, 1, -1)
        self.pixel = 2 / self.size

    def stand(self):
        """Start the foreground: what is painted from here on is in front of the rest."""
        self.back, self.standing = self.image, True

    def uniform(self, low=0.0, high=1.0):
        """Return a number for each image, float (n, 1, 1), uniform in low..high."""
        return self.chance.uniform(low, high)

    def place(self, scale=(0.9, 1.1), turn=0.1, shift=(0.1, 0.1), mirror=True):
        """Move the frame at random: x' = R(−turn) (x − shift) / scale, half of them mirrored."""
        size, angle = self.uniform(*scale), self.uniform(-turn, turn)
        x = self.x - self.uniform(-shift[0], shift[0])
        y = self.y - self.uniform(-shift[1], shift[1])
        side = 1 - 2 * self.chance.flip() if mirror else 1
        cos, sin = angle.cos(), angle.sin()
        self.x, self.y = side * (cos * x + sin * y) / size, (cos * y - sin * x) / size
        self.light = (side * self.light[0], self.light[1])
        self.pixel = self.pixel / size

    # ---- colours

    def pick(self, *colours, jitter=0.06):
        """Pick one of the colours (0..255) for each image, its lightness jittered by a factor."""
        table = torch.tensor(colours, dtype=torch.float32) / 255
        chosen = table[self.chance.integer(len(colours))][:, :, None, None]
        return (chosen * (1 + jitter * self.chance.uniform(-1, 1, (1, 1, 1)))).clamp(0, 1)

    def main(self, *natural):
        """Return the colour of the main thing: the scene's if it has one, else one of `natural`."""
        free, jitter = self.pick(*natural), self.chance.uniform(0.92, 1.06, (1, 1, 1))
        return torch.where(self.colour.isnan(), free, (self.colour * jitter).clamp(0, 1))

    def by_time(self, none, day, sunset, night):
        """Choose one of four values for each image by its time of day."""
        stack = torch.stack(torch.broadcast_tensors(none, day, sunset, night))
        if len(stack[0]) == 1:
            stack = stack.expand(-1, self.n, *stack.shape[2:])
        return stack[self.time + 1, torch.arange(self.n)]

    # ---- painting

    def paint(self, distance, colour, alpha=1.0, shade=0.0):
        """Paint a shape over what is there.

        distance: (n, size, size). alpha: 0..1, how opaque. shade: relative change of lightness.
        """
        self.blend((0.5 - distance / self.pixel).clamp(0, 1) * alpha, colour, shade)

    def blend(self, cover, colour, shade=0.0):
        """Blend a colour in by its coverage (n, size, size): image ← image + cover (c − image)."""
        if not isinstance(shade, float):
            colour = (colour * (1 + shade.unsqueeze(1))).clamp(0, 1)
        self.image = self.image + cover.unsqueeze(1) * (colour - self.image)
        if self.standing:
            self.front = self.front + cover * (1 - self.front)

    def ball(self, cx, cy, rx, ry, colour, depth=0.3):
        """Paint an ellipse that is lit from the side: shade = depth · (normal · light)."""
        u, v = (self.x - cx) / rx, (self.y - cy) / ry
        shade = (depth * (u * self.light[0] + v * self.light[1])).clamp(-0.6, 0.6)
        self.paint(self.ellipse(cx, cy, rx, ry), colour, shade=shade)

    def lit(self, width=1.0, depth=0.3):
        """Return the shade of a round body, `width` its half-width: lighter towards the light."""
        return (depth * self.light[0] * self.x / width).clamp(-0.5, 0.5)

    def gradient(self, top, bottom, start=-1.0, end=1.0):
        """Fill the image with a vertical gradient: top at height start, bottom at end."""
        k = ((self.y - start) / (end - start)).clamp(0, 1).unsqueeze(1)
        self.image = (top + k * (bottom - top)).expand(self.n, 3, self.size, self.size)

    def texture(self, rows, columns=None):
        """Return smooth noise (n, size, size) around 0: a random grid, interpolated (bicubic)."""
        grid = self.chance.normal((1, rows, columns or rows))
        return interpolate(grid, (self.size, self.size), mode="bicubic", align_corners=False)[:, 0]

    # ---- signed distances, each (n, size, size)

    def ellipse(self, cx, cy, rx, ry):
        """Approximate distance to an ellipse: k₀ (k₀ − 1) / k₁ with k₀ = |p/r|, k₁ = |p/r²|."""
        u, v = (self.x - cx) / rx, (self.y - cy) / ry
        k0 = (u * u + v * v).sqrt()
        k1 = ((u / rx).square() + (v / ry).square()).sqrt()
        return k0 * (k0 - 1) / (k1 + 1e-6) - 1e-6

    def box(self, x0, y0, x1, y1, corner=0.0):
        """Distance to a box with round corners: q = |p − c| − half + r; |max(q, 0)| + … − r."""
        qx = (self.x - (x0 + x1) / 2).abs() - (x1 - x0) / 2 + corner
        qy = (self.y - (y0 + y1) / 2).abs() - (y1 - y0) / 2 + corner
        outside = (qx.clamp(min=0).square() + qy.clamp(min=0).square()).sqrt()
        return outside + torch.maximum(qx, qy).clamp(max=0) - corner

    def line(self, x0, y0, x1, y1, width, end=None):
        """Distance to a stroke: |w − h e| − width, h = clamp(w·e / e·e, 0, 1). `end`: taper."""
        ex, ey, wx, wy = x1 - x0, y1 - y0, self.x - x0, self.y - y0
        h = ((wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-9)).clamp(0, 1)
        thick = width if end is None else width + h * (end - width)
        return ((wx - h * ex).square() + (wy - h * ey).square()).sqrt() - thick

    def arc(self, points, width):
        """Distance to a stroke through several points."""
        pieces = zip(points, points[1:])
        return torch.stack([self.line(*a, *b, width) for a, b in pieces]).amin(0)

    def polygon(self, *points):
        """Distance to the nearest edge, negative where a ray crosses an odd number of edges."""
        distance, inside = math.inf, False
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1]):
            edge = self.line(x0, y0, x1, y1, 0.0)
            distance = edge if distance is math.inf else torch.minimum(distance, edge)
            between = (y0 <= self.y) != (y1 <= self.y)
            crossing = x0 + (self.y - y0) / (y1 - y0 + 1e-9) * (x1 - x0)
            inside = inside ^ (between & (self.x < crossing))
        return torch.where(inside, -distance, distance)

    def below(self, height):
        """Distance to the region below a height, which may vary with x; y grows downwards."""
        return height - self.y + 0 * self.x
