"""Strokes: an endless synthetic MNIST, drawn by a pen with jitter, at any size.

A digit is a few pen strokes, each a smooth curve through a handful of control points. To vary it,
move the points a little, slant, rotate and bend the whole, and change the pen. None of this
involves pixels, so one seed gives the same digits at 28x28 and, with true detail, at 56x56: what a
learned upsampler needs and MNIST cannot give.

The curve. Between control points P1 and P2, with neighbours P0 and P3 and 0 ≤ u ≤ 1, a Catmull-Rom
spline is

    p(u) = ½ [ (−u + 2u² − u³) P0 + (2 − 5u² + 3u³) P1 + (u + 4u² − 3u³) P2 + (−u² + u³) P3 ]

which is linear in the points. So a template, one way to write a digit, is a fixed matrix W,
and a batch of different digits is one batched matrix product: p = W[template] · P.

The frame is MNIST's: the longer side of a digit, pen included, is about 20 of 28 pixels, and its
centre of mass is in the middle to within half a pixel. `make train-classifier` prints how well a
classifier trained on MNIST reads strokes.

The ink. The curve is cut into SEGMENTS straight pieces. If a pixel's centre is a along and b across
a piece of length L, measured from the piece's middle, its distance d from the piece is given by

    d² = b² + max(|a| − L/2, 0)²            ink = clamp(½ + radius − min over pieces of d, 0, 1)

all in pixels. The ramp is one pixel wide, so ink is nearly the share of the pixel under the pen:
edges look smooth, and 56x56 pooled to 28x28 agrees with 28x28.

Sources: Catmull & Rom, "A class of local interpolating splines" (1974), for the curve; LeCun,
Cortes & Burges, "The MNIST database", for the frame.

Exercises
1. Add your own 7, one line of TEMPLATES. Is it used? Is the pen lifted where it should be?
   test_strokes.py: test_every_variant_is_used
   test_strokes_pen.py: test_pieces_join_except_where_the_pen_is_lifted
2. Draw one seed at 28 and at 56 pixels, and pool the large one. How far apart are they?
   test_strokes.py: test_size_changes_only_the_detail
Next: evaluation/metrics.py
"""

import math

import torch

SEGMENTS = 20            # straight pieces per digit; the cost of drawing is proportional to it
BATCH = 1000             # digits computed together; a change of it changes the digits of every seed
BLOCK = 8_000_000        # floats in one distance array, 32 MB; three of them are in use at once

# Every way of writing each digit; those of one digit are equally likely.
# "x,y" in percent of a square, y downwards; "/" lifts the pen, or makes a corner without lifting.
# Equal points within a template are one point: what meets here still meets after the jitter.
TEMPLATES = """
0  50,0 21,25 21,75 50,100 79,75 79,25 50,0                                      # closed
0  50,0 8,25 8,75 50,100 92,75 92,25 50,0                                        # wide
0  64,4 34,8 15,45 24,87 52,100 80,80 84,36 60,5 44,3                            # ends crossing
1  50,0 50,100                                                                   # a stroke
1  52,0 48,50 50,100                                                             # bent left
1  50,0 52,50 48,100                                                             # bent right
1  52,0 48,100                                                                   # leaning
1  41,16 53,0 / 53,0 52,50 52,100                                                # with a flag
1  38,16 52,0 / 52,0 52,98 / 34,99 52,98 70,99                                   # flag and base
2  14,24 30,4 60,2 78,24 62,54 36,80 12,98 / 12,98 50,97 88,97                   # plain
2  14,22 32,3 62,4 76,28 58,62 28,94 8,92 16,76 40,84 64,98 92,90                # with a loop
2  16,20 36,2 66,4 76,26 56,60 14,96 / 14,96 38,88 64,98 90,92                   # wavy base
2  10,26 32,2 72,6 76,36 44,72 12,98 / 12,98 50,98 86,96                         # big head
3  16,12 44,0 74,12 66,38 36,47 / 36,47 72,54 82,78 52,99 14,90                  # two arcs
3  18,16 42,1 70,12 64,36 44,48 38,46 50,44 76,58 78,84 48,100 12,86             # in one sweep
3  18,3 48,3 76,2 / 76,2 60,22 42,42 / 42,42 72,50 82,76 52,99 14,88             # flat top
4  22,2 18,28 16,52 / 16,52 46,54 84,50 / 74,2 70,50 66,100                      # open
4  64,0 38,30 10,64 / 10,64 50,65 92,63 / 64,0 64,50 63,100                      # closed
4  26,6 20,26 16,46 / 16,46 44,50 72,44 / 76,0 72,44 62,100                      # long stem
4  18,8 11,32 22,52 48,54 76,42 / 80,0 76,42 70,100                              # round
5  82,2 52,3 28,4 / 28,4 25,24 22,44 / 22,44 56,38 82,62 64,94 14,94             # bar, back, bowl
5  80,3 54,4 32,2 / 32,2 28,22 30,42 / 30,42 62,48 76,74 50,99 16,88             # narrow
5  84,4 50,2 30,14 28,38 56,48 76,70 58,96 16,94                                 # in one sweep
6  58,0 36,26 21,58 28,90 52,100 74,84 68,62 46,58 21,74                         # curved back
6  56,0 38,28 24,62 32,94 58,99 74,80 58,62 30,74                                # straight back
6  56,0 34,24 19,58 24,88 50,100 76,88 74,64 50,58 20,74                         # wide loop
7  18,6 48,5 80,3 / 80,3 60,48 44,100                                            # plain
7  16,10 42,4 76,4 / 76,4 70,36 52,66 46,100                                     # curved
7  18,5 48,5 80,3 / 80,3 60,48 42,100 / 34,52 60,50 80,47                        # with a bar
7  18,22 20,6 / 20,6 48,6 80,4 / 80,4 60,46 46,100                               # with a serif
8  50,50 26,36 24,12 50,0 76,12 74,36 50,50 24,64 20,88 50,100 80,88 76,64 50,50 # in one line
8  72,12 50,0 28,14 34,38 64,62 70,88 46,100 26,86 36,60 64,36 76,8              # ends apart
8  50,46 28,30 50,0 72,30 50,46 / 50,46 24,74 50,100 76,74 50,46                 # two rings
9  74,12 46,0 22,18 26,42 52,48 74,12 / 74,12 72,52 68,100                       # straight tail
9  76,14 48,0 24,16 26,42 54,46 76,14 / 76,14 76,56 62,88 34,98                  # curved tail
9  70,8 42,4 20,28 34,50 60,42 76,14 66,56 46,100                                # in one sweep
9  72,20 52,0 24,14 24,42 50,50 72,20 / 72,20 76,60 66,92 44,100 22,88           # hooked tail
"""


