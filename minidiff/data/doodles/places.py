"""Places: a snowy mountain village and the Amalfi coast.

A landscape is painted in layers from far to near: sky, mountains or cliffs, houses or trees, the
ground in front. The time of day changes the sky and the light on everything else.
"""

import torch

from minidiff.data.doodles.kit import Canvas, rgb
from minidiff.data.doodles.scenery import hills, is_time, light, sky

PASTEL = ((250, 222, 178), (244, 176, 130), (250, 244, 228), (232, 140, 128), (250, 206, 110))
CABIN = ((150, 88, 54), (122, 72, 48), (176, 116, 72), (196, 160, 116))
GLOW = rgb(255, 220, 120)


def mountain(c: Canvas, cx, top, foot, width, rock):
    """Paint a mountain with a lit and a shaded side, snow on its upper part."""
    ridge = foot - (foot - top) * (1 - (c.x - cx).abs() / width)
    ridge = ridge + 0.05 * (9 * c.x + 5 * cx).sin() * ((c.x - cx).abs() / width).clamp(0, 1)
    side = torch.tanh(6 * (c.x - cx + 0.12 * (14 * c.y).sin())) * c.light[0]
    d = torch.maximum((ridge - c.y) * 0.6, c.y - foot - 0.5)
    c.paint(d, rock, shade=0.18 * side)
    zigzag = 0.09 * (22 * (c.x - cx)).sin() * (1 - (c.x - cx).abs())
    snow = torch.maximum(d, c.y - top - 0.45 * (foot - top) - zigzag)
    c.paint(snow, light(c, rgb(250, 252, 255)), shade=0.14 * side - 0.06)


def tree(c: Canvas, x, foot, tall, colour, snow):
    """Paint a three-tiered fir with snow on its branches."""
    for k in range(3):
        y, w = foot - 0.28 * k * tall, 0.3 * tall * (1 - 0.22 * k)
        tier = c.polygon((x - w, y), (x, y - 0.5 * tall), (x + w, y))
        c.paint(tier, colour)
        c.paint(torch.maximum(tier, c.y - y + 0.22 * tall), snow, 0.9)


def village(c: Canvas):
    """A snowy mountain village: white peaks, firs, cabins with lit windows and white roofs."""
    sky(c, 0.2)
    c.stand()
    c.place((0.95, 1.1), 0.02, (0.1, 0.06))
    rock = light(c, c.pick((84, 100, 140), (100, 106, 132), (76, 98, 128)))
    for cx, top in (((-0.95, -0.45), (-0.6, -0.3)), ((0.3, 0.9), (-0.7, -0.4)),
                    ((-0.3, 0.3), (-0.95, -0.7))):
        mountain(c, c.uniform(*cx), c.uniform(*top), 0.4, c.uniform(0.7, 0.95), rock)
    snow = light(c, rgb(246, 249, 254))
    hills(c, 0.1, light(c, c.pick((58, 100, 92), (54, 92, 102))), 0.06)
    fir = light(c, c.pick((36, 82, 66), (30, 70, 62)))
    for k in range(8):
        x = -1.05 + 0.3 * k + c.uniform(-0.08, 0.08)
        tree(c, x, c.uniform(0.3, 0.4), c.uniform(0.3, 0.46), fir, snow)
    hills(c, 0.36, snow * 0.86, 0.04)
    wood = c.main(*CABIN)
    for x, foot, w in ((-0.62, 0.5, 0.17), (0.64, 0.5, 0.17), (0.06, 0.54, 0.18),
                       (-0.42, 0.86, 0.25), (0.4, 0.9, 0.26)):
        tone = torch.where(c.colour.isnan(), c.pick(*CABIN), wood)
        cabin(c, x + c.uniform(-0.1, 0.1), foot + c.uniform(-0.04, 0.03), w * c.uniform(0.9, 1.15),
              light(c, tone), snow)
    hills(c, 0.94, snow, 0.03)
    _snowfall(c)


def cabin(c: Canvas, x, foot, w, wood, snow):
    """Paint a cabin with a steep white roof, two glowing windows and a chimney."""
    eaves, top = foot - w * 0.95, foot - w * 1.95
    c.paint(c.box(x + 0.45 * w, top, x + 0.7 * w, eaves), wood * 0.6)
    side = 0.2 * c.light[0] * (c.x - x) / w
    c.paint(c.box(x - w * 0.9, eaves - 0.05, x + w * 0.9, foot), wood, shade=side)
    gable = c.polygon((x - w * 0.9, eaves), (x, top + 0.15 * w), (x + w * 0.9, eaves))
    c.paint(gable, wood * 0.85)
    low = eaves + 0.12 * w
    slope = c.arc([(x - w * 1.15, low), (x, top), (x + w * 1.15, low)], 0.17 * w)
    c.paint(slope - 0.035, light(c, rgb(150, 168, 204)))
    c.paint(slope, snow)
    for k in (-0.42, 0.42):
        c.paint(c.box(x + (k - 0.2) * w, foot - w * 0.72, x + (k + 0.2) * w, foot - w * 0.2), GLOW)


