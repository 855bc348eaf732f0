"""Models from Python: load one, sample from it, look at the result, save it.

    import minidiff
    model = minidiff.load("class")                               # or a run's folder, or a file
    images = model.sample(["3", "8"], steps=20, gamma=2, seed=0) # (2,1,28,28) in [0, 1]
    minidiff.show(images)                                        # a notebook shows it
    model.save("mine.pt")

The options are those of the sampling scripts, with the same defaults: the same seed gives the same
pixels. Images may be edited (edits.py), and a model trained on tensors (training.py).
"""

import copy
import numbers
import os
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from minidiff.api.inputs import tensor
from minidiff.evaluation.judge import check_data
from minidiff.evaluation.metrics import check_finite
from minidiff.files import checkpoint
from minidiff.models import upsampler, zoo
from minidiff.models.generate import generate
from minidiff.models.model import UNGUIDED, Model
from minidiff.models.options import LARGE, SampleOptions, options_for
from minidiff.system import cli, hardware

OPTIONS = ("steps", "gamma", "guide_until", "negative", "sampler", "variance", "eta", "clip",
           "seed")


class States:
    """The States of a sampling, one after the other, with images in [0, 1], a little outside on the
    way. Its length is how many there are in all."""

    def __init__(self, model, states, count):
        def _in_unit(state):
            t, *found = state
            return type(state)(t, *(x if x is None else model.to_unit(x) for x in found))

        self.states, self.count = map(_in_unit, states), count

    def __len__(self):
        return self.count

    def __iter__(self):
        return self.states

    def __next__(self):
        return next(self.states)


class Pipeline:
    """A model together with how it is sampled. It can be used wherever a model (models/model.py)
    can: what is not here is the model's.

    model: under the contract. content: a function that returns what `save` writes. settled: the
    options that hold where none are given; default: those that suit the model.
    """

    def __init__(self, model, content: Callable[[], dict], settled: SampleOptions | None = None):
        self.model, self._content, self._settled, self._second = model, content, settled, None

    def __getattr__(self, name):
        if name in ("model", "_content", "_settled", "_second"):  # while it is copied
            raise AttributeError(name)
        return getattr(self.model, name)

    def __call__(self, *inputs):
        return self.model(*inputs)

    def __repr__(self):
        return f"<minidiff model: {self.model.summary}>"

    def options(self, suited=None, **given) -> SampleOptions:
        """Return all options of sampling: the given ones, else the settled ones, else those that
        suit the task (suited, a dict) or the model, else the defaults. Raises ValueError for one
        that does not exist, or that this model has no use for."""
        unused = {*self.model.ignored, *(() if self.model.conditional else (*UNGUIDED, "negative"))}
        if wrong := sorted(given.keys() - {*OPTIONS} | given.keys() & unused):
            left = ", ".join(name for name in OPTIONS if name not in unused)
            raise ValueError(f"this model has no option {', '.join(wrong)}; there are {left}")
        given = {k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()}
        options = (replace(self._settled, **given) if self._settled else
                   options_for(self.model, suited, **given))
        try:
            cli.check_needs(given, [options])
        except ValueError as e:  # in the command line's words
            raise ValueError(str(e).replace("--", "")) from None
        return options

    def prompts(self, prompts=None) -> list[str]:
        """Return a list of prompts. prompts: a list, one, or a number of images without prompt;
        default: names of classes, or examples, or one of each word that the model knows. Raises
        ValueError for anything else, and for none at all."""
        if prompts is None:
            prompts = list(self.model.examples[:20] or self.model.vocabulary.words) or 1
        if isinstance(prompts, numbers.Integral) and not isinstance(prompts, bool):
            prompts = [""] * int(prompts)
        found = [prompts] if isinstance(prompts, str) else list(
            prompts if isinstance(prompts, Iterable) else [prompts])
        if wrong := [prompt for prompt in found if not isinstance(prompt, str)]:
            raise ValueError(f"a prompt is a text, such as '3', got {wrong[0]!r:.40}")
        if not found:
            raise ValueError("there is nothing to generate; give at least one prompt, or a number "
                             "of images above 0")
        return [str(prompt) for prompt in found]

    def states(self, prompts=None, **options) -> States:
        """Return every State of sampling an image for each prompt, steps + 1 of them, with images
        float32 (N,C,H,W). prompts, options: of `sample`."""
        prompts, options = self.prompts(prompts), self.options(**options)
        found = generate(self.model, prompts, steps=options.steps, seed=options.seed,
                         **options.guidance, **options.sampling(self.model))
        return States(self.model, found, options.steps + 1)

    def sample(self, prompts=None, *, progress=True, callback=None, **options) -> torch.Tensor:
        """Return an image for each prompt, float32 (N,C,H,W) in [0, 1], on the CPU.

        prompts: a list of str, "" for none; one str; or how many images without a prompt. progress:
        show a bar. callback: a function that gets each State. options: steps, gamma, guide_until,
        negative, sampler, variance, eta, clip, seed. Raises ValueError for values that do not fit
        the model.
        """
        return last(self.states(prompts, **options), progress, callback)

    def second(self):
        """Return the second stage, the model that enlarges this one's images, loaded once: the
        newest run or, if there is none, the shipped one. Raises ValueError if there is none."""
        if self._second is None and self.model.kind == "deepfloyd":
            large = {name: getattr(self.options(), name) for name in LARGE}
            self._second = zoo.load_model("deepfloyd", self.model.device, stage=2, **large,
                                          texts=self.model.texts, half=self.model.half)
        elif self._second is None:
            kind = zoo.SECOND.get(self.model.dataset, "upsampler")
            precision = str(self.model.format).removeprefix("torch.")
            found = zoo.load_model("", self.model.device, precision, (kind,))
            check_data("the second stage", found.dataset, self.model.dataset,
                       "train one on the same data, or leave the images as they are")
            self._second = found
        return self._second

    def upsample(self, images, prompts=None, *, seed=0, **options) -> torch.Tensor:
        """Return images, float (N,C,H,W) in [0, 1], enlarged by the second stage, on the CPU.

        prompts: of the images, the default none. options: steps, level, gamma, held, of `upsample`
        in models/upsampler.py. Raises ValueError where there is no second stage for this model.
        """
        model, images = self.second(), tensor(images).float()
        prompts = self.prompts(len(images) if prompts is None else prompts)
        if wrong := options.keys() - {"steps", "level", "gamma", "held"}:
            raise ValueError(f"upsampling has no option {', '.join(sorted(wrong))}; there are "
                             "steps, level, gamma, held")
        if images.dim() != 4 or len(images) != len(prompts):
            raise ValueError(f"expected images (N,C,H,W) and N prompts, got {tuple(images.shape)} "
                             f"and {len(prompts)}")
        if model.kind == "deepfloyd":
            options |= self.options().sampling(model)
        large = model.to_unit(upsampler.upsample(
            model, model.from_unit(images.clamp(0, 1)), prompts, seed=int(seed), **options))
        check_finite(large)
        return large.cpu()

    def to(self, device) -> "Pipeline":
        """Return the same model on another device. Raises ValueError for one that is not there."""
        if self.model.kind == "deepfloyd":
            raise ValueError("deepfloyd stays where it is; load it again, with device=...")
        model, device = copy.copy(self.model), hardware.pick_device(str(device))
        model.network = model.evaluate = copy.deepcopy(model.network).to(device)
        model.schedule, model.device = model.schedule and model.schedule.to(device), device
        return Pipeline(model, self._content, self._settled)

    def save(self, path) -> None:
        """Write the model as one file, which `load` and the scripts read: --model PATH. Raises
        ValueError where it cannot be written."""
        save(path, self._content())


