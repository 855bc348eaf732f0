"""photos.py: an image of any format becomes what a model takes; masks."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.files import photos
from minidiff.files.photos import dark_on_light, load_image, load_mask, sample_photo, size_of

fitted = photos._fitted
RAMP = np.linspace(0, 1, 40 * 40).reshape(40, 40)  # dark above, light below
BYTES = (255 * RAMP).round().astype(np.uint8)
GREY = Image.fromarray(BYTES)
COLOUR = Image.merge("RGB", [GREY] * 3)
KINDS = {
    "grey.png": GREY,
    "rgb.png": COLOUR,
    "palette.png": GREY.quantize(256),
    "palette.gif": GREY.quantize(256),
    "alpha.png": COLOUR.convert("RGBA"),
    "grey-alpha.png": GREY.convert("LA"),
    "sixteen.png": Image.fromarray((65535 * RAMP).astype(np.uint16)),
    "sixteen.tif": Image.fromarray((65535 * RAMP).astype(np.uint16)),
    "thirty-two.tif": Image.fromarray((65535 * RAMP).astype(np.int32)),
    "float.tif": Image.fromarray(RAMP.astype(np.float32)),
    "print.jpg": COLOUR.convert("CMYK"),
    "jpeg.jpg": COLOUR,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_format_gives_the_same_image(tmp_path, name):
    """Palette, alpha, 16 and 32 bits, floats, CMYK: the ramp that was saved is read, in [0, 1] or
    [-1, 1]."""
    KINDS[name].save(tmp_path / name)
    x = load_image(tmp_path / name, (1, 40, 40))
    expected = torch.from_numpy(RAMP).float()[None, None]
    assert x.shape == (1, 1, 40, 40) and x.dtype == torch.float32
    assert (x - expected).abs().max() < 0.03
    colour = load_image(tmp_path / name, (3, 40, 40), (-1.0, 1.0))
    assert colour.shape == (1, 3, 40, 40)
    assert (colour - (2 * expected - 1)).abs().max() < 0.06


def test_colours_keep_their_channels_and_places(tmp_path):
    """Red above left, blue below right: channel by channel, row by row."""
    page = Image.new("RGB", (4, 4))
    page.putpixel((0, 0), (255, 0, 0))
    page.putpixel((3, 2), (0, 0, 255))
    page.save(tmp_path / "two.png")
    x = load_image(tmp_path / "two.png", (3, 4, 4))
    assert [p.tolist() for p in x.nonzero()] == [[0, 0, 0, 0], [0, 2, 2, 3]]


def test_the_sample_photos_are_installed():
    """They come with matplotlib, so a script has an image without a download."""
    for name in ("grace_hopper.jpg", "Minduka_Present_Blue_Pack.png"):
        assert load_image(sample_photo(name), (3, 64, 64), (-1.0, 1.0)).std() > 0.1


@pytest.mark.parametrize("kind, white", [(np.uint16, 65535), (np.uint8, 255)])
def test_a_dark_image_stays_dark(tmp_path, kind, white):
    """Its levels are relative to the format's white, not to its own maximum."""
    Image.fromarray((0.1 * white * RAMP).astype(kind)).save(tmp_path / "dark.png")
    assert load_image(tmp_path / "dark.png", (1, 40, 40)).max() < 0.11


def test_twelve_bits_in_sixteen_are_not_taken_for_black(tmp_path):
    """As scanners write them: white is 4095."""
    Image.fromarray((4095 * RAMP).astype(np.uint16)).save(tmp_path / "scan.png")
    x = load_image(tmp_path / "scan.png", (1, 40, 40))
    assert (x[0, 0] - torch.from_numpy(RAMP)).abs().max() < 0.01


def test_one_bit_is_black_and_white(tmp_path):
    """Nothing in between."""
    Image.fromarray(BYTES > 127).save(tmp_path / "bit.png")
    x = load_image(tmp_path / "bit.png", (1, 40, 40))
    assert x.unique().tolist() == [0, 1]


