"""Write images: grids, curves and GIFs, each with a caption.

A week later, nobody knows what an image shows unless its settings are with it. So every function
here takes a caption (model, data set, epoch, steps, seed), writes it below the image and stores it
in the file.

Images are float (N,C,H,W) in [0, 1]; values outside (a sample may overshoot) are clipped here, at
the very end, and nowhere earlier.
"""

import math
import textwrap
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib
import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from minidiff.files.atomic import atomic_write

SCALE = 2  # screen pixels per image pixel


@contextmanager
def own_style():
    """Draw in matplotlib's own style until the block ends, whatever the user's matplotlibrc or
    notebook has set: a figure is the same everywhere. Functions that draw have it as decorator."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def _tile(images: torch.Tensor, columns: int, gap: int = 2) -> torch.Tensor:
    """Return images (N,C,H,W), row by row, as one sheet with grey gaps: float (height, width), or
    (height, width, 3) where C = 3."""
    if images.dim() != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"expected images (N,C,H,W), C 1 or 3, got {tuple(images.shape)}")
    images = images.detach().float().cpu().clamp(0, 1).permute(0, 2, 3, 1)
    images = images.squeeze(3) if images.shape[3] == 1 else images
    n, h, w = images.shape[:3]
    rows = math.ceil(n / columns)
    size = (rows * (h + gap) + gap, columns * (w + gap) + gap, *images.shape[3:])
    sheet = torch.full(size, 0.5)
    for k, image in enumerate(images):
        y, x = gap + k // columns * (h + gap), gap + k % columns * (w + gap)
        sheet[y : y + h, x : x + w] = image
    return sheet


def sheet(images: torch.Tensor, columns=None, scale=SCALE) -> Image.Image:
    """Return images (N,C,H,W) in [0, 1] in rows, as a Pillow image, without a caption."""
    found = _tile(images, columns or default_columns(len(images)))
    grid = Image.fromarray((found * 255).round().byte().numpy())
    return grid.resize((grid.width * scale, grid.height * scale), Image.NEAREST)


def default_columns(n: int) -> int:
    """Return a good number of columns for n images: rows of ten, or a square for over 100."""
    return min(n, 10) if n <= 100 else math.ceil(math.sqrt(n))


@own_style()
def save_grid(
    path, images, caption, columns=None, row_labels=(), column_labels=(), *, scale=SCALE
):
    """Write a PNG of images in rows, with the caption below and labels at the edges.

    images: float (N,C,H,W) in [0, 1], C 1 or 3. columns: images per row. scale: screen pixels per
    image pixel. Raises ValueError for another shape.
    """
    columns = columns or default_columns(len(images))
    sheet = _tile(images, columns)
    h, w = images.shape[-2] + 2, images.shape[-1] + 2
    dpi = 100
    left = 0.1 + 0.075 * max(map(len, row_labels), default=0)  # inches
    top = 0.3 if column_labels else 0.08
    lines = _wrap(caption, max(28, int(sheet.shape[1] * scale / 6)))
    bottom = 0.12 + 0.16 * (lines.count("\n") + 1)
    height, width = sheet.shape[0] * scale / dpi, sheet.shape[1] * scale / dpi
    total_w, total_h = max(width + left + 0.1, 2.0), height + top + bottom
    figure = Figure((total_w, total_h), dpi=dpi)
    axes = figure.add_axes((left / total_w, bottom / total_h, width / total_w, height / total_h))
    axes.imshow(sheet.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([1 + w / 2 + w * k for k in range(len(column_labels))], column_labels)
    axes.set_yticks([1 + h / 2 + h * k for k in range(len(row_labels))], row_labels)
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    axes.set_frame_on(False)
    figure.text(left / total_w, 0.06 / total_h, lines, fontsize=7.5, va="bottom")
    save_figure(figure, path, caption)


def save_each(folder, images, caption):
    """Write images float (N,C,H,W) in [0, 1], a PNG of its own size each: folder/0000.png, ..."""
    about = PngInfo()
    about.add_itxt("Description", caption)
    for k, image in enumerate((images * 255).round().byte()):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        with atomic_write(folder / f"{k:04d}.png") as f:
            Image.fromarray(pixels.numpy()).save(f, "png", pnginfo=about)


@own_style()
def save_figure(figure: Figure, path, caption) -> None:
    """Write a matplotlib figure as a PNG that stores its caption."""
    with atomic_write(path) as f:
        figure.savefig(f, format="png", metadata={"Description": caption})


def caption_of(path) -> str:
    """Return the caption stored in a PNG or GIF of this project, or "" if it has none."""
    with Image.open(path) as file:
        found = file.info.get("Description") or file.info.get("comment") or b""
    return found if isinstance(found, str) else found.decode()


def printable(caption):
    """Return a caption with the characters that matplotlib's font lacks escaped."""
    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(c if ord(c) in known else ascii(c)[1:-1] for c in caption)


