"""What every section of the page has: its words, and a studio that supplies what it is drawn from.

A section's script knows the idea and the figure. What differs between models (prompts, images,
masks, strengths, how many samples, who judges them) is the studio's: one class of data for each
model that can be prompted, such as part_a/digits.py and part_a/deepfloyd.py.
"""

from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn.functional import interpolate

from minidiff.editing import image_to_image
from minidiff.editing.blur import gaussian_blur
from minidiff.files.images import save_grid
from minidiff.files.photos import load_image, load_mask
from minidiff.models import upsampler
from minidiff.models.generate import generators, prompted
from minidiff.models.options import OutputOptions, SampleOptions
from minidiff.theory import samplers, schedule
from minidiff.theory.diffusion import noise_like

INPUTS = Path(__file__).parent.parent / "inputs"


class Section(NamedTuple):
    """The words of a section. formula: Unicode, "_" before a subscript. code: where the idea is
    implemented. notice, command (how to make your own): in part A each studio has its own. table:
    rows of a table, its head first."""

    number: str
    title: str
    idea: str
    formula: str
    code: tuple
    notice: str = ""
    command: str = ""
    table: tuple = ()


def own(model, kind=SampleOptions):
    """Return options of a kind as the model's defaults have them."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in model.defaults.items() if name in names})


class Studio:
    """What part A is drawn from. A subclass for each model supplies the data below.

    model: under the contract. second_stage: an upsampler, or None.
    """

    intro: str  # the first paragraph of the page
    words: dict  # section: the fields of its Section that this model replaces
    sentences = True  # prompts are sentences: too long for labels, and of use to the second stage
    schedule_name = "cosine"

    prompt: str  # for images that should show nothing in particular
    subject: str  # what `tests` are, for captions
    tests: tuple  # names of images to noise and restore
    starts: tuple  # values of i_start
    steps = more_steps = None  # sampling steps, fewer and more; None: the course's levels
    generated: tuple  # prompts of section 0
    generated_steps: tuple
    cascade: tuple  # prompts for both stages
    guided: tuple  # prompts of section 1.6
    gammas: tuple
    strong: float  # gamma where two prompts, or a prompt and an image, compete
    edited: dict  # label: image
    drawn: dict  # name of an image: what it is
    holes: dict  # name of an image: its mask
    hole_side = None  # size of the masks in pixels; None: the model's
    fills: tuple  # (prompt, resample); {} in a prompt is the image's name
    filled = (1, 1)  # how many results are measured, and how many are shown
    prompted: tuple  # (image, prompt)
    anagrams: dict  # end of the file's name: (prompt, prompt as seen by the view, name of the view)
    hybrids: dict  # end of the file's name: (prompt from afar, prompt from near)
    logo: tuple | str  # a hybrid's prompts, or digits that are anagrams with themselves
    sigma, far = 2.0, 1 / 16  # of blurs: where hybrids are split, pixels; from afar, of the width
    scales = (2, 1)  # how much larger images of both stages are drawn, without blur
    tries = (1, 1)  # how many illusions are measured, and how many are shown

    def image(self, name):
        """Return an image by its name, (1,C,H,W) in the data range."""
        return load_image(INPUTS / f"{name}.png", self.model.image_shape, self.model.data_range)

    def matches(self, x, prompt):
        """Return which images x show the prompt, in a judge's reading: bool (N,), or None without a
        judge."""

    def afar(self, x):
        """Return images x as seen from afar."""
        sigma = self.far * x.shape[3]
        return gaussian_blur(x, 2 * round(3 * sigma) + 1, sigma)

    @property
    def schedule(self):
        """The model's schedule."""
        return self.model.schedule

    @property
    def guidance(self):
        """The guidance that suits the model best, for captions."""
        return own(self.model).describe_guidance()

    @property
    def levels(self):
        """The course's levels: steps of 3% of T, from t near T down to 0."""
        return schedule.strided(self.schedule.T, max(1, round(0.03 * self.schedule.T)))

    @property
    def reached(self):
        """The values of i_start that the levels reach."""
        return [k for k in self.starts if k < len(self.levels) - 1]

    def thirds(self):
        """Return the course's three levels of noise: a quarter, half and three quarters of T."""
        return [round(self.schedule.T * share) for share in (0.25, 0.5, 0.75)]

    def images(self, *names):
        """Return images by their names, (N,C,H,W) on the model's device."""
        return torch.cat([self.image(name) for name in names]).to(self.model.device)

    def mask(self, words):
        """Return a hole as `load_mask` reads it, bool (1,1,H,W), scaled to the model's size."""
        C, H, W = self.model.image_shape
        side = self.hole_side or H
        mask = load_mask(words, (C, side, side)).float()
        return interpolate(mask, (H, W)).bool().to(self.model.device)

    def options(self, n, seed=0):
        """Return the options of `trajectory` of n images, with new generators."""
        return {**own(self.model).sampling(self.model), "generator": generators(seed, n)}

    def eps_fn(self, prompts, **guidance):
        """Return the eps_fn for these prompts. guidance: gamma, guide_until, or the model's own."""
        guidance = guidance or own(self.model).guidance
        return prompted(self.model, list(prompts), **guidance)

    def noised(self, x_0, t):
        """Return images x_0 noised to level t, seed 0."""
        return image_to_image.noised(self.schedule, x_0, t, self.options(len(x_0))["generator"])

    def sample(self, eps_fn, n, steps=None):
        """Return n samples (n,C,H,W) made in so many steps; None: along the course's levels."""
        options = self.options(n)
        x_T = self.noise(n, options["generator"])
        return samplers.sample(eps_fn, self.schedule, x_T, self.timesteps(steps), **options)

    def noise(self, n, generator):
        """Return n images of noise, (n,C,H,W). generator: as in `noise_like`."""
        return noise_like(torch.empty(n, *self.model.image_shape, device=self.model.device),
                          generator)

    def timesteps(self, steps):
        """Return the timesteps of so many steps; None: the course's levels."""
        T = self.schedule.T
        return schedule.evenly(T, min(steps, T)) if steps else self.levels

    def describe_steps(self, steps):
        """Return a number of steps for a caption; None: the course's levels."""
        if steps:
            return f"{min(steps, self.schedule.T)} steps"
        return f"{len(self.levels) - 1} strided steps"

    def large(self, x, prompts=None, steps=20):
        """Return images x, first stage, enlarged by the second, which is guided by the prompts."""
        second = self.second_stage
        how = own(second, OutputOptions)
        return upsampler.upsample(
            second, x.clamp(*self.model.data_range), prompts, steps=min(steps, second.schedule.T),
            level=how.upsample_level, gamma=how.upsample_gamma, held=how.upsample_held,
            **own(second).sampling(second),
        )

    def hints(self, prompt, n):
        """Return what the second stage is given with n images of a prompt: sentences only."""
        return [prompt if self.sentences else ""] * n

    def labels(self, prompts):
        """Return prompts as a grid's labels, none where they are sentences."""
        return () if self.sentences else tuple(prompts)

    def save(self, path, x, caption, columns, row_labels=(), column_labels=()):
        """Write images x in the data range as a grid; return the path. A single column is laid on
        its side."""
        if columns == 1:
            columns, row_labels, column_labels = len(x), (), row_labels
        scale = self.scales[x.shape[1:] != self.model.image_shape]
        save_grid(path, self.model.to_unit(x).cpu(), f"{caption}; seed 0; {self.model.summary}",
                  columns, row_labels, column_labels, scale=scale)
        return path

    def upsampled(self, path, x, caption, columns, *, prompts=None, see=None, **labels):
        """Enlarge images x and draw them; yield the path, or nothing without a second stage. see:
        draws them again below, seen in another way. labels: of `save`."""
        if self.second_stage is None:
            return
        large = self.large(x, prompts)
        steps = min(20, self.second_stage.schedule.T)
        caption = f"upsampled by {self.second_stage.summary}, {steps} steps: {caption}"
        shown = large if see is None else torch.cat([large, see(large)])
        yield self.save(path, shown, caption, columns, **labels)

    def read(self, *pairs):
        """Return in words how many images show their prompts, "" without a judge. pairs: (images,
        prompt) twice, the same images seen in two ways."""
        found = [self.matches(x, prompt) for x, prompt in pairs]
        if found[0] is None:
            return ""
        a, b, both = (f"{hits.float().mean():.0%}" for hits in (*found, found[0] & found[1]))
        return f"of {len(found[0])} the judge reads {a} and {b}, both in {both}; "
