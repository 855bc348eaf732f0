"""The pictures that the editing sections start from: typeset, a shape, and two drawn by hand.

    python -m figures.pictures    writes figures/inputs/*.png; they lie there already

The original page takes a photo, pictures from the web and drawings. A digit model has seen nothing
but digits, so here "the web" gives a typeset digit and a shape, the hand a digit and a scribble.
All are dark on light, as people draw.
"""

from pathlib import Path

import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from minidiff import cli

FOLDER = Path(__file__).parent / "inputs"
WEB = ("web-5", "web-star")
DRAWN = ("drawn-3", "drawn-spiral")
SIZE = 140  # pixels


def _page():
    picture = Image.new("L", (SIZE, SIZE), 255)
    return picture, ImageDraw.Draw(picture)


def _typeset(digit):
    picture, pen = _page()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Serif:bold"), 120)
    pen.text((SIZE / 2, SIZE / 2), digit, fill=0, font=font, anchor="mm")
    return picture


def _star():
    picture, pen = _page()
    angle = torch.arange(10) * torch.pi / 5 - torch.pi / 2
    radius = torch.tensor([52.0, 22.0] * 5)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], 1) + SIZE / 2
    pen.polygon([tuple(p) for p in points.tolist()], fill=0)
    return picture


def _stroke(x, y, width=11):
    """Draw a pen's way, x and y float (N,) in pixels, as dots that run together."""
    picture, pen = _page()
    for a, b in zip(x.tolist(), y.tolist()):
        pen.ellipse([a - width / 2, b - width / 2, a + width / 2, b + width / 2], fill=0)
    return picture


def _three():
    u = torch.linspace(0, 1, 300)
    upper, lower = -2.6 + 4.1 * u, -1.5 + 4.0 * u
    x = torch.cat([66 + 21 * upper.cos(), 66 + 25 * lower.cos()])
    y = torch.cat([46 + 22 * upper.sin(), 92 + 24 * lower.sin()])
    return _stroke(x + 2 * (y / 9).sin(), y)


def _spiral():
    u = torch.linspace(0.12, 1, 900)
    angle = 13 * u
    return _stroke(70 + 46 * u * angle.cos(), 70 + 42 * u * angle.sin(), 9)


def run(argv=None):
    """Write all four."""
    FOLDER.mkdir(exist_ok=True)
    drawn = {"web-5": _typeset("5"), "web-star": _star(), "drawn-3": _three(),
             "drawn-spiral": _spiral()}
    for name, picture in drawn.items():
        picture.save(FOLDER / f"{name}.png", optimize=True)
        print(f"wrote {FOLDER / name}.png")


if __name__ == "__main__":
    cli.main(run)