def _wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), width))


class Panel(NamedTuple):
    """One diagram. curves: {name: (xs, ys)}. log: the axes on a log scale, "x", "y" or "xy"."""

    curves: dict
    xlabel: str
    ylabel: str
    log: str = ""


def save_curves(path, curves, caption, xlabel, ylabel):
    """Write a PNG of curves {name: (xs, ys)}, y > 0 on a log scale. Raises ValueError if there is
    nothing to draw."""
    save_panels(path, [Panel(curves, xlabel, ylabel, "y")], caption)


@own_style()
def save_panels(path, panels, caption):
    """Write a PNG of diagrams side by side. panels: list of Panel. Raises ValueError if there is
    nothing to draw."""
    if any(not p.curves or any(len(xs) == 0 for xs, _ in p.curves.values()) for p in panels):
        raise ValueError(f"no points to draw in {path}; nothing was logged or measured yet")
    figure = Figure((7 if len(panels) == 1 else 5 * len(panels), 4), dpi=100, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        for name, (xs, ys) in panel.curves.items():
            many = len(xs) > 100
            axes.plot(xs, ys, "-" if many or len(panels) == 1 else ".-", label=name,
                      linewidth=0.7 if many else 1.8)
        scales = {f"{axis}scale": "log" for axis in panel.log}
        axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel, **scales)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    figure.suptitle(_wrap(caption, 100 if len(panels) == 1 else 75 * len(panels)), fontsize=8)
    save_figure(figure, path, caption)


def save_gif(path, frames, caption, milliseconds=60):
    """Write a GIF that plays frames of a grid and pauses on the last one.

    frames: list of float (N,C,H,W) in [0, 1], at least one, C 1 or 3. milliseconds: per frame.
    """
    pages = []
    for frame in frames:
        grid = sheet(frame)
        lines = _wrap(caption, max(20, grid.width // 6))
        strip = 14 * (lines.count("\n") + 1) + 6
        page = Image.new(grid.mode, (grid.width, grid.height + strip), "white")
        page.paste(grid, (0, 0))
        ImageDraw.Draw(page).multiline_text((4, grid.height + 3), lines, "black")
        pages.append(page)
    save_film(path, pages, caption, milliseconds)


def save_film(path, pages, caption, milliseconds=60):
    """Write a GIF that plays pages, Pillow images of the same size, and pauses on the last one."""
    pauses = [milliseconds] * (len(pages) - 1) + [2000]
    with atomic_write(path) as f:
        pages[0].save(f, "gif", save_all=True, append_images=pages[1:], duration=pauses, loop=0,
                      comment=caption.encode())


def frames_of(states, count):
    """Return `count` >= 2 entries of a list, evenly spaced, including the first and the last."""
    if count >= len(states):
        return list(states)
    return [states[round(k * (len(states) - 1) / (count - 1))] for k in range(count)]