def load(place="class", device="auto", precision="float32") -> Pipeline:
    """Return a model, ready to sample from.

    place: a kind, "class", "uncond", "doodles", "flow" ..., of which it is the newest run or the
    shipped weights; a run's folder; or a file. device: "auto", "cpu", "cuda", "mps". precision:
    "float32", "bfloat16" or "auto". Raises ValueError if there is no such model.
    """
    device = hardware.pick_device(str(device))
    if str(place) == "deepfloyd":
        return Pipeline(zoo.load_model("deepfloyd", device), _nothing)
    kinds = zoo.DIFFUSIONS + zoo.FLOWS
    file = zoo.find(kinds[0], str(place))
    found = checkpoint.load(file)
    precision = hardware.pick_precision(precision, device)
    model = zoo.from_checkpoint(found, file, device, precision, kinds)
    model.file = file
    return Pipeline(model, lambda: {k: v for k, v in found.items() if k != "training"})


def as_pipeline(model) -> Pipeline:
    """Return a model ready to sample from, given one or what `load` takes; ValueError for others.
    """
    if isinstance(model, (str, os.PathLike)):
        return load(model)
    if not isinstance(model, (Pipeline, Model)):
        raise ValueError(f"a model is what minidiff.load returns, or a name, got {model!r:.40}")
    return model if isinstance(model, Pipeline) else Pipeline(model, _nothing)


def save(path, content: dict) -> None:
    """Write a checkpoint. Raises ValueError for a path that cannot be written."""
    path = os.path.expanduser(path)
    checkpoint.save(cli.writable(path, os.path.splitext(path)[1].lower()), content)


def _nothing():
    raise ValueError("this model was not loaded from a file of this project, so it is not saved")


def show(images, columns=None, scale=None):
    """Return images as one Pillow image, in rows; a notebook shows it.

    images: (N,C,H,W), (N,H,W), (C,H,W) or (H,W), C 1 or 3, in numpy (N,H,W,C) too, or a list of
    them; floats in [0, 1], or bytes. columns: images in a row. scale: screen pixels per image
    pixel; default: 2, or 1 for images above 28 pixels. Raises ValueError for anything else.
    """
    from minidiff.files.images import sheet  # it imports matplotlib

    x = tensor(images)
    x = x / 255 if x.dtype == torch.uint8 else x.float()
    x = x[None] if x.dim() == 2 else x
    if x.dim() == 3:
        colour = x.shape[0] == 3 or x.shape[2] == 3
        x = x[None] if colour or len(x) == 1 else x[:, None]
    if x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    return sheet(x, columns, scale or (2 if x.shape[-1] <= 28 else 1))


def last(states: States, progress=True, callback=None) -> torch.Tensor:
    """Go through all states; return the images of the last one, clipped to [0, 1], on the CPU."""
    for state in tqdm(states, unit="step", disable=not progress):
        if callback:
            callback(state)
    check_finite(state.x_t)
    return state.x_t.clamp(0, 1).cpu()
