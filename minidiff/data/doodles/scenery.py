"""Scenery: what is behind a subject, a sky that depends on the time of day or a plain wall.

Each role has a small palette of its own: a sky at sunset goes from violet or rose to gold, whatever
is in front of it. Colours vary in lightness, never in hue, so none looks wrong.
"""

import torch

from minidiff.data.doodles.kit import Canvas, rgb

STARS = 14


def sky(c: Canvas, horizon=0.4):
    """Paint a sky for the time of day: the sun and clouds, a low sun, or the moon and stars."""
    day_top = c.pick((70, 150, 220), (96, 172, 228), (120, 190, 226))
    day_low = c.pick((196, 228, 242), (222, 238, 240), jitter=0.03)
    dusk_top = c.pick((104, 66, 130), (190, 80, 100), (232, 112, 82), (84, 80, 150))
    dusk_low = c.pick((255, 190, 96), (255, 170, 90), (255, 206, 130), jitter=0.03)
    night_top, night_low = c.pick((12, 16, 46), (20, 18, 58)), c.pick((44, 54, 104), (60, 52, 108))
    top = c.by_time(day_top, day_top, dusk_top, night_top)
    low = c.by_time(day_low, day_low, dusk_low, night_low)
    c.gradient(top, low, -1.0, horizon)
    _sun(c, horizon)
    _clouds(c)
    _stars(c)


def is_time(c: Canvas, *times):
    """Return float (n, 1, 1), 1 where the time is one of these; no time counts as day."""
    time = c.time.clamp(min=0)
    return torch.stack([time == t for t in times]).any(0).float()[:, None, None]


def _sun(c, horizon):
    x, lift = c.uniform(-0.85, 0.85), c.uniform(0, 1)
    low, night = is_time(c, 1), is_time(c, 2)
    y = low * (horizon - 0.1 - 0.3 * lift) + (1 - low) * (-0.8 + 0.35 * lift)
    sun, white = rgb(255, 246, 190), rgb(255, 250, 220)
    colour = c.by_time(sun, sun, rgb(255, 240, 170), rgb(250, 246, 220))
    glow = c.by_time(white, white, rgb(255, 190, 80), rgb(150, 160, 210))
    r = 0.15 + 0.06 * low
    spread = c.ellipse(x, y, r, r).clamp(min=0)
    c.blend(torch.exp(-spread / (0.16 + 0.2 * low)) * (0.55 - 0.2 * night), glow)
    crescent = torch.maximum(c.ellipse(x, y, r, r), -c.ellipse(x + 0.1, y - 0.04, r, r))
    c.paint(torch.where(night > 0, crescent, c.ellipse(x, y, r, r)), colour)


def _clouds(c):
    white = c.by_time(rgb(255, 255, 255), rgb(255, 255, 255), rgb(255, 176, 150), rgb(70, 76, 126))
    for _ in range(2):
        x, y, r = c.uniform(-1, 1), c.uniform(-0.85, -0.2), c.uniform(0.08, 0.15)
        puffs = [c.ellipse(x + a * r, y - b * r, s * r, s * r * 0.8)
                 for a, b, s in ((-1.5, 0, 0.9), (0, 0.45, 1.3), (1.4, 0, 1.0))]
        cloud = torch.maximum(torch.stack(puffs).amin(0), c.y - y - 0.3 * r)
        c.paint(cloud, white, 0.85 * c.chance.flip(0.6))


def _stars(c):
    x, y = c.chance.uniform(-1, 1, (STARS,)), c.chance.uniform(-1, 0.3, (STARS,))
    r = c.chance.uniform(0.015, 0.035, (STARS,))
    d = torch.stack([
        ((c.x - x[:, i, None, None]).square() + (c.y - y[:, i, None, None]).square()).sqrt()
        - r[:, i, None, None] for i in range(STARS)
    ]).amin(0)
    c.paint(d, rgb(255, 250, 225), 0.95 * is_time(c, 2))


WALLS = (
    (240, 214, 172), (226, 188, 150), (176, 196, 178), (150, 180, 196), (206, 196, 214),
    (110, 146, 150), (222, 216, 204), (242, 226, 196), (92, 104, 128), (188, 160, 138),
)


def wall(c: Canvas, *colours):
    """Paint a plain wall, lighter in the middle and darker towards the edges."""
    colour = c.pick(*(colours or WALLS), jitter=0.1)
    c.image = colour.expand(c.n, 3, c.size, c.size)
    x, y = c.uniform(-0.5, 0.5), c.uniform(-0.8, 0.2)
    far = ((c.x - x).square() + (c.y - y).square()).sqrt()
    c.blend(torch.ones_like(far), colour, shade=0.16 - 0.22 * far)


def light(c: Canvas, colour):
    """Return a colour as it looks by day (unchanged), at sunset (warmer) or at night (bluer)."""
    dusk, night = colour * rgb(255, 226, 208), colour * rgb(162, 172, 214)
    return c.by_time(colour, colour, dusk, night)


def hills(c: Canvas, level, colour, rough=0.08):
    """Paint one ridge of hills below a wavy line at `level`."""
    a, b, p, q = c.uniform(2, 4), c.uniform(4, 7), c.uniform(0, 6), c.uniform(0, 6)
    line = level + rough * ((a * c.x + p).sin() + 0.5 * (b * c.x + q).sin())
    c.paint(line - c.y, colour, shade=0.25 * (0.6 - c.y).clamp(-0.5, 0.5) + 0 * c.x)


def backdrop(c: Canvas):
    """Paint the background of a portrait: a wall if no time is given, else sky and hills."""
    wall(c)
    indoors = c.image
    sky(c, 0.5)
    day, dusk = c.pick((112, 168, 92), (134, 176, 96), (214, 196, 140)), c.pick((112, 70, 86))
    ground = c.by_time(day, day, dusk, c.pick((24, 34, 60)))
    hills(c, c.uniform(0.15, 0.45), ground * 0.9)
    hills(c, c.uniform(0.5, 0.7), ground)
    outdoors = (c.time >= 0)[:, None, None, None]
    c.image = torch.where(outdoors, c.image, indoors)