def _spline(u, closed, spans):
    """Return the weights (spans + 1,) of a stroke's points at u in 0..spans along it."""
    i = min(int(u), spans - 1)
    v = u - i
    basis = (-v + 2 * v**2 - v**3, 2 - 5 * v**2 + 3 * v**3, v + 4 * v**2 - 3 * v**3, v**3 - v**2)
    weights = torch.zeros(spans + 1)
    for j, b in zip(range(i - 1, i + 3), basis):
        # Beyond its end a closed curve continues at its start; an open one repeats its last point.
        j = j % spans if closed and not 0 <= j <= spans else min(max(j, 0), spans)
        weights[j] += b / 2
    return weights


def _compile(template):
    """Return a template's points (P, 2) and two weights (SEGMENTS, P): pieces' starts and ends."""
    strokes = [[tuple(map(int, xy.split(","))) for xy in s.split()] for s in template.split("/")]
    points = sorted({p for s in strokes for p in s})
    lengths = [sum(map(math.dist, s, s[1:])) for s in strokes]
    counts = [max(1, round(SEGMENTS * n / sum(lengths))) for n in lengths]
    counts[lengths.index(max(lengths))] += SEGMENTS - sum(counts)
    starts, ends = [], []
    for stroke, count in zip(strokes, counts):
        spans, closed = len(stroke) - 1, stroke[0] == stroke[-1]
        select = torch.tensor([[float(p == q) for q in points] for p in stroke])
        at = [_spline(spans * k / count, closed, spans) @ select for k in range(count + 1)]
        starts += at[:-1]
        ends += at[1:]
    return torch.tensor(points) / 100, torch.stack(starts), torch.stack(ends)


def _tables():
    """Compile TEMPLATES; return points (V, P, 2), weights (V, 2·SEGMENTS, P), and each digit's
    first template and number of templates."""
    lines = [line.split("#")[0].split(maxsplit=1) for line in TEMPLATES.strip().splitlines()]
    compiled = [_compile(template) for _, template in lines]
    most = max(len(p) for p, _, _ in compiled)
    points = torch.zeros(len(compiled), most, 2)
    weights = torch.zeros(len(compiled), 2 * SEGMENTS, most)
    for v, (p, starts, ends) in enumerate(compiled):
        points[v, : len(p)] = p
        weights[v, :, : len(p)] = torch.cat([starts, ends])
    count = torch.tensor([int(digit) for digit, _ in lines]).bincount(minlength=10)
    return points, weights, count.cumsum(0) - count, count


