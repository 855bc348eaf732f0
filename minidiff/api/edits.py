"""Edits from Python: of a photo, and images that show two things.

    for state in minidiff.api.edits.edit_states(model, "photo.jpg", "8"):
        show(state.x_t)                         # States, with images (n,C,H,W) in [0, 1]

Each edit has a function that returns its States and one that returns the last images alone. Both
take the options of `Pipeline.sample`, with the defaults of the scripts, which are made of them.

A photo is a file's path, a Pillow image or an array (inputs.py).
"""

import numbers

import torch

from minidiff.api.inputs import hole_of, photo_of
from minidiff.api.pipeline import States, as_pipeline, last
from minidiff.editing import illusions, inpainting, inversion
from minidiff.editing.image_to_image import sdedit
from minidiff.editing.views import VIEWS, View
from minidiff.models.generate import generators, prompted
from minidiff.models.model import UNGUIDED
from minidiff.models.options import BETWEEN, MIXED
from minidiff.theory.diffusion import noise_like
from minidiff.theory.samplers import trajectory
from minidiff.theory.schedule import evenly


class _Edit:
    """What all edits need: options, timesteps, noise, and the prediction for a prompt. suited: the
    options that suit the task."""

    def __init__(self, model, n, options, suited=None):
        model = as_pipeline(model)
        if not model.schedule:
            raise ValueError("a flow has no noise levels to edit at; load a diffusion model")
        if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
            raise ValueError(f"n, how many images, must be a whole number above 0, got {n!r:.40}")
        self.pipeline, self.model, self.n = model, model.model, int(n)
        suited = {} if self.model.kind == "deepfloyd" else {
            k: v for k, v in (suited or {}).items() if model.conditional or k not in UNGUIDED}
        self.options = model.options(suited, **options)
        self.timesteps = evenly(model.schedule.T, self.options.steps)
        self.generator = generators(self.options.seed, self.n)
        self.sampling = {"generator": self.generator, **self.options.sampling(self.model)}

    def eps_fn(self, prompt):
        prompts = self.pipeline.prompts([prompt]) * self.n
        return prompted(self.model, prompts, **self.options.guidance)

    def noise(self):
        like = torch.empty(self.n, *self.model.image_shape, device=self.model.device)
        return noise_like(like, self.generator)

    def photo(self, photo, invert, fit):
        x = photo_of(self.model, photo, invert, fit)
        return self.model.from_unit(x).to(self.model.device).expand(self.n, -1, -1, -1)

    def states(self, found, count=None):
        return States(self.model, found, count or len(self.timesteps))

    def sampled(self, eps_fn, x=None):
        """Return the States of sampling from noise, or from x."""
        x = self.noise() if x is None else x
        return self.states(trajectory(eps_fn, self.model.schedule, x, self.timesteps,
                                      **self.sampling))


def edit_states(model, photo, prompt="", start=0.4, *, n=1, strength=None, invert=True, fit="crop",
                **options) -> States:
    """Return the States of n images close to a photo: SDEdit.

    start: the step to start at, 0 (a new image) .. steps (the photo); below 1: a share of the
    steps. strength: instead of it, how much is made anew, 0 (nothing) .. 1 (all). invert: dark ink
    on light becomes light on dark, for a model of such images. fit: "crop" or "pad". Raises
    ValueError for values that do not fit.
    """
    own = _Edit(model, n, options)
    k = start_of(own.options.steps, start, strength)
    states = sdedit(own.eps_fn(prompt), own.model.schedule, own.photo(photo, invert, fit),
                    own.timesteps, k, **own.sampling)
    return own.states(states, len(own.timesteps) - k)


def inpaint_states(model, photo, mask, prompt="", *, n=1, resample=5, invert_mask=False,
                   invert=True, fit="crop", **options) -> States:
    """Return the States of n images, a photo with its hole filled.

    mask: "rows 2:20 columns 8:20" in the model's pixels, an image file (light: hole), or bools
    (H,W). invert_mask: the mask is what is kept. resample: how often each step is taken. The rest
    as in `edit_states`.
    """
    own = _Edit(model, n, options)
    x_0 = own.photo(photo, invert, fit)
    hole = hole_of(own.model, mask, photo, invert_mask, fit).to(own.model.device)
    return own.states(inpainting.inpaint(
        own.eps_fn(prompt), own.model.schedule, x_0, hole, own.noise(), own.timesteps,
        resample=resample, **own.sampling))


