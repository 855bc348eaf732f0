"""Things: a dog, a skull, an eye, a cpu, a pencil and a rocket ship.

Each has one bold shape that fills the frame. Those without a sky never show the time of day.
"""

import math

import torch

from minidiff.data.doodles.kit import Canvas, rgb, smooth_union
from minidiff.data.doodles.people import SKIN
from minidiff.data.doodles.scenery import backdrop, is_time, sky, wall

BLACK, WHITE = rgb(26, 20, 22), rgb(255, 255, 255)


def dog(c: Canvas):
    """A dog from the front: floppy or pointed ears, muzzle, perhaps a patch, tongue and collar."""
    backdrop(c)
    c.stand()
    c.place((0.92, 1.2), 0.22, (0.16, 0.1))
    fur = c.main((122, 78, 46), (226, 200, 160), (74, 66, 64), (150, 140, 134))
    pale, collar = fur + 0.55 * (1 - fur), c.pick((196, 48, 44), (50, 88, 160), (60, 50, 50))
    w, c.y = c.uniform(0.38, 0.46), c.y + 0.06
    c.paint(c.ellipse(0, 1.1, 0.62, 0.72), fur, shade=c.lit(0.7, 0.25))
    c.paint(c.ellipse(0, 1.0, 0.26, 0.42), pale)
    c.paint(c.line(-0.36, 0.52, 0.36, 0.52, 0.075), collar)
    c.ball(0, 0.66, 0.075, 0.075, rgb(240, 200, 80))
    stand = c.chance.flip(0.35)
    for side in (-1, 1):
        up = c.polygon((side * w * 0.25, -0.4), (side * w * 1.25, -0.88), (side * w * 1.05, -0.1))
        c.paint(up - 0.03, fur * 0.72, stand)
        c.paint(up + 0.09, rgb(226, 150, 140), 0.8 * stand)
    skull_ = smooth_union(c.ellipse(0, -0.12, w, 0.42), c.ellipse(0, 0.18, w * 0.82, 0.34), 0.1)
    c.paint(skull_, fur, shade=c.lit(w, 0.25))
    c.paint(c.line(0, -0.5, 0, 0.0, 0.08, 0.05), pale, 0.9 * c.chance.flip(0.5))
    c.paint(c.ellipse(0.19, -0.12, 0.15, 0.18), fur * 0.6, c.chance.flip(0.35))
    for side in (-1, 1):
        hang = smooth_union(c.ellipse(side * (w + 0.02), -0.22, 0.14, 0.22),
                            c.ellipse(side * (w + 0.1), 0.1, 0.15, 0.3), 0.15)
        c.paint(hang, fur * 0.66, 1 - stand, shade=c.lit(w, 0.15))
    _muzzle(c, pale)
    for side in (-1, 1):
        c.paint(c.ellipse(side * 0.185, -0.1, 0.082, 0.095), BLACK)
        c.paint(c.ellipse(side * 0.185 + 0.025, -0.13, 0.03, 0.03), WHITE)


def _muzzle(c, pale):
    c.ball(0, 0.27, 0.27, 0.21, pale, 0.15)
    c.paint(c.ellipse(0, 0.42, 0.085, c.uniform(0.06, 0.15)), rgb(232, 96, 112))
    smile = [(-0.17, 0.3), (-0.1, 0.37), (0, 0.34), (0.1, 0.37), (0.17, 0.3)]
    c.paint(c.arc(smile, 0.022), BLACK)
    c.paint(c.line(0, 0.2, 0, 0.34, 0.02), BLACK)
    c.ball(0, 0.17, 0.13, 0.09, BLACK)


