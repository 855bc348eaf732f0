"""Read images of any format, and masks.

Image files come in any size and format: a photo that the camera stored sideways, a drawing on a
transparent background, 16-bit grey, CMYK colours. `load_image` turns them all into what a model
takes. A digit model was trained on white ink on black, but people draw in black on white:
`dark_on_light` detects that, so that a script can invert the image.

Exercises
1. Draw a fat digit that fills half of the image. Why is `dark_on_light` right, and the mean not?
   test_photos.py: test_dark_ink_on_light_is_noticed
2. Give `make sample-sdedit` black ink on white, with --no-invert and without. What does it make?
   test_edits.py: test_a_drawing_is_inverted_aloud_and_can_be_kept
"""

import math
import os
import re
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps

FITS = ("crop", "pad")
MOST_PIXELS = 16_000_000  # of an image in memory; a larger one is reduced while it is converted
WORDS = re.compile(r"(?:rows +(\d+):(\d+))?[ ,]*(?:columns +(\d+):(\d+))?")  # of a mask


def sample_photo(name="grace_hopper.jpg") -> str:
    """Return the path of an image in the public domain that comes with matplotlib: a photo of Grace
    Hopper, or "Minduka_Present_Blue_Pack.png", a drawn present."""
    import matplotlib  # which takes a while, and nothing else here needs it

    return str(Path(matplotlib.get_data_path()) / "sample_data" / name)


def load_image(path, shape=(1, 28, 28), data_range=(0.0, 1.0), fit="crop"):
    """Read an image file of any size and format; return float32 (1,C,H,W) in a model's data range.

    path: of the file; or a Pillow image. shape: (C,H,W), C 1 or 3. data_range: (low, high) of black
    and white. fit: "crop" the middle, or "pad" with the colour of the edges. A transparent
    background becomes white, or black under light ink. Raises ValueError for a file that is not an
    image.
    """
    channels, height, width = shape
    image, _ = _opened(path)
    image = _fitted(image, (width, height), fit).convert("L" if channels == 1 else "RGB")
    x = torch.from_numpy(np.array(image)).float().view(height, width, channels) / 255
    low, high = data_range
    return low + (high - low) * x.permute(2, 0, 1)[None].contiguous()


def load_mask(mask: str, shape, size=None, fit="crop"):
    """Return the hole that `mask` describes, bool (1,1,H,W), True = hole.

    mask: "rows 2:20 columns 8:20", in the model's pixels, where either part may be missing; or an
    image file, light = hole, of the same size as the model's images or as the image to inpaint.
    shape: (C,H,W) of the model. size: (width, height) of that image. fit: as in `load_image`.
    Raises ValueError for anything else.
    """
    _, height, width = shape
    spans = WORDS.fullmatch(mask.strip())
    form = "of the form 'rows 2:20 columns 8:20'"
    if spans and any(spans.groups()):
        return _rectangle(mask, spans, height, width)
    if not os.path.isfile(os.path.expanduser(mask)):
        raise ValueError(f"mask {mask!r} is neither an image file nor {form}")
    image, own = _opened(mask)
    if own not in ((width, height), size):
        either = f" or {size[0]} x {size[1]}, like the image" if size else ""
        raise ValueError(f"mask {mask} is {own[0]} x {own[1]} pixels; it should be "
                         f"{width} x {height}{either}, or {form}")
    fitted = _fitted(image, (width, height), fit).convert("L")
    hole = torch.from_numpy(np.array(fitted))[None, None] > 127
    if not hole.any():
        raise ValueError(f"mask {mask} has no hole: light pixels are the hole, but it is all dark")
    return hole


def _rectangle(mask, spans, height, width):
    top, bottom, left, right = (None if s is None else int(s) for s in spans.groups())
    rows, columns = range(height)[top:bottom], range(width)[left:right]
    if not rows or not columns or (bottom or 0) > height or (right or 0) > width:
        raise ValueError(
            f"mask {mask!r} should name rows within 0:{height} and columns within 0:{width}, "
            "from the first to one beyond the last"
        )
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., rows.start : rows.stop, columns.start : columns.stop] = True
    return hole


def size_of(path):
    """Return (width, height) of an image file, turned upright."""
    return _opened(path)[1]


