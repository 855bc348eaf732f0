"""People: four men who must be distinguishable at 32 pixels.

Each has his own silhouette: bare head and short hair; a hat with a wide brim; a quiff or a
beanie, round glasses, a big dark beard, an apron and a cup; a bald head and a long white beard.
The rest varies: skin, hair, build, lean, background, light.
"""

import torch

from minidiff.data.doodles.kit import Canvas, rgb, smooth_union
from minidiff.data.doodles.scenery import backdrop

SKIN = ((250, 214, 182), (238, 190, 150), (214, 158, 114), (164, 108, 72), (118, 76, 52))
HAIR = ((206, 160, 86), (104, 64, 34), (48, 32, 26), (28, 22, 24), (22, 18, 20))    # one per skin
OTHER = ((150, 66, 32), (60, 42, 32), (92, 54, 30), (46, 30, 24), (44, 30, 26))
CLOTHES = ((72, 84, 104), (210, 200, 184), (104, 112, 96), (52, 56, 68), (150, 146, 144))
INK, WHITE = rgb(38, 28, 30), rgb(255, 255, 255)


def looks(c: Canvas, dark=False):
    """Pick a skin colour and a hair colour that contrasts with it, both (n, 3, 1, 1)."""
    skin, other = c.chance.integer(len(SKIN)), c.chance.integer(2).clamp(min=int(dark))
    table = torch.tensor([SKIN, HAIR, OTHER]) / 255
    tone = c.chance.uniform(0.95, 1.03, (1, 1, 1))
    return (
        (table[0, skin][:, :, None, None] * tone).clamp(0, 1),
        table[1 + other, skin][:, :, None, None] * c.chance.uniform(0.9, 1.15, (1, 1, 1)),
    )


def body(c: Canvas, shirt, skin, width=0.78):
    """Paint shoulders, a neck with the shadow of the chin, and a collar."""
    shape = smooth_union(c.ellipse(0, 1.18, width, 0.6), c.box(-0.5, 0.85, 0.5, 1.6, 0.1), 0.2)
    c.paint(shape, shirt, shade=c.lit(0.8, 0.25))
    c.paint(c.ellipse(0, 0.62, 0.25, 0.16), shirt * 0.72)
    c.paint(c.box(-0.15, 0.2, 0.15, 0.68, 0.12), skin * 0.78)


def head(c: Canvas, skin, w, h=0.47):
    """Paint the ears and the head, lit from the side."""
    for side in (-1, 1):
        c.ball(side * (w + 0.01), 0.02, 0.08, 0.12, skin * 0.9)
    jaw = smooth_union(c.ellipse(0, -0.08, w, h - 0.04), c.ellipse(0, 0.16, w * 0.8, 0.3), 0.1)
    c.paint(jaw, skin, shade=c.lit(w, 0.2))


def face(c: Canvas, skin, brow, y=-0.02, mouth=0.28):
    """Paint eyes, brows, a nose, cheeks and, at height `mouth`, a mouth that may smile."""
    gap, look, smile = c.uniform(0.15, 0.19), c.uniform(-0.02, 0.02), c.uniform(0.0, 0.08)
    for side in (-1, 1):
        c.paint(c.ellipse(side * 0.24, y + 0.17, 0.09, 0.07), rgb(226, 110, 92), 0.22)
        c.paint(c.ellipse(side * gap, y, 0.085, 0.062), WHITE)
        c.paint(c.ellipse(side * gap + look, y, 0.052, 0.06), INK)
        c.paint(c.line(side * 0.08, y - 0.125, side * 0.26, y - 0.13, 0.03), brow)
    c.paint(c.line(0.02, y + 0.02, 0.05, y + 0.15, 0.025, 0.04), skin * 0.78)
    if mouth is not None:
        points = [(-0.13, mouth), (0.0, mouth + smile), (0.13, mouth)]
        c.paint(c.arc(points, 0.028), rgb(150, 62, 58))


def short_hair(c: Canvas, hair, w):
    """Paint hair above the forehead: a crop, a side parting or curls."""
    line, lean = c.uniform(-0.34, -0.22), c.uniform(-0.35, 0.35)
    cap = torch.maximum(c.ellipse(0, -0.14, w + 0.07, 0.47), c.y - line - lean * c.x)
    sides = torch.maximum(c.ellipse(0, -0.1, w + 0.05, 0.44), c.y - 0.0)
    sides = torch.maximum(sides, w * 0.82 - c.x.abs())
    c.paint(torch.minimum(cap, sides), hair, shade=c.lit(w, 0.25))
    curls = [c.ellipse(0.62 * (i - 2) * w, -0.44 - 0.12 * (1 - (i - 2) ** 2 / 4), 0.17, 0.16)
             for i in range(5)]
    c.paint(torch.stack(curls).amin(0), hair, c.chance.flip(0.35), shade=c.lit(w, 0.25))