def skull(c: Canvas):
    """A skull from the front: a round cranium, dark sockets, a nose and two rows of teeth."""
    wall(c, (58, 50, 62), (84, 44, 48), (44, 62, 72), (76, 66, 54), (50, 46, 84), (110, 96, 90))
    c.stand()
    c.place((1.0, 1.34), 0.28, (0.14, 0.1))
    bone = c.main((240, 230, 208), (226, 218, 200), (250, 246, 236))
    w, e = c.uniform(0.5, 0.58), c.uniform(0.15, 0.185)
    jaw = c.box(-0.29, 0.2, 0.29, 0.7, 0.12)
    cheeks = c.ellipse(0, 0.18, w * 0.84, 0.2)
    cranium = c.ellipse(0, -0.17, w, 0.5)
    c.paint(smooth_union(smooth_union(cranium, cheeks, 0.12), jaw, 0.1), bone, shade=c.lit(w, 0.25))
    c.ball(-0.16, -0.42, 0.2, 0.1, bone + 0.4 * (1 - bone), 0.0)
    for side in (-1, 1):
        c.paint(c.ellipse(side * 0.46, 0.12, 0.1, 0.13), bone * 0.7)
        c.paint(c.ellipse(side * 0.225, 0.0, e + 0.03, e * 0.95), bone * 0.66)
        c.paint(c.ellipse(side * 0.225, 0.01, e, e * 0.9), BLACK)
    for side in (-1, 1):
        c.paint(c.line(0, 0.2, side * 0.05, 0.29, 0.035), BLACK)
    c.paint(c.box(-0.26, 0.49, 0.26, 0.535), BLACK)
    for k in range(-2, 3):
        c.paint(c.box(k * 0.105 - 0.017, 0.4, k * 0.105 + 0.017, 0.63), BLACK, 0.85)


def eye(c: Canvas):
    """An eye that fills the frame: lids, lashes, a brow, an iris with rays, a pupil, a glint."""
    skin = c.pick(*SKIN)
    c.gradient(skin * 0.97, skin * 1.02)
    c.blend(torch.exp(-3 * (c.x.square() + 1.6 * c.y.square())), skin * 0.72)
    c.stand()
    c.place((0.98, 1.16), 0.14, (0.08, 0.1))
    iris = c.main((92, 58, 34), (70, 112, 160), (84, 120, 72), (74, 88, 96))
    brow, open_ = c.pick((44, 30, 26), (80, 52, 34), jitter=0.1), c.uniform(0.4, 0.52)
    c.paint(c.arc([(-0.8, -0.6), (-0.35, -0.8), (0.25, -0.78), (0.8, -0.52)], 0.085), brow)
    bend = (0.74 ** 2 + open_ ** 2) / (2 * open_)           # lids: two circles through the corners
    upper = c.ellipse(0, bend - open_, bend, bend)
    lower = c.ellipse(0, open_ * 0.85 - bend, bend, bend)
    almond = torch.maximum(upper, lower)
    crease = torch.maximum(c.ellipse(0, bend - open_ - 0.13, bend, bend).abs() - 0.025, c.y + 0.16)
    c.paint(torch.maximum(crease, c.x.abs() - 0.75), skin * 0.6)
    c.paint(almond - 0.05, skin * 0.6)
    c.paint(almond, rgb(250, 248, 244), shade=-0.25 * (0.2 - c.y).clamp(min=0) - 0.1 * c.x.abs())
    look, r = c.uniform(-0.12, 0.12), c.uniform(0.32, 0.38)
    disc = torch.maximum(c.ellipse(look, 0.0, r, r), almond)
    c.paint(disc, iris * 0.55)
    angle = torch.atan2(c.y, c.x - look)
    rays = 0.18 * (9 * angle + c.uniform(0, 6)).sin() + 0.5 * c.y
    c.paint(torch.maximum(c.ellipse(look, 0.0, r - 0.055, r - 0.055), almond), iris, shade=rays)
    c.paint(torch.maximum(c.ellipse(look, 0.0, r * 0.42, r * 0.42), almond), BLACK)
    c.paint(c.ellipse(look - 0.11, -0.12, 0.075, 0.075), WHITE)
    c.paint(c.ellipse(look + 0.1, 0.13, 0.035, 0.035), WHITE, 0.7)
    c.paint(torch.maximum(upper.abs() - 0.045, lower), BLACK)
    for k in range(7):
        x = -0.6 + 0.2 * k
        y = bend - open_ - (bend * bend - x * x).sqrt()
        c.paint(c.line(x, y, x * 1.25, y - 0.2 + 0.12 * abs(x), 0.035, 0.01), BLACK)