POINTS, WEIGHTS, FIRST, COUNT = _tables()


def _hand(labels, generator):
    """Write one digit per label, in a frame of side 1 whose origin is in the middle. Return the
    pieces' starts and ends, (N, SEGMENTS, 2) each, and the pen's radius (N,)."""
    n = len(labels)
    def normal(*shape):
        return torch.randn(n, *shape, generator=generator)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    template = FIRST[labels] + (uniform(0, 1) * COUNT[labels]).long()
    care = uniform(0.01, 0.055, 1, 1)                        # how far this writer's points deviate
    points = POINTS[template] + care * normal(*POINTS.shape[1:])
    curve = WEIGHTS[template] @ points - 0.5                 # N, 2·SEGMENTS, 2

    aspect = torch.exp(0.18 * normal())
    slant = 0.12 + 0.24 * normal()
    angle = 0.1 * normal()                                   # radians
    x, y = curve.unbind(-1)
    x = aspect[:, None] * x - slant[:, None] * y
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    curve = torch.stack([cos * x - sin * y, sin * x + cos * y], -1)

    # Slow waves bend the whole; faster ones would change which digit it is.
    wave = curve @ (2.5 * normal(2, 3)) + uniform(0, 2 * math.pi, 1, 3)
    curve = curve + wave.sin() @ (0.03 * normal(3, 2))

    radius = (1.2 * torch.exp(0.25 * normal())).clamp(0.75, 2.4) / 28
    side = uniform(19.2, 20.2) / 28 - 2 * radius
    curve = curve * (side / (curve.amax(1) - curve.amin(1)).amax(1))[:, None, None]
    starts, ends = curve.split(SEGMENTS, 1)
    length = (ends - starts).norm(dim=-1, keepdim=True)
    mass = ((starts + ends) / 2 * length).sum(1, keepdim=True) / length.sum(1, keepdim=True)
    mass = mass + uniform(-0.5, 0.5, 1, 2) / 28              # MNIST centres to a whole pixel
    return starts - mass, ends - mass, radius


def _ink(starts, ends, radius, size):
    """Return the ink (N, size, size) in 0..1 of pieces (N, SEGMENTS, 2); see "The ink" above."""
    middle, step = (starts + ends) * (size / 2), (ends - starts) * size
    half = step.norm(dim=-1)[..., None, None] / 2
    angle = torch.atan2(step[..., 1], step[..., 0])[..., None]
    cos, sin = angle.cos(), angle.sin()
    pixel = torch.arange(size) - (size - 1) / 2
    dx, dy = pixel - middle[..., :1], pixel - middle[..., 1:]              # N, SEGMENTS, size
    along = (cos * dx)[..., None, :] + (sin * dy)[..., :, None]            # N, SEGMENTS, size, size
    across = (cos * dy)[..., :, None] - (sin * dx)[..., None, :]
    beyond = along.abs_().sub_(half).clamp_(min=0)
    distance = across.square_().addcmul_(beyond, beyond).amin(1).sqrt()    # N, size, size
    return (0.5 + radius[:, None, None] * size - distance).clamp(0, 1)


def draw(labels, size=28, generator=None):
    """Return one digit drawn per label, each in a different hand, uint8 (N, 1, size, size).

    labels: int64 (N,), 0..9, on the CPU. size: side of the image in pixels, 8 or more. generator: a
    CPU torch.Generator, None for torch's global one. The same state and labels give the same digits
    at every size: a white pen, 255, on black, 0. Raises ValueError for other labels or sizes.
    """
    if labels.dtype != torch.int64 or labels.ndim != 1 or labels.device.type != "cpu":
        got = f"{labels.dtype} {tuple(labels.shape)} on {labels.device}"
        raise ValueError(f"expected labels torch.int64 (N,) on cpu, got {got}")
    if len(labels) and not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"labels must lie in 0..9, got {labels.min()}..{labels.max()}")
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, got {size}")
    images = torch.empty(len(labels), 1, size, size, dtype=torch.uint8)
    block = max(1, BLOCK // (SEGMENTS * size * size))
    for part, out in zip(labels.split(BATCH), images.split(BATCH)):
        hand = _hand(part, generator)
        for i in range(0, len(part), block):
            ink = _ink(*(values[i : i + block] for values in hand), size)
            out[i : i + block, 0] = (255 * ink).round()
    return images


def dataset(n, seed, size=28):
    """Draw n digits of all classes equally, in random order. Return images, uint8 (n, 1, size,
    size), and labels, int64 (n,). Raises ValueError for a size below 8."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randperm(n, generator=generator) % 10
    return draw(labels, size, generator), labels
