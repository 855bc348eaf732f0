"""The images that the editing sections start from: typeset, shapes, and drawn by hand.

    python -m figures.page.inputs    writes figures/inputs/*.png; they are in the repository

The original page takes a photo, web images and drawings. A digit model has seen nothing but digits,
so here a typeset digit and a star replace the web images, and a digit and a scribble the drawings.
These are dark on light, as people draw. Three more are in colour, for models of sentences: a
sunset, a house and a fish.
"""

import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from figures.page.studio import INPUTS
from minidiff.system import cli

SIZE = 140  # pixels


def _sheet(mode="L"):
    image = Image.new(mode, (SIZE, SIZE), "white")
    return image, ImageDraw.Draw(image)


def _typeset(digit):
    image, pen = _sheet()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Serif:bold"), 120)
    pen.text((SIZE / 2, SIZE / 2), digit, fill=0, font=font, anchor="mm")
    return image


def _points(x, y):
    return list(zip(x.tolist(), y.tolist()))


def _star():
    image, pen = _sheet()
    angle = torch.arange(10) * torch.pi / 5 - torch.pi / 2
    radius = torch.tensor([52.0, 22.0] * 5)
    pen.polygon(_points(radius * angle.cos() + SIZE / 2, radius * angle.sin() + SIZE / 2), fill=0)
    return image


def _stroke(x, y, width=11):
    """Draw a pen stroke, x and y float (N,) in pixels, as overlapping dots."""
    image, pen = _sheet()
    for a, b in _points(x, y):
        pen.ellipse([a - width / 2, b - width / 2, a + width / 2, b + width / 2], fill=0)
    return image


def _three():
    u = torch.linspace(0, 1, 300)
    upper, lower = -2.6 + 4.1 * u, -1.5 + 4.0 * u
    x = torch.cat([66 + 21 * upper.cos(), 66 + 25 * lower.cos()])
    y = torch.cat([46 + 22 * upper.sin(), 92 + 24 * lower.sin()])
    return _stroke(x + 2 * (y / 9).sin(), y)


def _spiral():
    u = torch.linspace(0.12, 1, 900)
    return _stroke(70 + 46 * u * (13 * u).cos(), 70 + 42 * u * (13 * u).sin(), 9)


def _sunset():
    image, pen = _sheet("RGB")
    for y, u in enumerate(torch.linspace(0, 1, SIZE).tolist()):
        sky = round(60 + 190 * u), round(70 + 80 * u), round(140 - 60 * u)
        pen.line([0, y, SIZE, y], fill=sky)
    pen.ellipse([52, 62, 92, 102], fill=(255, 226, 120))
    pen.polygon([(0, 104), (38, 72), (78, 108), (110, 84), (SIZE, 106), (SIZE, SIZE), (0, SIZE)],
                fill=(58, 38, 66))
    return image


def _coloured(filled, lines):
    """Draw shapes, {colour: points}, filled, then lines, as with felt pens."""
    image, pen = _sheet("RGB")
    for colour, points in filled.items():
        pen.polygon(points, fill=colour)
    for points, colour in lines:
        pen.line(points + points[:1], fill=colour, width=4, joint="curve")
    return image


def _house():
    wall, roof = [(36, 74), (105, 71), (107, 122), (38, 124)], [(28, 76), (70, 36), (114, 73)]
    door = [(62, 123), (61, 95), (80, 94), (81, 122)]
    grass = [(0, 120), (140, 116), (140, 140), (0, 140)]
    return _coloured(
        {"forestgreen": grass, "bisque": wall, "firebrick": roof, "saddlebrown": door,
         "gold": [(8, 20), (24, 12), (30, 26)]}, [(shape, "black") for shape in (wall, roof, door)])


def _fish():
    angle = torch.linspace(0, 2 * torch.pi, 60)
    body = _points(62 + 40 * angle.cos(), 70 + 24 * angle.sin() + 2 * (3 * angle).sin())
    tail = [(98, 70), (128, 48), (122, 72), (129, 94)]
    eye = [(34, 60), (42, 60), (42, 66), (34, 66)]
    return _coloured({"orange": body, "tomato": tail, "black": eye},
                     [(body, "navy"), (tail, "navy")])


def run():
    """Write all seven."""
    images = {"web-5": _typeset("5"), "web-star": _star(), "drawn-3": _three(),
              "drawn-spiral": _spiral(), "sunset": _sunset(), "house": _house(), "fish": _fish()}
    for name, image in images.items():
        image.save(INPUTS / f"{name}.png", optimize=True)
        print(f"wrote {INPUTS / name}.png")


if __name__ == "__main__":
    with cli.program():
        run()
