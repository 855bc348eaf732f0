"""Training from Python, on your own tensors or on a data set by name.

    run = minidiff.train(images, labels, epochs=2)      # (N,H,W) or (N,C,H,W); numbers or names
    run = minidiff.train("folder:my-images", size=32)   # or mnist, cifar10, doodles ...
    for p in run:
        print(p.step, p.loss)
    run.model.sample(...)                               # p.model is the same, while it trains
    run.model.save("mine.pt")
    run.save("run.pt")                                  # to go on: train(..., resume="run.pt")

What decides the weights is a Recipe (training/recipe.py), whose fields can be given by name.
"""

import difflib
import numbers
import os
from collections.abc import Iterator
from dataclasses import fields, replace

import torch

from minidiff.api.inputs import tensor
from minidiff.api.pipeline import Pipeline, save
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.data.folder import labelled
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.system import hardware
from minidiff.training import start
from minidiff.training.kinds import KINDS
from minidiff.training.loop import Progress, Training, fit, steps_per_epoch
from minidiff.training.recipe import RECIPES, Recipe, for_images

NAME = "own images"  # of the data set, in captions
SAMPLED = [kind for kind in KINDS if kind in zoo.DIFFUSIONS + zoo.FLOWS]


class Reached(Progress):
    """A Progress, with the model as it is then, ready to sample from."""

    model = None


class Run:
    """A training that runs while it is iterated over; `model` is usable at any time."""

    def __init__(self, training: Training, kind: str, data: Dataset):
        self.training, self.kind, self.data = training, kind, data
        self.about = catalog.about(data)

    def __iter__(self) -> Iterator[Reached]:
        for progress in fit(self.training, self.data):
            self.training.final.eval()  # which `fit` undoes
            reached = Reached(*progress)
            reached.model = self.model
            yield reached
        self.training.final.eval()

    @property
    def model(self) -> Pipeline:
        """The model with the present weights, in float32."""
        model = type(self.training.model)(self.training.final.eval(),
                                          **self.training.model.description())
        model.kind, model.dataset = self.kind, self.training.cfg.dataset
        model.summary = f"{self.kind} (D={self.training.cfg.width}), {model.dataset}"
        vars(model).update(self.about)
        return Pipeline(model, self.content)

    def content(self) -> dict:
        """Return what a checkpoint of this training holds."""
        return start.content(self.training, self.kind, KINDS[self.kind][0], self.data)

    def save(self, path) -> None:
        """Write the model with all that continuing needs, at the end of an epoch. Raises ValueError
        in the middle of one, and for a path that cannot be written."""
        now = self.training
        if now.step != now.epoch * steps_per_epoch(len(self.data), now.cfg.batch_size):
            raise ValueError("a run is saved at the end of an epoch, where p.epoch_ended is true")
        save(path, {**self.content(), "training": now.state_dict()})


def train(images, labels=None, *, kind="", captions=False, device="auto", data_dir="", resume="",
          **recipe) -> Run:
    """Return a training on images, which runs while it is iterated over.

    images: torch or numpy, or a list of them, (N,H,W), (N,C,H,W) or (N,H,W,3), square, the side a
    multiple of 4; uint8 or floats in [0, 1]. Or the name of a data set, "folder:PATH", "mnist" ...
    labels: N whole numbers or names of classes; default: none. captions: labels are sentences.
    kind: "class", "flow", "uncond", "flow-uncond" or "doodles"; default: "class" with labels, else
    "uncond". device: "auto", "cpu", "cuda", "mps". data_dir: of data sets. resume: a file of
    `Run.save`, to go on from, perhaps with more epochs. recipe: fields of Recipe, such as epochs,
    width, lr, seed, flip; default: those of the recipe that fits the device. Raises ValueError for
    values that do not fit.
    """
    device, typed = hardware.pick_device(str(device)), _fields(recipe)
    named, found = isinstance(images, (str, os.PathLike)), checkpoint.load(resume) if resume else {}
    cfg = _resumed(found, typed) if found else Recipe(**typed)
    cfg = replace(cfg, dataset=str(images) if named else NAME)
    if named:
        if labels is not None:
            raise ValueError(f"labels were given, but the data set {images!r} has its own; leave "
                             "them out")
        data = start.load_sets(cfg, device, data_dir)["train"]
    else:
        if cfg.size or cfg.colour != "auto":
            raise ValueError("size and colour are of use with folder:PATH only; leave them out")
        data = start.limited(_labelled(as_bytes(images), labels, captions).to(device), cfg.limit)
    kind = found.get("kind") or kind or (
        "doodles" if data.name == "doodles" else "class" if data.words else "uncond")
    if kind not in SAMPLED:
        raise ValueError(f"unknown kind {kind!r}; choose from: {', '.join(SAMPLED)}")
    if labels is not None and "uncond" in kind:
        raise ValueError(f"labels were given, but kind {kind!r} uses none; leave them out")
    if not found:
        name = cfg.recipe
        name = ("full" if device.type == "cuda" else "laptop") if name == "auto" else name
        cfg = Recipe(**{**RECIPES[kind][name], **typed, "recipe": name, "dataset": data.name})
        cfg = replace(cfg, precision=hardware.pick_precision(cfg.precision, device))
        cfg = for_images(cfg, data, typed)
    data = replace(data, flips=cfg.flip)
    training = start.begin(kind, *KINDS[kind], cfg, data, found and zoo.description(found, resume))
    if found:
        start.restore(training, found)
        if training.step != training.epoch * steps_per_epoch(len(data), cfg.batch_size):
            raise ValueError(f"{resume} was trained on another number of images; give the same")
    elif cfg.init:
        start.initialise(training, kind, cfg.arguments(KINDS[kind][0](data)))
    return Run(training, kind, data)


