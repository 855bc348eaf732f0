"""Models and checkpoints with random weights."""

import torch

from minidiff.files import checkpoint
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet


def stored(path, kind="uncond", epoch=1, seed=0, classes=0, **more):
    """Write a checkpoint with random weights; return its network. more: further entries."""
    torch.manual_seed(seed)
    arguments = {"width": 4, "time": True, "classes": classes}
    network = UNet(**arguments)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, {
        "kind": kind, "network": arguments, "weights": network.state_dict(), "config": {"T": 50},
        "dataset": "strokes", "epoch": epoch, "step": 1, **more,
    })
    return network


def unconditional(T=20):
    """Return a model without classes."""
    torch.manual_seed(0)
    return NoiseModel(UNet(4, time=True).eval(), T)


class Recorder(UNet):
    """A UNet that records its inputs, [(x, t), ...], and returns x."""

    def __init__(self):
        super().__init__(2, time=True)
        self.inputs = []

    def forward(self, x, t, c=None):
        self.inputs.append((x, t))
        return x
