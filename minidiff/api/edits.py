"""Edits from Python: of a photo, and images that show two things.

A photo is a file's path, a Pillow image, or an array: numpy (H,W) or (H,W,3), torch (C,H,W), bytes
or floats in [0, 1]. It is cropped to the model's shape. All functions take the options of
`Pipeline.sample`, with the defaults of the scripts that do the same, and return images (n,C,H,W).
"""

import sys

import numpy as np
import torch
from PIL import Image

from minidiff.api.pipeline import Pipeline, in_unit, last
from minidiff.editing import illusions
from minidiff.editing.image_to_image import sdedit
from minidiff.editing.inpainting import inpaint
from minidiff.editing.views import VIEWS
from minidiff.files import photos
from minidiff.models.generate import generators, prompted
from minidiff.models.options import MIXED
from minidiff.theory.diffusion import noise_like
from minidiff.theory.samplers import trajectory
from minidiff.theory.schedule import evenly


class _Edit:
    """What all edits need: options, timesteps, noise, and the prediction for a prompt."""

    def __init__(self, model: Pipeline, n, progress, callback, **options):
        if not model.schedule:
            raise ValueError("a flow has no noise levels to edit at; load a diffusion model")
        self.model, self.n, self.show = model.model, n, (progress, callback)
        self.options = model.options(**options)
        self.timesteps = evenly(model.schedule.T, self.options.steps)
        self.generator = generators(self.options.seed, n)
        self.sampling = {"generator": self.generator, **self.options.sampling(self.model)}

    def eps_fn(self, prompt):
        return prompted(self.model, [prompt] * self.n, **self.options.guidance)

    def noise(self):
        like = torch.empty(self.n, *self.model.image_shape, device=self.model.device)
        return noise_like(like, self.generator)

    def photo(self, photo, invert, fit):
        model = self.model
        x = photos.load_image(_opened(photo), model.image_shape, (0.0, 1.0), fit)
        if invert and model.data_range == (0.0, 1.0) and photos.dark_on_light(x):
            print("note: dark ink on light ground: inverted (invert=False keeps it)",
                  file=sys.stderr)
            x = 1 - x
        return model.from_unit(x).to(model.device).expand(self.n, -1, -1, -1)

    def finish(self, states, total):
        return last((in_unit(self.model, s) for s in states), total, *self.show)


def edit(model, photo, prompt="", start=0.4, *, n=1, invert=True, fit="crop", progress=True,
         callback=None, **options) -> torch.Tensor:
    """Return n images close to a photo: SDEdit. start: share of the steps that is skipped, 0 (a new
    image) .. 1 (the photo itself). invert: dark ink on light becomes light on dark, for a model of
    grey images. fit: "crop" or "pad". Raises ValueError for values that do not fit."""
    if not 0 <= start <= 1:
        raise ValueError(f"start must lie in 0..1, got {start}")
    own = _Edit(model, n, progress, callback, **options)
    k = round(start * own.options.steps)
    states = sdedit(own.eps_fn(prompt), model.schedule, own.photo(photo, invert, fit),
                    own.timesteps, k, **own.sampling)
    return own.finish(states, len(own.timesteps) - k)


def inpaint_image(model, photo, mask, prompt="", *, n=1, resample=5, invert=True, fit="crop",
                  progress=True, callback=None, **options) -> torch.Tensor:
    """Return n images, a photo with its hole filled. mask: "rows 2:20 columns 8:20" in the model's
    pixels, an image file (light: hole), or bools (H,W). resample: how often each step is taken.
    The rest as in `edit`."""
    own = _Edit(model, n, progress, callback, **options)
    x_0 = own.photo(photo, invert, fit)
    if isinstance(mask, np.ndarray | torch.Tensor):
        hole = torch.as_tensor(mask).bool()[None, None]
    else:
        hole = photos.load_mask(str(mask), model.image_shape, photos.size_of(_opened(photo)), fit)
    states = inpaint(own.eps_fn(prompt), model.schedule, x_0, hole.to(model.device), own.noise(),
                     own.timesteps, resample=resample, **own.sampling)
    return own.finish(states, len(own.timesteps))


def anagram_image(model, prompts=("6", "9"), views=("identity", "rotate180"), *, n=1,
                  progress=True, callback=None, **options) -> torch.Tensor:
    """Return n images that show each prompt as seen through its view, a name in VIEWS or a View."""
    own = _Edit(model, n, progress, callback, **{**MIXED, **options})
    if unknown := [view for view in views if isinstance(view, str) and view not in VIEWS]:
        raise ValueError(f"unknown view {unknown[0]!r}; choose from: {', '.join(VIEWS)}")
    found = [VIEWS[view] if isinstance(view, str) else view for view in views]
    eps_fn = own.model.combine(illusions.anagram, [own.eps_fn(p) for p in prompts], found)
    states = trajectory(eps_fn, model.schedule, own.noise(), own.timesteps, **own.sampling)
    return own.finish(states, len(own.timesteps))


def hybrid_image(model, low="1", high="4", sigma=1.4, *, n=1, progress=True, callback=None,
                 **options) -> torch.Tensor:
    """Return n images that show `low` from a distance and `high` up close. sigma: of the Gaussian
    between the two, pixels; or any filter of images (illusions.py)."""
    own = _Edit(model, n, progress, callback, **{**MIXED, **options})
    coarse = sigma if callable(sigma) else illusions.blur(sigma)
    eps_fns = [own.eps_fn(low), own.eps_fn(high)]
    eps_fn = own.model.combine(illusions.hybrid, eps_fns, illusions.split(coarse))
    states = trajectory(eps_fn, model.schedule, own.noise(), own.timesteps, **own.sampling)
    return own.finish(states, len(own.timesteps))


def _opened(photo):
    """Return a path or a Pillow image as it is, and an array as a Pillow image."""
    if not isinstance(photo, np.ndarray | torch.Tensor):
        return photo
    x = photo.detach().cpu() if isinstance(photo, torch.Tensor) else torch.tensor(photo)
    x = x[0] if x.dim() == 4 and len(x) == 1 else x
    if isinstance(photo, np.ndarray) and x.dim() == 3 and x.shape[2] in (1, 3):
        x = x.permute(2, 0, 1)
    x = x[None] if x.dim() == 2 else x
    if x.dim() != 3 or x.shape[0] not in (1, 3):
        raise ValueError(f"a photo is (H,W), (3,H,W) or, in numpy, (H,W,3); got {tuple(x.shape)}")
    if x.is_floating_point():
        if not (x.isfinite().all() and x.min() >= -0.01 and x.max() <= 1.01):
            raise ValueError("a photo of floats has values in [0, 1]; divide bytes by 255")
        x = 255 * x.clamp(0, 1)
    pixels = x.round().byte() if x.is_floating_point() else x.byte()
    return Image.fromarray((pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)).numpy())