def cpu(c: Canvas):
    """A chip on its board: pins on four sides, a package with a metal lid, traces leading away."""
    board = c.pick((22, 74, 60), (24, 50, 84), (40, 44, 54), (28, 66, 76))
    c.image = board.expand(c.n, 3, c.size, c.size)
    c.place((0.95, 1.15), 0.5, (0.12, 0.12))
    trace = board + 0.22 * (1 - board)
    for k in range(-3, 4):
        bend = c.uniform(-0.3, 0.3)
        c.paint(c.arc([(k * 0.16, 0), (k * 0.16, 0.8), (k * 0.16 + bend, 1.8)], 0.022), trace)
        c.paint(c.arc([(k * 0.16, 0), (k * 0.16, -0.8), (k * 0.16 - bend, -1.8)], 0.022), trace)
        c.paint(c.arc([(0, k * 0.16), (0.8, k * 0.16), (1.8, k * 0.16 + bend)], 0.022), trace)
        c.paint(c.arc([(0, k * 0.16), (-0.8, k * 0.16), (-1.8, k * 0.16 - bend)], 0.022), trace)
    c.stand()
    package = c.main((52, 54, 60), (70, 74, 82))
    metal = c.pick((226, 192, 96), (206, 210, 216))
    for k in range(-2, 3):
        c.paint(c.box(-0.78, k * 0.21 - 0.055, 0.78, k * 0.21 + 0.055), metal, shade=-0.3 * c.y)
        c.paint(c.box(k * 0.21 - 0.055, -0.78, k * 0.21 + 0.055, 0.78), metal, shade=-0.3 * c.x)
    c.paint(c.box(-0.55, -0.55, 0.63, 0.63, 0.06), BLACK, 0.35)
    c.paint(c.box(-0.6, -0.6, 0.6, 0.6, 0.06), package, shade=-0.22 * (c.x + c.y))
    c.paint(c.box(-0.6, -0.6, 0.6, 0.6, 0.06).abs() - 0.02, package * 0.6)
    die = c.uniform(0.26, 0.34)
    lid = c.pick((196, 200, 206), (160, 166, 174), (216, 206, 176))
    c.paint(c.box(-die, -die, die, die, 0.04), lid, shade=-0.45 * (c.x + c.y))
    c.paint(c.box(-die, -die, die, die, 0.04).abs() - 0.02, lid * 0.55)
    for k in (-1, 0, 1):
        c.paint(c.box(-die * 0.55, k * 0.11 - 0.018, die * 0.55, k * 0.11 + 0.018), lid * 0.6, 0.8)
    c.ball(-0.46, -0.46, 0.06, 0.06, metal)


