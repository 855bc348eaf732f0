"""Pictures in, from any file, and masks.

What a person has at hand is of any size and kind: a photo that a camera turned on its side, a
drawing on transparent ground, 16 bits of grey, the colours of print. Pillow reads them all;
`load_image` makes of them what a model takes, black at one end of its range and white at the other.

A digit model was trained on white ink on black, and people draw black on white: `dark_on_light`
tells, and who asked may turn it round.

Exercises
1. Draw a fat digit that fills half of the picture. Why is `dark_on_light` right, and a mean wrong?
   test_photos.py: test_dark_ink_on_light_is_noticed
2. Give `make sample-sdedit` black ink on white, with --no-invert and without. What does it draw?
   test_sample_edits.py: test_a_drawing_is_inverted_aloud_and_can_be_kept
Next: images.py
"""

import re
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageOps

FITS = ("crop", "pad")


def sample_photo(name="grace_hopper.jpg") -> str:
    """Return the file of a picture in the public domain that matplotlib installs: a photo of Grace
    Hopper, or "Minduka_Present_Blue_Pack.png", a drawn present."""
    return str(Path(matplotlib.get_data_path()) / "sample_data" / name)


def load_image(path, shape=(1, 28, 28), data_range=(0.0, 1.0), fit="crop"):
    """Read a picture file, whatever its size and mode, as a model wants it.

    shape: (C,H,W), C 1 or 3. data_range: (low, high) of black and white. fit: "crop" the middle, or
    "pad" with the colour of the edges. Transparent ground becomes white, or black under light ink.
    Returns float32 (1,C,H,W). Raises ValueError for what is no picture.
    """
    channels, height, width = shape
    picture = _fitted(_opened(path), (width, height), fit).convert("L" if channels == 1 else "RGB")
    x = torch.from_numpy(np.array(picture)).float().view(height, width, channels) / 255
    low, high = data_range
    return low + (high - low) * x.permute(2, 0, 1)[None].contiguous()


def load_mask(told: str, shape, size=None, fit="crop"):
    """Return the hole that is told, bool (1,1,H,W), True = hole.

    told: "rows 2:20 columns 8:20", in the model's pixels, either part alone meaning all of the
    other; or a picture file, light = hole, as large as the model's pictures or as the picture it
    belongs to. shape: (C,H,W) of the model. size: (width, height) of that picture. Raises
    ValueError for anything else.
    """
    _, height, width = shape
    spans = re.fullmatch(r"(?:rows +(\d+):(\d+))?[ ,]*(?:columns +(\d+):(\d+))?", told.strip())
    if told.strip() and spans:
        top, bottom, left, right = (None if s is None else int(s) for s in spans.groups())
        rows = range(height)[0 if top is None else top : height if bottom is None else bottom]
        columns = range(width)[0 if left is None else left : width if right is None else right]
        if not rows or not columns or (bottom or 0) > height or (right or 0) > width:
            raise ValueError(
                f"mask {told!r} should name some rows within 0:{height} and some columns within "
                f"0:{width}, first:beyond the last"
            )
        mask = torch.zeros(1, 1, height, width, dtype=torch.bool)
        mask[..., rows.start : rows.stop, columns.start : columns.stop] = True
        return mask
    if not Path(told).is_file():
        raise ValueError(
            f"mask {told!r} is neither a picture file that is there nor told as "
            "'rows 2:20 columns 8:20'"
        )
    picture = _opened(told)
    if picture.size not in ((width, height), size):
        either = f" or {size[0]} x {size[1]}, as the picture is" if size else ""
        raise ValueError(
            f"mask {told} is {picture.width} x {picture.height} pixels; it should be "
            f"{width} x {height}{either}, or told as 'rows 2:20 columns 8:20'"
        )
    fitted = _fitted(picture, (width, height), fit).convert("L")
    mask = torch.from_numpy(np.array(fitted))[None, None] > 127
    if not mask.any():
        raise ValueError(f"mask {told} is dark everywhere, so it has no hole; light is the hole")
    return mask


def size_of(path):
    """Return (width, height) of a picture file, as it is looked at."""
    return _opened(path).size


def dark_on_light(x) -> bool:
    """Tell whether pictures x (B,C,H,W) in [0, 1] have a light ground: the median of the edges."""
    edges = [x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1]]
    return torch.cat([edge.flatten() for edge in edges]).median().item() > 0.5


def _opened(path):
    """Open a picture file, turned as it was taken, as RGB without alpha."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                file.load()
                picture = ImageOps.exif_transpose(file)
    except (FileNotFoundError, IsADirectoryError) as e:
        raise ValueError(f"there is no picture file {path}; name one, such as a PNG or JPEG") from e
    except Image.DecompressionBombError as e:
        raise ValueError(f"{path} has more than 178 megapixels; scale it down first") from e
    except (OSError, SyntaxError, ValueError, EOFError) as e:
        raise ValueError(f"{path} is no picture that can be read; name a PNG or JPEG") from e
    if picture.mode[0] in "IF":  # more than 8 bits of grey
        values = np.nan_to_num(np.array(picture, dtype=np.float64))
        top = values.max()
        top = next(white for white in (1, 255, 4095, 65535, max(top, 65536)) if top <= white)
        if ";" in picture.mode:
            top = max(top, 4095)  # 12 bits in 16, as scanners write them
        grey = (255 * (values / top).clip(0, 1)).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        colour, alpha = np.split(np.array(picture, dtype=np.float64), [3], axis=2)
        light = np.average(colour.mean(2, keepdims=True), weights=alpha + 1e-9)
        ground = Image.new("RGBA", picture.size, "black" if light > 127 else "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _fitted(picture, size, fit):
    """Scale an opened picture to `size`, (width, height), cropped or padded in the middle."""
    if fit not in FITS:
        raise ValueError(f"unknown fit {fit!r}; choose from: {', '.join(FITS)}")
    if fit == "crop":
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    k = min(size[0] / picture.width, size[1] / picture.height)
    small = picture.resize(
        (max(1, round(picture.width * k)), max(1, round(picture.height * k))),
        Image.Resampling.LANCZOS,
    )
    pixels = np.array(small)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    page = Image.new(small.mode, size, tuple(np.median(edges, 0).astype(int).tolist()))
    page.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return page