def test_a_photo_stored_sideways_is_turned_upright(tmp_path):
    """EXIF says "rotate by 90 degrees clockwise": what is at the top of the file goes to the
    right."""
    exif = Image.Exif()
    exif[0x112] = 6
    COLOUR.resize((80, 40)).save(tmp_path / "sideways.jpg", exif=exif, quality=95)
    assert size_of(tmp_path / "sideways.jpg") == (40, 80)
    x = load_image(tmp_path / "sideways.jpg", (1, 40, 40))
    assert x[..., :5].mean() > 0.8 and x[..., -5:].mean() < 0.2


@pytest.mark.parametrize("ink, ground", [(0, 1.0), (255, 0.0)])
def test_transparent_ground_contrasts_with_the_ink(tmp_path, ink, ground):
    """White under dark ink, black under light ink; otherwise the drawing would be invisible."""
    page = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    page.paste((ink, ink, ink, 255), (10, 10, 18, 18))
    page.save(tmp_path / "ink.png")
    x = load_image(tmp_path / "ink.png")
    assert x[0, 0, 0, 0] == ground and abs(x[0, 0, 14, 14] - ink / 255) < 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (31, 7), (2000, 1500)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_any_size_fits(tmp_path, size, fit):
    """From one pixel up, cropped or padded; an image of one grey keeps it."""
    Image.new("L", size, 51).save(tmp_path / "any.png")
    x = load_image(tmp_path / "any.png", fit=fit)
    assert x.shape == (1, 1, 28, 28) and (x - 0.2).abs().max() < 0.01


def test_a_hundred_megapixels_are_read_and_200_rejected(tmp_path, recwarn):
    """The first without a warning, the second in one sentence."""
    Image.new("1", (10_000, 10_000), 1).save(tmp_path / "big.png")
    assert load_image(tmp_path / "big.png").min() == 1 and not recwarn.list
    Image.new("1", (20_000, 10_000), 1).save(tmp_path / "bigger.png")
    with pytest.raises(ValueError, match="megapixels"):
        load_image(tmp_path / "bigger.png")


@pytest.mark.parametrize("name", KINDS)
def test_a_large_image_is_reduced_to_the_same_image(tmp_path, monkeypatch, name):
    """Of every format: in bands, before it is scaled; its own size is what a mask must have."""
    image = KINDS[name].resize((520, 520))
    image.save(tmp_path / name)
    x, shape = load_image(tmp_path / name, (1, 40, 40)), (3, 40, 40)
    monkeypatch.setattr(photos, "MOST_PIXELS", 100 * 100)
    seen = []
    monkeypatch.setattr(photos, "_fitted", lambda image, *args: seen.append(image.size)
                        or fitted(image, *args))
    reduced = load_image(tmp_path / name, (1, 40, 40))
    assert (reduced - x).abs().max() < 0.03 and seen[0][0] <= 100
    assert load_image(tmp_path / name, shape).shape == (1, *shape)
    assert size_of(tmp_path / name) == (520, 520)


def test_transparent_colours_do_not_leak_into_a_reduced_image(tmp_path, monkeypatch):
    """Where nothing is opaque, the colour below does not count."""
    page = Image.new("RGBA", (400, 400), (0, 255, 0, 0))
    page.paste((255, 0, 0, 255), (0, 0, 400, 200))
    page.save(tmp_path / "half.png")
    monkeypatch.setattr(photos, "MOST_PIXELS", 100 * 100)
    x = load_image(tmp_path / "half.png", (3, 4, 4))
    assert x[0, :, 0, 0].tolist() == [1, 0, 0] and x[0, :, 3, 3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: os.symlink(p, p)], ids=["pipe", "loop"])
def test_a_pipe_or_a_loop_of_links_is_no_image(tmp_path, make):
    """Neither is waited for."""
    make(tmp_path / "a.png")
    for read in (load_image, size_of):
        with pytest.raises(ValueError, match="no image file"):
            read(tmp_path / "a.png")
    with pytest.raises(ValueError, match="neither an image file"):
        load_mask(str(tmp_path / "a.png"), (1, 28, 28))


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    """For an image and for a mask."""
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("L", (28, 28), 255).save(tmp_path / "white.png")
    assert load_image("~/white.png").min() == 1 and load_mask("~/white.png", (1, 28, 28)).all()