def pencil(c: Canvas):
    """A pencil with a sharp tip and an eraser, on paper, and the line that it has just drawn."""
    wall(c, (244, 236, 216), (232, 224, 208), (206, 216, 222), (222, 204, 176), (190, 204, 190))
    c.place((0.95, 1.15), 0.0, (0.06, 0.06))
    angle = c.uniform(-math.pi, math.pi)                      # a pencil lies at any angle
    cos, sin = angle.cos(), angle.sin()
    c.x, c.y = cos * c.x - sin * c.y, sin * c.x + cos * c.y
    drawn = c.uniform(0.1, 0.2)
    curve = [(0.1 * k, 0.94 + drawn * math.sin(1.1 * k) - 0.05 * k) for k in range(12)]
    c.paint(c.arc(curve, 0.025), rgb(70, 66, 72), 0.8 * c.chance.flip(0.6))
    c.stand()
    coat, w = c.main((244, 190, 44), (214, 66, 50), (60, 64, 76)), c.uniform(0.17, 0.22)
    c.paint(c.box(-w + 0.1, -0.9, w + 0.1, 0.6, 0.06), BLACK, 0.18)
    c.paint(c.box(-w, -1.02, w, -0.7, 0.09), rgb(238, 128, 138), shade=c.lit(w, 0.2))
    c.paint(c.box(-w - 0.01, -0.8, w + 0.01, -0.6), rgb(196, 200, 206), shade=c.lit(w, 0.3))
    c.paint(c.box(-w, -0.72, w, -0.68), rgb(120, 124, 132))
    c.paint(c.polygon((-w, 0.4), (w, 0.4), (0.02, 0.96), (-0.02, 0.96)), rgb(236, 204, 156),
            shade=c.lit(w, 0.2))
    c.paint(torch.maximum(c.polygon((-w, 0.4), (w, 0.4), (0.02, 0.96), (-0.02, 0.96)), 0.76 - c.y),
            BLACK)
    side = torch.maximum(c.box(-w, -0.62, w, 0.46), -c.ellipse(0, 0.5, w * 0.6, 0.09))
    c.paint(side, coat)
    c.paint(torch.maximum(side, c.x + 0.35 * w), coat, shade=0.22 + 0 * c.x * c.y)
    c.paint(torch.maximum(side, 0.35 * w - c.x), coat, shade=-0.26 + 0 * c.x * c.y)


def rocket(c: Canvas):
    """A rocket ship in flight: hull, nose, window, fins, flame, and a planet, clouds or stars."""
    sky(c, 1.0)
    x, y, r = c.uniform(-0.8, 0.8), c.uniform(0.55, 0.9), c.uniform(0.24, 0.4)
    space = is_time(c, 2)
    planet = c.pick((214, 140, 100), (120, 160, 190), (200, 176, 120), (150, 120, 170))
    shade = -0.4 * (c.x + c.y - x - y)
    c.paint(c.ellipse(x, y, r, r), planet, space * c.chance.flip(0.6), shade=shade)
    c.stand()
    c.place((0.92, 1.16), 0.9, (0.14, 0.1))
    hull = c.main((238, 238, 242), (206, 212, 222))
    trim = c.pick((226, 60, 48), (240, 240, 244), (54, 62, 90), (240, 170, 50))
    w, long, c.y = c.uniform(0.24, 0.3), c.uniform(0.95, 1.25), c.y + 0.16
    for f, colour in ((1.0, (238, 90, 36)), (0.72, (255, 164, 44)), (0.4, (255, 238, 150))):
        tail = c.line(0, 0.5, 0, 0.45 + (long - 0.4) * f, 0.15 * f, 0.01)
        c.paint(smooth_union(c.ellipse(0, 0.55, 0.19 * f, 0.18 * f), tail), rgb(*colour))
    for side in (-1, 1):
        fin = c.polygon((side * w * 0.8, 0.0), (side * (w + 0.25), 0.4), (side * (w + 0.22), 0.68),
                        (side * w * 0.5, 0.42))
        c.paint(fin - 0.02, trim, shade=c.lit(0.6, 0.2))
    shape = torch.maximum(c.ellipse(0, -0.1, w, 0.82), c.y - 0.46)
    c.paint(c.box(-w * 0.55, 0.4, w * 0.55, 0.53), rgb(70, 70, 80))
    c.paint(shape, hull, shade=c.lit(w, 0.35))
    c.paint(torch.maximum(shape, c.y + 0.5), trim, shade=c.lit(w, 0.35))
    c.paint(torch.maximum(shape, (c.y - 0.3).abs() - 0.04), trim)
    c.ball(0, -0.18, 0.145, 0.145, rgb(84, 90, 106))
    c.ball(0, -0.18, 0.1, 0.1, rgb(140, 214, 244), 0.5)
    c.paint(c.line(0, 0.3, 0, 0.62, 0.04, 0.03), trim * 0.8)
