"""Outdoors: waterfalls, and people around a campfire.

Water and fire are many strokes of a few colours. What makes them recognisable at 32 pixels is
contrast: white water falling in steps over dark rock, a bright fire between dark figures.
"""

import torch

from minidiff.data.doodles.kit import Canvas, rgb
from minidiff.data.doodles.people import HAIR, SKIN
from minidiff.data.doodles.scenery import hills, is_time, light, sky

BUSH = ((0, -0.45, 0.24), (0.08, -0.1, 0.2), (-0.06, 0.2, 0.18), (0.0, 0.75, 0.3))    # x, y, r


def waterfalls(c: Canvas):
    """Waterfalls: white water over dark rock between trees, in one drop or two, mist and a pool."""
    sky(c, 0.0)
    rock, wave = light(c, c.pick((92, 88, 92), (110, 92, 78), (80, 92, 96))), c.texture(7)
    green = light(c, c.pick((64, 122, 66), (84, 138, 64), (50, 106, 76)))
    hills(c, c.uniform(-0.6, -0.45), green * 0.8 + 0.12, 0.08)
    c.stand()
    c.place((0.98, 1.12), 0.02, (0.08, 0.05))
    top, ledge = c.uniform(-0.55, -0.4), c.uniform(-0.05, 0.2)
    strata = 0.1 * (13 * c.y + 3 * wave).sin() + 0.18 * wave
    c.paint(top + 0.06 * wave - c.y, rock, shade=strata)
    c.paint((top + 0.06 * wave - c.y).abs() - 0.1, green, shade=0.2 * wave)
    main, step = c.uniform(-0.3, 0.25), c.uniform(-0.14, 0.14)
    for side in (-1, 1):                                      # small falls that end on a ledge
        x, y = main + side * c.uniform(0.55, 0.8), top + c.uniform(0, 0.3)
        foot = c.uniform(0.2, 0.6)
        _fall(c, x, y, c.uniform(0.05, 0.11), foot)
        c.paint(c.ellipse(x, foot + 0.04, 0.24, 0.09), green * 0.9, shade=0.25 * wave)
    _fall(c, main, top - 0.05, c.uniform(0.14, 0.22), ledge + 0.05)
    _fall(c, main + step, ledge, c.uniform(0.26, 0.36), 0.68)
    day = c.pick((44, 136, 168), (58, 158, 170))
    pool = c.by_time(day, day, rgb(120, 96, 140), rgb(26, 50, 100))
    c.paint(0.64 + 0.03 * (5 * c.x + main).sin() - c.y, pool, shade=0.3 * (0.85 - c.y) + 0 * c.x)
    foam = [c.ellipse(main + step + 0.17 * k, 0.66 + c.uniform(-0.02, 0.03), 0.13,
                      c.uniform(0.07, 0.12)) for k in (-2, -1, 0, 1, 2)]
    c.paint(torch.stack(foam).amin(0), light(c, rgb(250, 253, 255)))
    mist = torch.exp(-9 * ((c.x - main - step).square() * 0.7 + 4 * (c.y - 0.64).square()))
    c.blend(mist * 0.6, light(c, rgb(246, 252, 255)))
    for x in (-1.0, 0.98):
        bush = [c.ellipse(x + a, y + c.uniform(-0.05, 0.05), r, r) for a, y, r in BUSH]
        c.paint(torch.stack(bush).amin(0) + 0.04 * wave, green * 0.86, shade=0.25 * wave + 0 * c.y)
    for _ in range(2):
        x, y, r = c.uniform(-0.9, 0.9), c.uniform(0.84, 0.98), c.uniform(0.1, 0.18)
        c.ball(x, y, r, 0.1, rock * 0.9, 0.4)


def _fall(c, x, top, w, foot):
    """Paint water that bends over an edge, widens as it falls, and has streaks."""
    wave, down = c.texture(6), ((c.y - top) / (foot - top)).clamp(0, 1)
    wide = w * (0.8 + 0.35 * down) + 0.02 * wave
    d = torch.maximum((c.x - x).abs() - wide, torch.maximum(top - c.y, c.y - foot))
    lip = c.ellipse(x, top + 0.06, w * 0.85, 0.1)
    c.paint(torch.minimum(d, lip), light(c, rgb(244, 250, 254)))
    streak = light(c, rgb(150, 192, 220))
    for k in (-0.62, -0.15, 0.4, 0.75):
        a, b = c.uniform(0.0, 0.35), c.uniform(0.6, 1.0)
        y0, y1 = top + a * (foot - top), top + b * (foot - top)
        u = x + (k + c.uniform(-0.12, 0.12)) * w
        c.paint(c.line(u, y0, u + 0.12 * k * w, y1, 0.018), streak, 0.85)