def test_crop_takes_the_middle_and_pad_keeps_all(tmp_path):
    """A wide image, black with a white middle."""
    page = Image.new("L", (90, 30), 0)
    page.paste(255, (30, 0, 60, 30))
    page.save(tmp_path / "wide.png")
    assert load_image(tmp_path / "wide.png").mean() > 0.95
    padded = load_image(tmp_path / "wide.png", fit="pad")
    assert padded[0, 0, 0].max() < 0.1 and 0.05 < padded.mean() < 0.2


def test_dark_ink_on_light_is_noticed():
    """By the edges, not by the mean: a fat white digit on black is still light on dark."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 3:25, 3:25] = 1
    assert not dark_on_light(x) and dark_on_light(1 - x)


def test_files_that_are_not_images_are_rejected(tmp_path):
    """A missing file, a folder, text, an empty file, half a file; also an unknown fit."""
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    rough = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(rough).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    for name in ("none.png", "."):
        with pytest.raises(ValueError, match="no image file"):
            load_image(tmp_path / name)
    for name in ("text.png", "empty.png", "half.png"):
        with pytest.raises(ValueError, match="not a readable image"):
            load_image(tmp_path / name)
    with pytest.raises(ValueError, match="crop, pad"):
        load_image(tmp_path / "whole.png", fit="squeeze")


@pytest.mark.parametrize("words, rows, columns", [
    ("rows 2:20 columns 8:20", (2, 20), (8, 20)),
    ("rows 14:28", (14, 28), (0, 28)),
    ("columns 0:5", (0, 28), (0, 5)),
    ("rows 2:20,  columns 8:20", (2, 20), (8, 20)),
])
def test_a_mask_in_words(words, rows, columns):
    """True in the hole and nowhere else; without rows or columns, all of them."""
    mask = load_mask(words, (1, 28, 28))
    assert mask.shape == (1, 1, 28, 28) and mask.dtype == torch.bool
    assert mask[..., slice(*rows), slice(*columns)].all()
    assert mask.sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])


def test_a_mask_from_a_file_is_cropped_like_the_image_it_belongs_to(tmp_path):
    """The hole is light; the file has the size of the model's images or of the image given."""
    small = Image.new("1", (28, 28), 0)
    small.paste(1, (0, 0, 28, 10))
    small.save(tmp_path / "small.png")
    mask = load_mask(str(tmp_path / "small.png"), (1, 28, 28), (300, 100))
    assert mask[..., :10, :].all() and not mask[..., 10:, :].any()
    wide = Image.new("L", (300, 100), 0)
    wide.paste(255, (100, 0, 200, 50))
    wide.save(tmp_path / "wide.png")
    mask = load_mask(str(tmp_path / "wide.png"), (1, 28, 28), (300, 100))
    assert mask[..., :13, :].all() and not mask[..., 15:, :].any()


@pytest.mark.parametrize("words, message", [
    ("rows 0:29", "within 0:28"), ("rows 9:9", "within 0:28"), ("columns 20:2", "within 0:28"),
    ("", "neither"), (", ,", "neither"), ("  ", "neither"),
    ("hole.png", "neither"), ("lines 2:4", "neither"),
])
def test_masks_without_a_hole_are_rejected(tmp_path, words, message):
    """Ranges outside the image, empty ones, text that is neither ranges nor a file, a dark file."""
    with pytest.raises(ValueError, match=message):
        load_mask(words, (1, 28, 28))
    Image.new("L", (28, 28)).save(tmp_path / "dark.png")
    with pytest.raises(ValueError, match="no hole"):
        load_mask(str(tmp_path / "dark.png"), (1, 28, 28))


def test_a_mask_of_the_wrong_size_is_rejected_with_the_sizes_that_fit(tmp_path):
    """Both are named."""
    Image.new("L", (20, 30)).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="20 x 30 .* 28 x 28 or 300 x 100"):
        load_mask(str(tmp_path / "m.png"), (1, 28, 28), (300, 100))