def man(c: Canvas):
    """A man: bare head, short hair, a shirt."""
    backdrop(c)
    c.stand()
    c.place((0.95, 1.22), 0.18, (0.18, 0.1))
    shirt, (skin, hair), w = c.main(*CLOTHES), looks(c), c.uniform(0.33, 0.4)
    body(c, shirt, skin)
    head(c, skin, w)
    stubble = torch.maximum(c.ellipse(0, 0.12, w * 0.97, 0.36), -c.ellipse(0, -0.06, w * 0.8, 0.24))
    c.paint(stubble, hair, 0.6 * c.chance.flip(0.3))
    face(c, skin, hair * 0.8)
    short_hair(c, hair, w)


def hat(c: Canvas, colour, band, w):
    """Paint a hat: fedora, bowler, cowboy hat or top hat, its brim far wider than the head."""
    y, brim, tall = -0.24, c.uniform(0.62, 0.76), c.uniform(0.42, 0.6)
    top, narrow, tilt = y - tall, c.uniform(0.72, 1.05), c.uniform(-0.06, 0.06)
    box = c.polygon((-w * 1.02, y), (-w * narrow, top), (w * narrow, top + tilt), (w * 1.02, y))
    round_ = torch.maximum(c.ellipse(0, y, w * 1.05, tall), c.y - y)
    crown = torch.where(c.chance.flip(0.4) > 0, round_, box - 0.03)
    c.paint(crown, colour, shade=c.lit(w, 0.3))
    c.paint(torch.maximum(crown, (c.y - y + 0.1).abs() - 0.07), band)
    curl = c.uniform(-0.1, 0.22)
    bent = c.y - y + curl * (c.x / brim).square()
    rim = torch.maximum(bent.abs() - 0.075, c.x.abs() - brim) - 0.02
    c.paint(rim, colour * 0.9, shade=c.lit(brim, 0.25))
    c.paint(torch.maximum((bent - 0.1).abs() - 0.05, c.x.abs() - w), rgb(30, 20, 30), 0.3)


def man_with_hat(c: Canvas):
    """A man wearing a hat, his face in its shadow."""
    backdrop(c)
    c.stand()
    c.place((0.94, 1.14), 0.18, (0.14, 0.06))
    felt = c.main((70, 52, 44), (46, 46, 56), (214, 190, 140), (120, 110, 100))
    shirt, (skin, hair) = c.pick(*CLOTHES), looks(c)
    w, c.y = c.uniform(0.34, 0.4), c.y - 0.12
    body(c, shirt, skin)
    head(c, skin, w)
    sides = torch.maximum(c.ellipse(0, -0.1, w + 0.05, 0.44), w * 0.85 - c.x.abs())
    c.paint(torch.maximum(sides, c.y - 0.06), hair)
    face(c, skin, hair * 0.8, 0.02, 0.3)
    hat(c, felt, c.pick((36, 30, 34), (236, 226, 206)), w)


def beard(c: Canvas, hair, w, length):
    """Paint a moustache, and a beard from ear to ear down to a given height."""
    tip = c.ellipse(0, length - 0.22, w * 0.62, 0.22)
    full = smooth_union(c.ellipse(0, 0.16, w * 1.02, 0.34), tip, 0.35)
    full = torch.minimum(full, c.line(0, 0.2, 0, length - 0.25, w * 0.7, w * 0.45))
    full = torch.maximum(full, -c.ellipse(0, -0.2, w * 0.84, 0.34))
    c.paint(full, hair, shade=c.lit(w, 0.25))
    c.paint(c.ellipse(0, 0.27, 0.13, 0.04), rgb(170, 84, 76))
    for side in (-1, 1):
        c.paint(c.line(side * 0.02, 0.17, side * 0.2, 0.22, 0.055, 0.02), hair * 0.86)


