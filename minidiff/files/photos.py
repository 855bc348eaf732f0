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

import re
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageOps

FITS = ("crop", "pad")
WORDS = re.compile(r"(?:rows +(\d+):(\d+))?[ ,]*(?:columns +(\d+):(\d+))?")  # of a mask


def sample_photo(name="grace_hopper.jpg") -> str:
    """Return the path of an image in the public domain that comes with matplotlib: a photo of Grace
    Hopper, or "Minduka_Present_Blue_Pack.png", a drawn present."""
    return str(Path(matplotlib.get_data_path()) / "sample_data" / name)


def load_image(path, shape=(1, 28, 28), data_range=(0.0, 1.0), fit="crop"):
    """Read an image file of any size and format; return float32 (1,C,H,W) in a model's data range.

    shape: (C,H,W), C 1 or 3. data_range: (low, high) of black and white. fit: "crop" the middle, or
    "pad" with the colour of the edges. A transparent background becomes white, or black under light
    ink. Raises ValueError for a file that is not an image.
    """
    channels, height, width = shape
    image = _fitted(_opened(path), (width, height), fit).convert("L" if channels == 1 else "RGB")
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
    if mask.strip() and spans:
        return _rectangle(mask, spans, height, width)
    if not Path(mask).is_file():
        raise ValueError(f"mask {mask!r} is neither an image file nor {form}")
    image = _opened(mask)
    if image.size not in ((width, height), size):
        either = f" or {size[0]} x {size[1]}, like the image" if size else ""
        raise ValueError(f"mask {mask} is {image.width} x {image.height} pixels; it should be "
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
    return _opened(path).size


def dark_on_light(x) -> bool:
    """Return whether images x (B,C,H,W) in [0, 1] are light at the edges, by the median there."""
    edges = [x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1]]
    return torch.cat([edge.flatten() for edge in edges]).median().item() > 0.5


def _opened(path):
    """Open an image file, turned upright, as RGB without alpha."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                file.load()
                image = ImageOps.exif_transpose(file)
    except (FileNotFoundError, IsADirectoryError) as e:
        raise ValueError(f"there is no image file {path}; name one, such as a PNG or JPEG") from e
    except Image.DecompressionBombError as e:
        raise ValueError(f"{path} has more than 178 megapixels; scale it down first") from e
    except (OSError, SyntaxError, ValueError, EOFError) as e:
        raise ValueError(f"{path} is not a readable image; name a PNG or JPEG") from e
    if image.mode[0] in "IF":  # more than 8 bits of grey
        values = np.nan_to_num(np.array(image, dtype=np.float64))
        top = values.max()
        top = next(white for white in (1, 255, 4095, 65535, max(top, 65536)) if top <= white)
        if ";" in image.mode:
            top = max(top, 4095)  # 12 bits stored in 16, as scanners do
        grey = (255 * (values / top).clip(0, 1)).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        colour, alpha = np.split(np.array(image, dtype=np.float64), [3], axis=2)
        light = np.average(colour.mean(2, keepdims=True), weights=alpha + 1e-9)
        ground = Image.new("RGBA", image.size, "black" if light > 127 else "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


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
