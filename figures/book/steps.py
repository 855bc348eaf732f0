"""One training step and one sampling step of chapter 1, line by line, with the values of a run.

The functions of train/first.py run as they are, and Python's own tracing reports which line is
next. What a line has changed is found by comparing what was there before. So these pages cannot go
out of date.
"""

import base64
import inspect
import io
import sys
from contextlib import suppress
from typing import NamedTuple

import torch

from minidiff.data import strokes
from minidiff.files import images
from minidiff.models import zoo
from minidiff.network.unet import UNet
from train import first

DIGITS, STEP = (3, 8, 5, 0), 60  # of the training batch; the sampling step that is shown


class Value(NamedTuple):
    """What a line has made: a name, a description, and an image as a data address, or ""."""

    name: str
    text: str
    image: str = ""


class Line(NamedTuple):
    """A line that was run: its row in the file, from 1, and what it has made."""

    row: int
    values: list


class _Over(Exception):
    """All lines to be reported have been run."""


def describe(name, value):
    """Return a Value for a tensor or a number, None for anything else."""
    if isinstance(value, int | float):
        return Value(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    if not torch.is_tensor(value):
        return None
    value, about = value.detach(), f"{str(value.dtype)[6:]} {tuple(value.shape)}"
    if value.numel() <= 4:
        return Value(name, f"{about}: {', '.join(f'{v:.4g}' for v in value.flatten().tolist())}")
    wide = value.float()
    text = (f"{about}: mean {wide.mean():.3g}, deviation {wide.std():.3g}, from {wide.min():.3g} "
            f"to {wide.max():.3g}")
    return Value(name, text, picture(wide) if value.dim() == 4 and value.shape[-1] == 28 else "")


def picture(x):
    """Return images (B,1,28,28) as the address of a PNG, black and white at the extremes."""
    file = io.BytesIO()
    images.sheet((x - x.min()) / (x.max() - x.min()), scale=3).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def traced(functions, run, watched=dict, during=lambda known: True):
    """Call run() and return the Lines of these functions, in the order they were run.

    watched: () -> {name: tensor} of what else may change. during: whether to report a line, given
    the local variables before it; the run is stopped after the last such line.
    """
    codes, lines, last = {inspect.unwrap(f).__code__ for f in functions}, [], {}

    def known(frame):
        found = {**frame.f_locals, **watched()}
        return {name: (value, getattr(value, "_version", 0)) for name, value in found.items()}

    def local(frame, event, arg):
        now = known(frame)
        if frame in last:
            line, before = last.pop(frame)
            new = [describe(name, value) for name, (value, version) in now.items() if name not in
                   before or before[name][0] is not value or before[name][1] != version]
            if event == "return":
                new.append(describe("returned", arg))
            line.values.extend(filter(None, new))
        if event == "line" and during(frame.f_locals):
            lines.append(Line(frame.f_lineno, []))
            last[frame] = lines[-1], now
        elif event == "line" and lines:
            raise _Over
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: local if frame.f_code in codes else None)
    try:
        with suppress(_Over):
            run()
    finally:
        sys.settrace(before)
    return lines


def training():
    """Return the Lines of the first step of a training on four digits."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network, labels = UNet(16, **first.NETWORK), torch.tensor(DIGITS)
        x_0 = strokes.draw(labels, generator=torch.Generator().manual_seed(1)).float() / 255
        weight = network.enter[0][0].weight

        def watched():
            name = "network.enter[0][0].weight"
            return {f"{name}.grad": weight.grad, name: weight}

        return traced((first.train, first.loss),
                      lambda: next(first.train(network, [(x_0, labels)])), watched)


def sampling():
    """Return the Lines of one step of sampling a 3 with the shipped weights."""
    network = zoo.load_model(str(zoo.snapshots("class")[-1])).network
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return traced((first.sample,), lambda: first.sample(network, torch.tensor([3]), 3.0),
                      during=lambda known: known.get("k") == STEP - 1)
