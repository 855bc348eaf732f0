"""What people hand over from Python, in any form: images, a photo, a mask.

A photo is a file's path, a Pillow image, or an array: numpy (H,W) or (H,W,3), torch (C,H,W); bools,
whole numbers in 0..255, or floats in [0, 1]. It is cropped to the model's shape; floats that have
that shape already are taken as they are.
"""

import os
import sys

import numpy as np
import torch
from PIL import Image

from minidiff.files import photos


def tensor(images, what="images") -> torch.Tensor:
    """Return a tensor, an array, or a list of either as one tensor on the CPU; ValueError for
    anything else. what: the images, for the error."""
    try:
        if isinstance(images, (list, tuple)):
            return torch.stack([tensor(image, what) for image in images])
        given = isinstance(images, torch.Tensor)
        return images.detach().cpu() if given else torch.tensor(images)
    except (TypeError, ValueError, RuntimeError) as e:
        raise ValueError(f"{what} must be a tensor, an array, or a list of them in one size, got "
                         f"{type(images).__name__}") from e


def photo_of(model, photo, invert=True, fit="crop") -> torch.Tensor:
    """Return a photo as the model takes it, float32 (1,C,H,W) in [0, 1]. Arguments and errors: of
    `edit_states`. It says so where it inverts."""
    if (isinstance(photo, torch.Tensor) and photo.is_floating_point()
            and photo.shape == model.image_shape):
        x = _unit(photo.detach().float().cpu())[None]
    else:
        x = photos.load_image(_opened(photo), model.image_shape, (0.0, 1.0), fit)
    digits = model.data_range == (0.0, 1.0) and model.light_on_dark
    if invert and digits and photos.dark_on_light(x):
        print("note: dark ink on light ground: inverted; --no-invert, or invert=False, keeps it",
              file=sys.stderr)
        x = 1 - x
    return x


def hole_of(model, mask, photo, invert_mask=False, fit="crop") -> torch.Tensor:
    """Return the hole that a mask means, bool (1,1,H,W), True: hole. Arguments and errors: of
    `inpaint_states`."""
    _, height, width = model.image_shape
    if isinstance(mask, np.ndarray | torch.Tensor):
        hole = torch.as_tensor(mask).bool()
        if hole.shape[-2:] != (height, width) or hole.numel() != height * width:
            raise ValueError(f"a mask has the model's size, ({height}, {width}), "
                             f"got {tuple(hole.shape)}")
        hole = hole.reshape(1, 1, height, width)
    else:
        hole = photos.load_mask(str(mask), model.image_shape, photos.size_of(_opened(photo)), fit)
    hole = ~hole if invert_mask else hole
    if not hole.any():
        raise ValueError("the inverted mask has no hole; do not invert it" if invert_mask else
                         "the mask has no hole: True, or light, is the hole")
    return hole


def _opened(photo):
    """Return a path or a Pillow image as it is, and an array as a Pillow image."""
    if isinstance(photo, (str, os.PathLike, Image.Image)):
        return photo
    if not isinstance(photo, np.ndarray | torch.Tensor):
        raise ValueError("a photo is a path, a Pillow image, an array or a tensor, got "
                         f"{photo!r:.40}")
    x = tensor(photo, "a photo")
    x = x[0] if x.dim() == 4 and len(x) == 1 else x
    if isinstance(photo, np.ndarray) and x.dim() == 3 and x.shape[2] in (1, 3):
        x = x.permute(2, 0, 1)
    x = x[None] if x.dim() == 2 else x
    if x.dim() != 3 or x.shape[0] not in (1, 3) or not x.numel():
        raise ValueError(f"a photo is (H,W), (3,H,W) or, in numpy, (H,W,3); got {tuple(x.shape)}")
    if x.is_complex():
        raise ValueError("a photo has real values, got complex ones")
    x = (255 * _unit(x.float())).round() if x.is_floating_point() else x.int() * (
        255 if x.dtype == torch.bool else 1)
    if x.min() < 0 or x.max() > 255:
        raise ValueError("a photo of whole numbers has values in 0..255; scale wider ones to "
                         "floats in [0, 1]")
    pixels = x.byte()
    return Image.fromarray((pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)).numpy())


def _unit(x):
    """Return floats clipped to [0, 1]; ValueError for those that are far outside."""
    if not (x.isfinite().all() and x.min() >= -0.01 and x.max() <= 1.01):
        raise ValueError("a photo of floats has values in [0, 1]; divide bytes by 255")
    return x.clamp(0, 1)
