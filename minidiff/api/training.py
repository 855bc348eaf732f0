"""Training from Python, on your own tensors.

    run = minidiff.train(images, labels, epochs=2)      # (N,H,W) or (N,C,H,W); numbers or names
    for p in run:
        print(p.step, p.loss)
    run.model.sample(...)                               # p.model is the same, while it trains
    run.model.save("mine.pt")

What decides the weights is a Recipe (training/recipe.py), whose fields can be given by name.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial

import torch

from minidiff.api.pipeline import Pipeline
from minidiff.data.dataset import Dataset
from minidiff.data.folder import labelled
from minidiff.models import zoo
from minidiff.network.registry import build
from minidiff.system import hardware
from minidiff.training.kinds import KINDS
from minidiff.training.loop import Progress, Training, fit
from minidiff.training.recipe import RECIPES, Recipe, for_images

NAME = "own images"  # of the data set, in captions


class Reached(Progress):
    """A Progress, with the model as it is then, ready to sample from."""

    model = None


class Run:
    """A training that runs while it is iterated over; `model` is usable at any time."""

    def __init__(self, training: Training, kind: str, data: Dataset, network: dict):
        self.training, self.kind, self.data, self.network = training, kind, data, network

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
        model.kind, model.dataset = self.kind, NAME
        model.summary = f"{self.kind} (D={self.network['width']}), {NAME}"
        return Pipeline(model, self.content)

    def content(self) -> dict:
        """Return what a checkpoint of this training holds."""
        now, device = self.training, self.training.device
        return {
            "kind": self.kind, "network": self.network, "weights": now.final.state_dict(),
            "model": now.model.description(), "config": asdict(now.cfg), "dataset": NAME,
            "epoch": now.epoch, "step": now.step, "device": device.type,
            "hardware": hardware.describe(device),
        }


def train(images, labels=None, *, kind="", captions=False, device="auto", **recipe) -> Run:
    """Return a training on images, which runs while it is iterated over.

    images: torch or numpy, (N,H,W), (N,C,H,W) or (N,H,W,3), square, the side a multiple of 4;
    uint8 or floats in [0, 1]. labels: N numbers or names of classes; default: none. captions:
    labels are sentences. kind: "class", "flow", "uncond" or "flow-uncond"; default: "class" with
    labels, else "uncond". device: "auto", "cpu", "cuda", "mps". recipe: fields of Recipe, such as
    epochs, width, lr, seed, flip; default: those of the recipe that fits the device. Raises
    ValueError for values that do not fit.
    """
    kind = kind or ("uncond" if labels is None else "class")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; choose from: {', '.join(KINDS)}")
    device, pixels = hardware.pick_device(str(device)), as_bytes(images)
    values = [""] * len(pixels) if labels is None else labels
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(values) != len(pixels):
        raise ValueError(f"there are {len(pixels)} images, but {len(values)} labels")
    data = labelled(NAME, pixels, [str(v) for v in values], not captions).to(device)
    name = "full" if device.type == "cuda" else "laptop"
    cfg = Recipe(**{**RECIPES[kind][name], "recipe": name, "dataset": NAME, **recipe})
    cfg = replace(cfg, precision=hardware.pick_precision(cfg.precision, device))
    cfg = for_images(cfg, len(data), recipe)
    arguments, loss = KINDS[kind]
    network = {"width": cfg.width, **arguments(data)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.seed)
        made = build(kind, network).to(device, memory_format=hardware.memory_format(device))
    about = {"words": data.words, "data_range": data.data_range, "T": cfg.T}
    about |= {"schedule": cfg.schedule, "predict": cfg.predict}
    model = zoo.MODELS[kind](made, **about, precision=cfg.precision)
    data = replace(data, flips=cfg.flip)
    return Run(Training(model, partial(loss, cfg=cfg), cfg), kind, data, network)


def as_bytes(images) -> torch.Tensor:
    """Return images as uint8 (N,C,H,W). Raises ValueError for those that are not square or have a
    side that is no multiple of 4, for other channels than 1 or 3, and for values out of range."""
    x = images.detach() if isinstance(images, torch.Tensor) else torch.tensor(images)
    x = x[:, None] if x.dim() == 3 else x
    if x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    if x.dim() != 4 or x.shape[1] not in (1, 3) or len(x) < 2:
        raise ValueError("images must be (N,H,W), (N,C,H,W) or (N,H,W,C), with 1 or 3 channels, "
                         f"at least 2 of them; got {tuple(x.shape)}")
    if x.shape[2] != x.shape[3] or x.shape[2] % 4:
        raise ValueError("images must be square, their side a multiple of 4 pixels; got "
                         f"{x.shape[2]} x {x.shape[3]}")
    if x.is_floating_point():
        if not (x.isfinite().all() and x.min() >= -0.001 and x.max() <= 1.001):
            raise ValueError("images of floats have values in [0, 1]; scale them, or give bytes")
        return (255 * x.clamp(0, 1)).round().byte().contiguous()
    if x.dtype != torch.uint8:
        raise ValueError(f"images are uint8, 0..255, or floats in [0, 1]; got {x.dtype}")
    return x.contiguous()