def _snowfall(c):
    falls = c.chance.flip(0.35)
    x, y = c.chance.uniform(-1, 1, (16,)), c.chance.uniform(-1, 1, (16,))
    d = torch.stack([
        ((c.x - x[:, i, None, None]).square() + (c.y - y[:, i, None, None]).square()).sqrt()
        for i in range(16)
    ]).amin(0) - 0.03
    c.paint(d, rgb(255, 255, 255), 0.9 * falls)


def coast(c: Canvas):
    """The Amalfi coast: pastel houses on a cliff above a turquoise bay, a boat, a headland."""
    horizon = c.uniform(-0.22, -0.02)
    sky(c, horizon)
    cape = light(c, rgb(126, 152, 178))
    c.place((0.96, 1.1), 0.02, (0.06, 0.04))
    far = horizon - 0.28 * torch.exp(-6 * (c.x + 0.75).square())
    far = far - 0.1 * torch.exp(-20 * (c.x + 0.2).square())
    c.paint(far - c.y, cape)
    deep = c.pick((26, 122, 178), (24, 134, 172)), c.pick((62, 196, 196), (84, 208, 200))
    water = c.by_time(*[deep[0]] * 2, rgb(108, 92, 140), rgb(18, 36, 84))
    near = c.by_time(*[deep[1]] * 2, rgb(238, 150, 110), rgb(44, 84, 130))
    k = ((c.y - horizon) / 0.9).clamp(0, 1).unsqueeze(1)
    c.blend(((c.y - horizon) / c.pixel + 0.5).clamp(0, 1) + 0 * c.x, water + k * (near - water))
    for _ in range(3):
        y, x, w = c.uniform(0.1, 0.9), c.uniform(-1, 0.2), c.uniform(0.08, 0.2)
        c.paint(c.line(x - w, y, x + w, y, 0.018), near + 0.5 * (1 - near), 0.7)
    _boat(c)
    c.stand()
    _cliff(c)
    _houses(c)


def _boat(c):
    x, y = c.uniform(-0.8, -0.3), c.uniform(0.35, 0.7)
    there, white = c.chance.flip(0.6), light(c, rgb(252, 250, 244))
    hull = c.polygon((x - 0.15, y), (x + 0.15, y), (x + 0.09, y + 0.08), (x - 0.09, y + 0.08))
    c.paint(hull, white, there)
    c.paint(c.polygon((x, y - 0.03), (x, y - 0.32), (x + 0.14, y - 0.03)), white, there)


def _cliff(c):
    rock = light(c, c.pick((150, 128, 96), (162, 136, 104), (134, 120, 98)))
    green = light(c, c.pick((104, 140, 76), (120, 146, 78), (86, 124, 80)))
    wave = c.texture(6)
    edge = -0.3 + 0.55 * (c.y + 0.5) - 0.3 * torch.exp(-8 * (c.y - 0.75).square()) + 0.06 * wave
    top = -0.66 - 0.25 * c.x.clamp(-1, 1) + 0.06 * wave
    d = torch.maximum(edge - c.x, top - c.y)
    c.paint(d * 0.8, rock, shade=0.16 * wave)
    slope = torch.maximum(d * 0.8, c.y + 0.1 - 0.55 * c.x + 0.1 * wave)
    c.paint(slope, green, shade=0.12 * wave)
    c.paint(torch.maximum((edge + 0.02 - c.x).abs() - 0.035, -0.1 - c.y), rgb(240, 240, 228), 0.5)


def _houses(c):
    colour, night = c.main(*PASTEL), is_time(c, 2)
    rows = (
        (-0.3, (0.25, 0.5, 0.8)), (-0.08, (0.12, 0.4, 0.68, 0.95)), (0.15, (0.2, 0.48, 0.76, 1.02)),
        (0.4, (0.35, 0.62, 0.9)), (0.66, (0.5, 0.8)),
    )
    for y, places in rows:
        for x in places:
            pale = colour + 0.3 * c.chance.flip()[..., None] * (1 - colour)
            wall = light(c, torch.where(c.colour.isnan(), c.pick(*PASTEL), pale))
            x, y_ = x + c.uniform(-0.05, 0.05), y + c.uniform(-0.04, 0.06)
            _house(c, x, y_, c.uniform(0.1, 0.14), wall, night)
    x = c.uniform(0.35, 0.6)
    c.paint(c.box(x - 0.07, -0.82, x + 0.07, -0.35), light(c, rgb(250, 236, 206)))
    c.paint(c.ellipse(x, -0.82, 0.1, 0.12), light(c, rgb(232, 176, 64)))


def _house(c, x, foot, w, wall, night):
    """Paint a house with a flat tiled roof and two windows, lit at night."""
    top, side = foot - w * c.uniform(1.5, 2.3), 0.25 * c.light[0] * (c.x - x) / w
    c.paint(c.box(x - w, top, x + w, foot + 0.1), wall, shade=side)
    tiles = c.box(x - w - 0.015, top - 0.035, x + w + 0.015, top + 0.035)
    c.paint(tiles, light(c, rgb(190, 96, 62)))
    pane = c.by_time(wall * 0.5, wall * 0.5, wall * 0.5, GLOW)
    y0, y1 = top + 0.3 * (foot - top), top + 0.7 * (foot - top)
    for k in (-0.45, 0.45):
        c.paint(c.box(x + k * w - 0.028, y0, x + k * w + 0.028, y1), pane, 0.8 + 0.2 * night)
