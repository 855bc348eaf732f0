"""images.py: files show exactly the given images, with their caption."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import cycler
from matplotlib.figure import Figure
from PIL import Image

from minidiff.files.images import (
    Panel,
    _tile,
    caption_of,
    default_columns,
    frames_of,
    own_style,
    save_curves,
    save_figure,
    save_gif,
    save_grid,
    save_panels,
)


def test_tiles_are_in_reading_order_with_gaps():
    """Image k is at row k // columns, column k % columns; the rest is grey."""
    images = torch.arange(5).view(5, 1, 1, 1).expand(5, 1, 4, 3) / 8
    sheet = _tile(images, 2)
    assert sheet.shape == (3 * 6 + 2, 2 * 5 + 2)
    for k in range(5):
        y, x = 2 + k // 2 * 6, 2 + k % 2 * 5
        assert (sheet[y : y + 4, x : x + 3] == k / 8).all()
    assert (sheet[-6:-2, 7:10] == 0.5).all()


def test_values_outside_the_range_are_clipped_only_here():
    """A sample that overshoots becomes black or white; the tensor itself is not modified."""
    images = torch.tensor([-1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    sheet = _tile(images, 2, gap=0)
    assert sheet[:, :2].eq(0).all() and sheet[:, 2:].eq(1).all()
    assert images.min() == -1 and images.max() == 2


def test_a_grid_is_a_png_that_contains_the_images(tmp_path):
    """Forty images, each in its own grey: the PNG has that many pixels of it, scaled by 2 each way;
    the edges of letters add a few. (The gaps have the grey of image 25.)"""
    x = torch.arange(1, 41).view(40, 1, 1, 1).expand(40, 1, 28, 28) / 50
    save_grid(tmp_path / "g.png", x, "forty", row_labels="abcd")
    found = np.asarray(Image.open(tmp_path / "g.png").convert("L")).astype(float)
    for k in (k for k in range(1, 41) if k != 25):
        assert (np.abs(found - 255 * k / 50) < 2).sum() == pytest.approx(56 * 56, rel=0.05)


def test_the_caption_is_visible(tmp_path):
    """Another caption changes pixels, but not the size."""
    for name, caption in (("a", "mnist"), ("b", "strokes")):
        save_grid(tmp_path / f"{name}.png", torch.zeros(4, 1, 28, 28), caption)
        save_gif(tmp_path / f"{name}.gif", [torch.zeros(4, 1, 28, 28)], caption)
    for suffix in (".png", ".gif"):
        a, b = (np.asarray(Image.open(tmp_path / (n + suffix)).convert("L")) for n in "ab")
        assert a.shape == b.shape and (a != b).any()


def test_a_gif_plays_every_frame_and_pauses_on_the_last(tmp_path):
    """As many pages as frames, in order, two seconds on the last."""
    frames = [torch.full((4, 1, 28, 28), v) for v in (0.0, 0.5, 1.0)]
    save_gif(tmp_path / "g.gif", frames, "three", 60)
    film = Image.open(tmp_path / "g.gif")
    assert film.n_frames == 3
    seen = []
    for k in range(3):
        film.seek(k)
        seen.append((film.convert("L").getpixel((20, 20)), film.info["duration"]))
    assert [round(v / 255, 1) for v, _ in seen] == [0.0, 0.5, 1.0]
    assert seen[-1][1] == 2000 and seen[0][1] == 60


SET = {"savefig.dpi": 40, "figure.facecolor": "black", "axes.grid": True, "font.size": 30,
       "lines.linewidth": 9, "savefig.bbox": "tight", "axes.prop_cycle": cycler(color="yk"),
       "axes.facecolor": "red", "text.color": "red", "image.cmap": "hot", "text.usetex": True}


def test_a_figure_is_the_same_whatever_style_the_user_has_set(tmp_path):
    """A matplotlibrc, or a notebook's rcParams: what they set changes no figure, and is kept."""
    x, panel = torch.rand(4, 1, 28, 28), Panel({"y": ([1, 2], [3, 4])}, "x", "y")

    def drawn(folder):
        folder.mkdir()
        save_grid(folder / "a.png", x, "four", row_labels=["r"], column_labels=[*"abcd"])
        save_panels(folder / "b.png", [panel], "a panel")
        save_curves(folder / "c.png", panel.curves, "a curve", "x", "y")
        with own_style():
            figure = Figure()
            figure.subplots().plot([1, 2])
        save_figure(figure, folder / "d.png", "any figure")
        return [(folder / f"{name}.png").read_bytes() for name in "abcd"]

    before = drawn(tmp_path / "1")
    with matplotlib.rc_context(SET):
        after = drawn(tmp_path / "2")
        assert {name: matplotlib.rcParams[name] for name in SET} == SET
    assert before == after


def test_curves_need_points(tmp_path):
    """An empty log is an error, not an empty diagram."""
    save_curves(tmp_path / "c.png", {"loss": ([1, 2], [1.0, 0.1])}, "title", "step", "loss")
    assert Image.open(tmp_path / "c.png").width > 300
    with pytest.raises(ValueError, match="no points"):
        save_curves(tmp_path / "d.png", {"loss": ([], [])}, "title", "step", "loss")


def test_frames_are_evenly_spaced_from_first_to_last():
    """Both ends are included, and nothing is shown twice."""
    assert frames_of(list(range(51)), 6) == [0, 10, 20, 30, 40, 50]
    assert frames_of([1, 2], 6) == [1, 2]


def test_rows_of_ten_then_a_square():
    """Forty digits make four rows; a thousand do not make a hundred rows."""
    assert [default_columns(n) for n in (1, 7, 40, 100, 1000)] == [1, 7, 10, 10, 32]


def test_two_channels_or_empty_input_is_rejected():
    """One channel is grey, three are colour; nothing else can be drawn."""
    for shape in ((2, 2, 4, 4), (0, 1, 4, 4), (4, 4)):
        with pytest.raises(ValueError, match="N,C,H,W"):
            _tile(torch.zeros(shape), 1)


def test_colours_are_those_of_the_images(tmp_path):
    """A red and a blue image, in the sheet, the PNG and the GIF."""
    x = torch.zeros(2, 3, 20, 20)
    x[0, 0] = x[1, 2] = 1
    sheet = _tile(x, 2)
    assert sheet[10, 10].tolist() == [1, 0, 0] and sheet[10, 32].tolist() == [0, 0, 1]
    save_grid(tmp_path / "c.png", x, "red and blue")
    colours = Image.open(tmp_path / "c.png").convert("RGB").getcolors(9999)
    assert {(255, 0, 0), (0, 0, 255)} <= {colour for count, colour in colours if count > 400}
    save_gif(tmp_path / "c.gif", [x, x.flip(0)], "red and blue, then blue and red")
    with Image.open(tmp_path / "c.gif") as film:
        assert film.convert("RGB").getpixel((20, 20)) == (255, 0, 0)


def test_the_caption_can_be_read_from_the_file(tmp_path):
    """PNG and GIF store it, Greek letters included; other files have none."""
    x, caption = torch.zeros(2, 1, 20, 20), "γ = 3, x̂₀, t = 5"
    save_grid(tmp_path / "a.png", x, caption)
    save_gif(tmp_path / "a.gif", [x, 1 - x], caption)
    save_panels(tmp_path / "b.png", [Panel({"y": ([1, 2], [3, 4])}, "x", "y")], caption)
    Image.new("L", (3, 3)).save(tmp_path / "none.png")
    for name in ("a.png", "a.gif", "b.png"):
        assert caption_of(tmp_path / name) == caption
    assert caption_of(tmp_path / "none.png") == ""
