"""photos.py: a picture of any kind becomes what a model takes; masks."""

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.files.images import load_image
from minidiff.files.photos import dark_on_light, load_mask, size_of

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
def test_every_kind_of_file_gives_the_same_picture(tmp_path, name):
    """Palette, alpha, 16 and 32 bits, floats, CMYK: the ramp comes out as it went in, once
    normalised, in [0, 1] or [-1, 1]."""
    KINDS[name].save(tmp_path / name)
    x = load_image(tmp_path / name, (1, 40, 40))
    wanted = torch.from_numpy(RAMP).float()[None, None]
    assert x.shape == (1, 1, 40, 40) and x.dtype == torch.float32
    assert (x - wanted).abs().max() < 0.03
    wide = load_image(tmp_path / name, (3, 40, 40), (-1.0, 1.0))
    assert (wide - (2 * wanted - 1)).abs().max() < 0.06


@pytest.mark.parametrize("kind, white", [(np.uint16, 65535), (np.uint8, 255)])
def test_a_dark_picture_stays_dark(tmp_path, kind, white):
    """Levels are those of the file's kind; nothing is stretched."""
    Image.fromarray((0.1 * white * RAMP).astype(kind)).save(tmp_path / "dark.png")
    assert load_image(tmp_path / "dark.png", (1, 40, 40)).max() < 0.11


def test_twelve_bits_in_sixteen_are_not_taken_for_black(tmp_path):
    """Scanners write them: the lightest is 4095."""
    Image.fromarray((4095 * RAMP).astype(np.uint16)).save(tmp_path / "scan.png")
    x = load_image(tmp_path / "scan.png", (1, 40, 40))
    assert (x[0, 0] - torch.from_numpy(RAMP)).abs().max() < 0.01


def test_one_bit_is_black_and_white(tmp_path):
    """No grey comes in."""
    Image.fromarray(BYTES > 127).save(tmp_path / "bit.png")
    x = load_image(tmp_path / "bit.png", (1, 40, 40))
    assert x.unique().tolist() == [0, 1]


def test_a_photo_is_turned_as_it_was_taken(tmp_path):
    """EXIF says "rotate by 90 degrees to the right": what was above lies at the right."""
    exif = Image.Exif()
    exif[0x112] = 6
    picture = COLOUR.resize((80, 40))
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert size_of(tmp_path / "turned.jpg") == (40, 80)
    x = load_image(tmp_path / "turned.jpg", (1, 40, 40))
    assert x[..., :5].mean() > 0.8 and x[..., -5:].mean() < 0.2


@pytest.mark.parametrize("ink, ground", [(0, 1.0), (255, 0.0)])
def test_transparent_ground_contrasts_with_the_ink(tmp_path, ink, ground):
    """White under dark ink, black under light ink; otherwise the drawing would vanish."""
    page = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    page.paste((ink, ink, ink, 255), (10, 10, 18, 18))
    page.save(tmp_path / "ink.png")
    x = load_image(tmp_path / "ink.png")
    assert x[0, 0, 0, 0] == ground and abs(x[0, 0, 14, 14] - ink / 255) < 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (31, 7), (2000, 1500)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_any_size_fits(tmp_path, size, fit):
    """From one pixel on, cropped or padded; a plain picture stays plain."""
    Image.new("L", size, 51).save(tmp_path / "any.png")
    x = load_image(tmp_path / "any.png", fit=fit)
    assert x.shape == (1, 1, 28, 28) and (x - 0.2).abs().max() < 0.01


def test_a_hundred_megapixels_are_read_and_more_are_refused(tmp_path):
    """Without a warning; beyond, one sentence."""
    Image.new("1", (10_000, 10_000), 1).save(tmp_path / "big.png")
    assert load_image(tmp_path / "big.png").min() == 1
    Image.new("1", (20_000, 10_000), 1).save(tmp_path / "bigger.png")
    with pytest.raises(ValueError, match="megapixels"):
        load_image(tmp_path / "bigger.png")


def test_crop_takes_the_middle_and_pad_keeps_all(tmp_path):
    """A wide picture, black with a white middle."""
    page = Image.new("L", (90, 30), 0)
    page.paste(255, (30, 0, 60, 30))
    page.save(tmp_path / "wide.png")
    assert load_image(tmp_path / "wide.png").mean() > 0.95
    padded = load_image(tmp_path / "wide.png", fit="pad")
    assert padded[0, 0, 0].max() < 0.1 and 0.05 < padded.mean() < 0.2


def test_dark_ink_on_light_is_noticed():
    """By the edges, not by the mean: a fat digit on black is still light on dark."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 3:25, 3:25] = 1
    assert not dark_on_light(x) and dark_on_light(1 - x)


def test_what_is_no_picture_is_refused(tmp_path):
    """Nothing there, a folder, text, an empty file, half a file, an unknown fit."""
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    rough = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(rough).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    for name in ("none.png", "."):
        with pytest.raises(ValueError, match="no picture file"):
            load_image(tmp_path / name)
    for name in ("text.png", "empty.png", "half.png"):
        with pytest.raises(ValueError, match="no picture that can be read"):
            load_image(tmp_path / name)
    with pytest.raises(ValueError, match="crop, pad"):
        load_image(tmp_path / "whole.png", fit="squeeze")


@pytest.mark.parametrize("told, rows, columns", [
    ("rows 2:20 columns 8:20", (2, 20), (8, 20)),
    ("rows 14:28", (14, 28), (0, 28)),
    ("columns 0:5", (0, 28), (0, 5)),
    ("rows 2:20,  columns 8:20", (2, 20), (8, 20)),
])
def test_a_mask_told_in_words(told, rows, columns):
    """True in the hole and nowhere else."""
    mask = load_mask(told, (1, 28, 28))
    assert mask.shape == (1, 1, 28, 28) and mask.dtype == torch.bool
    assert mask[..., slice(*rows), slice(*columns)].all()
    assert mask.sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])


def test_a_mask_from_a_picture_lies_over_the_picture_it_belongs_to(tmp_path):
    """Light is the hole; as large as the model's pictures, or as the person's, cropped alike."""
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


@pytest.mark.parametrize("told, sentence", [
    ("rows 0:29", "within 0:28"), ("rows 9:9", "within 0:28"), ("columns 20:2", "within 0:28"),
    ("", "neither"), ("hole.png", "neither"), ("lines 2:4", "neither"),
])
def test_masks_that_say_nothing_are_refused(told, sentence):
    """Ranges outside the picture, empty ones, and words that are neither."""
    with pytest.raises(ValueError, match=sentence):
        load_mask(told, (1, 28, 28))


def test_a_mask_of_the_wrong_size_is_refused_with_the_sizes_that_fit(tmp_path):
    """Both are named."""
    Image.new("L", (28, 28)).save(tmp_path / "dark.png")
    with pytest.raises(ValueError, match="no hole"):
        load_mask(str(tmp_path / "dark.png"), (1, 28, 28))
    Image.new("L", (20, 30)).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="20 x 30 .* 28 x 28 or 300 x 100"):
        load_mask(str(tmp_path / "m.png"), (1, 28, 28), (300, 100))