def _fields(recipe: dict) -> dict:
    """Return fields of Recipe as plain values. Raises ValueError for one that does not exist."""
    names = [field.name for field in fields(Recipe) if field.name != "dataset"]
    if wrong := next((name for name in recipe if name not in names), None):
        near = difflib.get_close_matches(wrong, names, 1)
        hint = "name the data set in place of the images" if wrong == "dataset" else (
            f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")
        raise ValueError(f"a recipe has no {wrong!r}; {hint}")
    return {k: v.item() if hasattr(v, "item") else v for k, v in recipe.items()}


def _resumed(found, typed: dict) -> Recipe:
    """Return the recipe of a saved run, perhaps with more epochs; ValueError for other changes."""
    if "training" not in found:
        raise ValueError(f"{found.file} holds a model, not a run; write it with Run.save")
    before = Recipe.stored(found["config"], found.file)
    if changed := [k for k, v in typed.items() if k != "epochs" and v != getattr(before, k)]:
        raise ValueError(f"a run goes on with its own settings; leave out {', '.join(changed)}")
    return replace(before, epochs=max(before.epochs, typed.get("epochs", 0)))


def _labelled(pixels, labels, captions) -> Dataset:
    """Return a Dataset of images, uint8 (N,C,H,W), and labels of any form that can be read."""
    if isinstance(labels, str):
        raise ValueError(f"labels are a list, one for each image, got the text {labels!r:.40}")
    values = [""] * len(pixels) if labels is None else labels
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(values) != len(pixels):
        raise ValueError(f"there are {len(pixels)} images, but {len(values)} labels")
    for v in values:
        if isinstance(v, bool) or not isinstance(v, (str, numbers.Integral)) and not (
                isinstance(v, torch.Tensor) and v.dim() == 0 and not v.is_floating_point()):
            raise ValueError("a label is a whole number or a name, one for each image; got "
                             f"{v!r:.40}")
    texts = [v if isinstance(v, str) else str(int(v)) for v in values]
    return labelled(NAME, pixels, texts, not captions)


def as_bytes(images) -> torch.Tensor:
    """Return images as uint8 (N,C,H,W). Raises ValueError for those that are not square or have a
    side that is no multiple of 4, for other channels than 1 or 3, and for values out of range."""
    x = tensor(images, "images")
    x = x[:, None] if x.dim() == 3 else x
    if x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    if x.dim() != 4 or x.shape[1] not in (1, 3) or len(x) < 2:
        raise ValueError("images must be (N,H,W), (N,C,H,W) or (N,H,W,C), with 1 or 3 channels, "
                         f"at least 2 of them; got {tuple(x.shape)}")
    if x.shape[2] != x.shape[3] or x.shape[2] % 4 or not x.shape[2]:
        raise ValueError("images must be square, their side a multiple of 4 pixels; got "
                         f"{x.shape[2]} x {x.shape[3]}")
    if x.is_floating_point():
        if not (x.isfinite().all() and x.min() >= -0.001 and x.max() <= 1.001):
            raise ValueError("images of floats have values in [0, 1]; scale them, or give bytes")
        return (255 * x.clamp(0, 1)).round().byte().contiguous()
    if x.dtype != torch.uint8:
        raise ValueError(f"images are uint8, 0..255, or floats in [0, 1]; got {x.dtype}")
    return x.contiguous()