def barista(c: Canvas):
    """A hipster barista: quiff or beanie, round glasses, big dark beard, apron, a cup of coffee."""
    backdrop(c)
    c.stand()
    c.place((0.97, 1.14), 0.12, (0.1, 0.04))
    apron = c.main((92, 66, 50), (60, 78, 72), (64, 70, 92))
    shirt, (skin, hair) = c.pick((244, 240, 232), (226, 230, 234)), looks(c, True)
    w, c.y = c.uniform(0.31, 0.36), c.y + 0.06
    body(c, shirt, skin, 0.86)
    for side in (-1, 1):
        c.paint(c.line(side * 0.3, 0.6, side * 0.26, 1.0, 0.055), apron * 0.9)
    c.paint(c.box(-0.46, 0.84, 0.46, 2, 0.08), apron, shade=c.lit(0.6, 0.2))
    head(c, skin, w)
    beard(c, hair, w, c.uniform(0.72, 0.86))
    face(c, skin, hair * 0.8, -0.06, None)
    for side in (-1, 1):
        lens = c.ellipse(side * 0.17, -0.06, 0.145, 0.14)
        c.paint(torch.maximum(lens, c.y + 0.07), WHITE, 0.3)
        c.paint(lens.abs() - 0.028, rgb(28, 22, 26))
    c.paint(c.line(-0.05, -0.08, 0.05, -0.08, 0.025), rgb(28, 22, 26))
    _quiff_or_beanie(c, hair, w)
    _cup(c)


def _quiff_or_beanie(c, hair, w):
    short = torch.maximum(c.ellipse(0, -0.12, w + 0.03, 0.44), w * 0.86 - c.x.abs())
    c.paint(torch.maximum(short, c.y - 0.02), hair * 0.85)
    sweep, beanie = c.uniform(-0.1, 0.1), c.chance.flip(0.35)
    quiff = smooth_union(c.ellipse(sweep, -0.5, w * 0.98, 0.2), c.ellipse(0.14, -0.6, w * 0.7, 0.2))
    c.paint(quiff, hair, 1 - beanie, shade=-0.35 * (c.y + 0.55))
    wool = c.pick((170, 70, 52), (64, 88, 100), (188, 146, 70), (90, 96, 80))
    dome = torch.maximum(c.ellipse(0, -0.34, w + 0.05, 0.42), c.y + 0.28)
    c.paint(dome, wool, beanie, shade=c.lit(w, 0.25))
    c.paint(c.box(-w - 0.06, -0.4, w + 0.06, -0.22, 0.07), wool * 0.8, beanie)


def _cup(c):
    x, y = c.uniform(0.52, 0.6), c.uniform(0.56, 0.66)
    for k in (-0.07, 0.09):
        steam = c.arc([(x + k, y - 0.2), (x + k + 0.05, y - 0.3), (x + k, y - 0.42)], 0.028)
        c.paint(steam, WHITE, 0.75)
    c.paint(c.ellipse(x + 0.2, y + 0.1, 0.12, 0.11).abs() - 0.035, rgb(250, 248, 244))
    cup = torch.maximum(c.ellipse(x, y - 0.12, 0.23, 0.42), y - 0.12 - c.y)
    c.paint(cup, rgb(250, 248, 244), shade=-0.5 * (c.x - x))
    c.paint(c.ellipse(x, y - 0.12, 0.22, 0.06), rgb(92, 54, 32))
    c.paint(c.ellipse(x + 0.02, y + 0.34, 0.34, 0.05), rgb(236, 230, 222))


def old_man(c: Canvas):
    """An old man: bald, with white hair at the sides, bushy brows and a long white beard."""
    backdrop(c)
    c.stand()
    c.place((0.97, 1.2), 0.18, (0.16, 0.06))
    coat, (skin, _) = c.main(*CLOTHES), looks(c)
    white = c.pick((250, 248, 244), (232, 232, 232), jitter=0.03)
    w, c.y = c.uniform(0.33, 0.38), c.y + 0.1
    body(c, coat, skin)
    puff = torch.stack([c.ellipse(s * (w + 0.02), 0.0, 0.15, 0.27) for s in (-1, 1)]).amin(0)
    c.paint(puff, white * 0.93)
    head(c, skin, w)
    beard(c, white, w, c.uniform(0.95, 1.25))
    for k in (-0.16, 0.0, 0.16):
        c.paint(c.line(k, 0.42, k * 0.6, 0.85, 0.015), white * 0.8, 0.7)
    face(c, skin, white, -0.04, None)
    for side in (-1, 1):
        c.paint(c.line(side * 0.07, -0.15, side * 0.27, -0.17, 0.048), white)
    for y in (-0.36, -0.28):
        c.paint(c.arc([(-0.16, y), (0, y - 0.02), (0.16, y)], 0.014), skin * 0.75, 0.8)
    c.paint(c.ellipse(-0.1, -0.42, 0.1, 0.05), WHITE, 0.3)
