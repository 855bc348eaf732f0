"""Write a sheet of images for the page: pixels only, as its words are HTML's (html.py).

A sheet is a PNG with transparent gaps, and a film an animated one, which every browser plays. The
caption and the labels of rows and columns are stored in the file, so a figure still says a week
later what it shows. Pixels are enlarged by a whole number, by repeating them.
"""

import json

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from minidiff.files.atomic import atomic_write

COLUMN, CELL = 1472, 352  # twice what the page's column and a cell are wide at most, in CSS pixels
PAUSE = 2500  # milliseconds, at the end of a film


def enlarged(x, side):
    """Return images x (N,C,H,W) at a multiple of their size, `side` pixels wide, without blur."""
    k = side // x.shape[3]
    return x.repeat_interleave(k, 2).repeat_interleave(k, 3)


def tile(rows, scale, gap):
    """Return rows of images, [(n,C,H,W) in [0, 1], ...], as a Pillow image. scale: how often each
    pixel is repeated. gap: in pixels of the sheet."""
    side = max(x.shape[3] for x in rows) * scale
    step, n = side + gap, max(map(len, rows))
    sheet = torch.zeros(len(rows) * step - gap, n * step - gap, 4, dtype=torch.uint8)
    for k, x in enumerate(rows):
        large = enlarged(x.detach().float().cpu().clamp(0, 1).expand(-1, 3, -1, -1), side)
        for j, image in enumerate((255 * large).round().byte().permute(0, 2, 3, 1)):
            place = sheet[k * step : k * step + side, j * step : j * step + side]
            place[..., :3], place[..., 3] = image, 255
    return Image.fromarray(sheet.numpy())


def about(caption, rows, columns, n):
    """Return the text that is stored in a PNG. n: how many columns there are."""
    text = PngInfo()
    text.add_itxt("Description", caption)
    text.add_itxt("Labels", json.dumps({"rows": [*rows], "columns": [*columns], "n": n}))
    return text


def save_sheet(path, rows, caption, columns=()):
    """Write a sheet. rows: [(label, images (n,C,H,W) in [0, 1])]; images that are smaller than the
    largest are enlarged. columns: labels."""
    names, images = zip(*rows)
    n, side = max(map(len, images)), max(x.shape[3] for x in images)
    scale = max(1, -(-min(COLUMN // n, CELL) // side))
    text = about(caption, names, columns, n)
    with atomic_write(path) as f:
        tile(images, scale, 14).save(f, "png", pnginfo=text)


def save_film(path, frames, caption, columns=(), milliseconds=100):
    """Write a film of sheets. frames: [rows as in `save_sheet`, ...]."""
    pages = [tile([x for _, x in rows], 1, 1) for rows in frames]
    names, images = zip(*frames[0])
    text = about(caption, names, columns, max(map(len, images)))
    with atomic_write(path) as f:
        pages[0].save(f, "png", save_all=True, append_images=pages[1:], loop=0, pnginfo=text,
                      duration=[milliseconds] * (len(pages) - 1) + [PAUSE])


def labels_of(path):
    """Return the labels stored in a sheet, {"rows", "columns", "n"}, None where there are none; and
    whether it is a film."""
    with Image.open(path) as file:
        found = file.info.get("Labels")
        return found and json.loads(found), getattr(file, "n_frames", 1) > 1