def campfire(c: Canvas):
    """People around a campfire: flames over crossed logs, people on both sides in its light."""
    sky(c, 0.35)
    wood, earth = c.pick((96, 140, 84), (116, 146, 86)), c.pick((206, 204, 150), (222, 202, 158))
    dark = c.by_time(wood, wood, rgb(82, 54, 74), rgb(18, 30, 44))
    for x, tall in ((-1.0, 0.8), (-0.72, 0.6), (0.7, 0.6), (1.0, 0.85)):
        x, tall = x + c.uniform(-0.12, 0.12), tall * c.uniform(0.75, 1.25)
        w = 0.28 * tall
        c.paint(c.polygon((x - w, 0.4), (x, 0.4 - tall), (x + w, 0.4)), dark * 0.75)
    ground = c.by_time(earth, earth, rgb(112, 74, 66), rgb(44, 38, 46))
    hills(c, 0.34, ground, 0.02)
    c.place((0.98, 1.12), 0.03, (0.06, 0.05))
    glow = torch.exp(-2.2 * (c.x.square() + 1.3 * (c.y - 0.3).square()))
    strength = 0.35 + 0.25 * is_time(c, 1) + 0.4 * is_time(c, 2)
    c.blend(glow * strength, rgb(255, 150, 60))
    c.stand()
    for side in (-1, 1):
        _person(c, side * c.uniform(0.46, 0.54), 0.3, 0.68, side)
    _fire(c, c.uniform(0.75, 1.0))
    for side in (-1, 1):
        _person(c, side * c.uniform(0.76, 0.86), 0.54, 0.95, side)


def _fire(c, tall):
    c.paint(c.line(-0.32, 0.8, 0.28, 0.64, 0.065), rgb(104, 64, 40))
    c.paint(c.line(-0.28, 0.64, 0.32, 0.8, 0.065), rgb(84, 52, 32))
    for f, colour in ((1.0, (216, 62, 24)), (0.66, (255, 150, 40)), (0.38, (255, 238, 150))):
        tongue = []
        for x, h, w in ((-0.15, 0.62, 0.12), (0.16, 0.7, 0.12), (0.0, 1.0, 0.17)):
            tip = x * f + c.uniform(-0.07, 0.07)
            tongue.append(c.line(x * f, 0.68 - 0.1 * f, tip, 0.7 - tall * h * f, w * f, 0.012))
        c.paint(torch.stack(tongue).amin(0), rgb(*colour))


def _person(c, x, y, s, side):
    """Paint a person sitting cross-legged, lit from the side of the fire."""
    cloth = c.pick((190, 64, 56), (60, 104, 160), (86, 130, 84), (206, 150, 66), (122, 84, 140))
    cloth = c.by_time(cloth, cloth, cloth * 0.85, cloth * 0.7)
    skin, hair = c.pick(*SKIN[:4]), c.pick(*HAIR)
    warm = -side * (c.x - x) * 1.3 / s
    body = c.line(x, y - 0.1 * s, x + side * 0.03, y + 0.2 * s, 0.13 * s, 0.19 * s)
    legs = c.line(x + side * 0.12 * s, y + 0.33 * s, x - side * 0.2 * s, y + 0.33 * s, 0.1 * s)
    c.paint(legs, cloth * 0.6, shade=warm.clamp(-0.4, 0.5))
    c.paint(body, cloth, shade=warm.clamp(-0.45, 0.5))
    arm = c.line(x, y, x - side * 0.22 * s, y + 0.12 * s, 0.06 * s)
    c.paint(arm, cloth * 0.85, shade=warm.clamp(-0.4, 0.5))
    c.paint(c.ellipse(x, y - 0.34 * s, 0.15 * s, 0.165 * s), skin, shade=warm.clamp(-0.5, 0.35))
    cap = torch.maximum(c.ellipse(x + side * 0.02 * s, y - 0.37 * s, 0.17 * s, 0.17 * s),
                        -side * (c.x - x) - 0.35 * (y - 0.33 * s - c.y) - 0.02)
    c.paint(cap, hair)