def anagram_states(model, prompts=("6", "9"), views=("rotate180",), *, n=1, **options) -> States:
    """Return the States of n images that show each prompt as seen through its view.

    views: names in VIEWS, or Views, one for each prompt or for each but the first. Raises
    ValueError where they do not fit.
    """
    own = _Edit(model, n, options, MIXED)
    prompts, views = ([v] if isinstance(v, str) else list(v) for v in (prompts, views))
    if unknown := [v for v in views if v not in VIEWS and not isinstance(v, View)]:
        raise ValueError(f"unknown view {unknown[0]!r:.40}; choose from: {', '.join(VIEWS)}")
    if len(prompts) - len(views) not in (0, 1):
        raise ValueError("expected a view for each prompt, or for each but the first; got "
                         f"{len(prompts)} prompts and {len(views)} views")
    if "negative" in views and sum(own.model.data_range):
        raise ValueError("the view negative swaps black and white, so it needs a model whose data "
                         "range is symmetric about 0, such as -1..1; this one's is "
                         f"{own.model.data_range}; use another view")
    views = ["identity"] * (len(prompts) - len(views)) + views
    found = [VIEWS[view] if isinstance(view, str) else view for view in views]
    own.model.embed(own.pipeline.prompts(prompts))  # T5 encodes all of them at once
    return own.sampled(
        own.model.combine(illusions.anagram, [own.eps_fn(p) for p in prompts], found))


def hybrid_states(model, low="1", high="4", sigma=1.4, *, n=1, **options) -> States:
    """Return the States of n images that show `low` from a distance and `high` up close. sigma: of
    the Gaussian between the two, pixels; or any filter of images (illusions.py)."""
    own = _Edit(model, n, options, MIXED)
    if not callable(sigma) and not (isinstance(sigma, numbers.Real) and sigma > 0):
        raise ValueError(f"sigma must be pixels above 0, or a filter of images, got {sigma!r:.40}")
    coarse = sigma if callable(sigma) else illusions.blur(sigma)
    own.model.embed(own.pipeline.prompts([low, high]))
    eps_fns = [own.eps_fn(low), own.eps_fn(high)]
    return own.sampled(own.model.combine(illusions.hybrid, eps_fns, illusions.split(coarse)))


def interpolate_states(model, photo, other, prompt="", *, n=7, invert=True, fit="crop",
                       **options) -> States:
    """Return the States of n images between two photos, whose noise is mixed: the first and the
    last show the photos. The rest as in `edit_states`. Raises ValueError for a sampler that adds
    noise, and for a seed: there is nothing random."""
    if "seed" in options:
        raise ValueError("interpolation adds no noise, so it has no seed; leave it out")
    own = _Edit(model, n, options, BETWEEN)
    if own.options.sampler == "ddpm" or own.options.eta:
        raise ValueError("interpolation needs a sampler that adds no noise: ddim with eta 0, heun "
                         "or dpm2m")
    eps_fn = own.eps_fn(prompt)
    a, b = (inversion.invert(eps_fn, own.model.schedule, own.photo(x, invert, fit), own.timesteps)
            for x in (photo, other))
    mixed = [inversion.slerp(a[k : k + 1], b[k : k + 1], k / max(1, n - 1)) for k in range(n)]
    return own.sampled(eps_fn, torch.cat(mixed))


def edit(model, photo, prompt="", start=0.4, *, progress=True, callback=None,
         **options) -> torch.Tensor:
    """Return n images close to a photo. Arguments: of `edit_states` and `Pipeline.sample`."""
    return last(edit_states(model, photo, prompt, start, **options), progress, callback)


def inpaint(model, photo, mask, prompt="", *, progress=True, callback=None,
            **options) -> torch.Tensor:
    """Return n images, a photo with its hole filled. Arguments: of `inpaint_states`."""
    return last(inpaint_states(model, photo, mask, prompt, **options), progress, callback)


def anagram(model, prompts=("6", "9"), views=("rotate180",), *, progress=True, callback=None,
            **options) -> torch.Tensor:
    """Return n images that show each prompt in its view. Arguments: of `anagram_states`."""
    return last(anagram_states(model, prompts, views, **options), progress, callback)


def hybrid(model, low="1", high="4", sigma=1.4, *, progress=True, callback=None,
           **options) -> torch.Tensor:
    """Return n images that show `low` from a distance. Arguments: of `hybrid_states`."""
    return last(hybrid_states(model, low, high, sigma, **options), progress, callback)


def interpolate(model, photo, other, prompt="", *, progress=True, callback=None,
                **options) -> torch.Tensor:
    """Return n images between two photos. Arguments: of `interpolate_states`."""
    return last(interpolate_states(model, photo, other, prompt, **options), progress, callback)


def start_of(steps, start=0.4, strength=None) -> int:
    """Return the index of the step to start at. Arguments and errors: of `edit_states`."""
    if not all(isinstance(v, numbers.Real) for v in (start, 0 if strength is None else strength)):
        raise ValueError(f"start and strength are numbers, got {start!r:.40}, {strength!r:.40}")
    if strength is not None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie in 0..1, got {strength}")
        return round((1 - strength) * steps)
    if not 0 <= start <= steps or start > 1 and start != int(start):
        raise ValueError(f"start must be a step, 0 (noise) .. {steps} (the image), or a share of "
                         f"them below 1; got {start:g}")
    return round(start * steps) if start < 1 else int(start)