def dark_on_light(x) -> bool:
    """Return whether images x (B,C,H,W) in [0, 1] are light at the edges, by the median there."""
    edges = [x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1]]
    return torch.cat([edge.flatten() for edge in edges]).median().item() > 0.5


def _opened(path):
    """Open an image file, or take a Pillow image: return it turned upright, as RGB without alpha,
    at most MOST_PIXELS or hardly more; and its own size."""
    if isinstance(path, Image.Image):
        upright = ImageOps.exif_transpose(path)
        return _flat(_reduced(_in_bytes(upright))), upright.size
    path = os.path.expanduser(path)
    if not os.path.isfile(path):  # a pipe would be waited for
        raise ValueError(f"there is no image file {path}; name one, such as a PNG or JPEG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                size = file.size
                if size[0] * size[1] > MOST_PIXELS:
                    file.draft(None, (2048, 2048))  # a JPEG is decoded at a half, a quarter ...
                file.load()
                if file.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8):
                    size = size[::-1]
                ImageOps.exif_transpose(file, in_place=True)
                return _flat(_reduced(_in_bytes(file))), size
    except PermissionError as e:
        raise ValueError(f"{path} may not be read; change its permissions") from e
    except Image.DecompressionBombError as e:
        raise ValueError(f"{path} has more than 178 megapixels; scale it down first") from e
    except (OSError, SyntaxError, ValueError, EOFError) as e:
        raise ValueError(f"{path} is not a readable image; name a PNG or JPEG") from e


def _bands(image, rows=256):
    """Yield an image in bands of rows, each with the row it begins at: a copy of the whole in
    another format could be larger than the memory."""
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _in_bytes(image):
    """Return an image of at most 8 bits a channel, in RGB or, where a part is transparent, RGBA."""
    if image.mode[0] not in "IF":
        return image
    top = max(_values(band).max() for _, band in _bands(image))
    top = next(white for white in (1, 255, 4095, 65535, max(top, 65536)) if top <= white)
    if ";" in image.mode:
        top = max(top, 4095)  # 12 bits stored in 16, as scanners do
    grey = Image.new("L", image.size)
    for row, band in _bands(image):
        scaled = (255 * (_values(band) / top).clip(0, 1)).round().astype(np.uint8)
        grey.paste(Image.fromarray(scaled), (0, row))
    return grey


def _values(band):
    return np.nan_to_num(np.array(band, dtype=np.float64))


def _reduced(image):
    """Return an image in RGB, or RGBA if it is transparent somewhere; if it has more than
    MOST_PIXELS, its sides divided by a whole number, as the mean of each square of pixels."""
    alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    mode = "RGBA" if alpha else "RGB"
    k = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    k = min(k, image.width, image.height)
    if k == 1:
        return image.convert(mode)
    small = Image.new(mode, [math.ceil(side / k) for side in image.size])
    for row, band in _bands(image, 64 * k):
        small.paste(band.convert(mode).reduce(k), (0, row // k))
    return small


def _flat(image):
    """Return an RGB or RGBA image on a ground: white, or black under light ink."""
    if image.mode == "RGB":
        return image
    pixels = np.asarray(image)
    colour, alpha = pixels[..., :3].sum(2, dtype=np.uint32), pixels[..., 3]
    weight = alpha if alpha.any() else np.ones_like(alpha)
    light = np.multiply(colour, weight, dtype=np.uint32).sum(dtype=np.uint64)
    dark = light <= 3 * 127 * int(weight.sum(dtype=np.uint64))
    ground = Image.new("RGBA", image.size, "white" if dark else "black")
    return Image.alpha_composite(ground, image).convert("RGB")


def _fitted(image, size, fit):
    """Scale an opened image to `size`, (width, height), cropped or padded around the middle."""
    if fit not in FITS:
        raise ValueError(f"unknown fit {fit!r}; choose from: {', '.join(FITS)}")
    if fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    k = min(size[0] / image.width, size[1] / image.height)
    scaled = [max(1, round(side * k)) for side in image.size]
    small = image.resize(scaled, Image.Resampling.LANCZOS)
    pixels = np.array(small)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    page = Image.new(small.mode, size, tuple(np.median(edges, 0).astype(int).tolist()))
    page.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return page
