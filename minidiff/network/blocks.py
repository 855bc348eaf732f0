"""4a. The building blocks of the UNet: small stacks of layers.

    block            made of                                              image (height x width)
    Conv(i, o)       3x3 convolution, BatchNorm, GELU                     same size
    DownConv(i, o)   3x3 convolution with stride 2, BatchNorm, GELU       halves
    UpConv(i, o)     4x4 transposed convolution, stride 2, BN, GELU       doubles
    Flatten(n)       n x n mean, GELU; no parameters                      nxn -> 1x1
    Unflatten(c, n)  n x n transposed convolution, BatchNorm, GELU        1x1 -> nxn
    ConvBlock        Conv, Conv                                           same size
    DownBlock        DownConv, ConvBlock                                  halves
    UpBlock          UpConv, ConvBlock                                    doubles
    FCBlock(i, o)    Linear, GELU, Linear; for a condition, not an image

Each block is a Sequential, so its constructor reads like its forward pass. i and o are the numbers
of channels in and out. A convolution before BatchNorm keeps its bias, as it does in the course.

BatchNorm behaves differently in training and evaluation. In training it normalises by the current
batch and updates running statistics; in `eval()` it uses those. Left in training mode while
sampling, a network returns images that depend on their neighbours, and its statistics drift.

Once its statistics are fixed, BatchNorm only scales and shifts each channel, which the convolution
W x + b before it can do as well. `folded` merges the two, which saves time in sampling:

    gain = weight / sqrt(var + epsilon)
    gain · (W x + b − mean) + bias = (gain · W) x + gain · (b − mean) + bias

FCBlock ends without an activation: it scales or shifts features, and both signs must be possible.

Source: the UNet of UC Berkeley CS180, project 5 (Fall 2024).

Exercises
1. How many parameters does Conv(3, 5) have? And Unflatten(3)? Count by hand.
   test_blocks.py: test_parameter_counts
2. Swap mean and GELU in Flatten. Is the result the same?
   test_blocks.py: test_flatten_is_the_gelu_of_the_mean
3. End FCBlock with a GELU. What can its output then no longer do to a channel?
   test_blocks.py: test_fcblock_can_return_both_signs
Next: network/unet.py
"""

from copy import deepcopy

import torch
from torch import nn


class Conv(nn.Sequential):
    """3x3 convolution, BatchNorm, GELU: (B,i,H,W) -> (B,o,H,W)."""

    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.GELU())


class DownConv(nn.Sequential):
    """3x3 convolution of stride 2, BatchNorm, GELU: (B,i,H,W) -> (B,o,H/2,W/2)."""

    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.GELU())


class UpConv(nn.Sequential):
    """4x4 transposed convolution of stride 2, BatchNorm, GELU: (B,i,H,W) -> (B,o,2H,2W)."""

    def __init__(self, i, o):
        super().__init__(nn.ConvTranspose2d(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.GELU())


class Flatten(nn.Sequential):
    """Mean over n x n, GELU: (B,c,n,n) -> (B,c,1,1). No parameters."""

    def __init__(self, n=7):
        super().__init__(nn.AvgPool2d(n), nn.GELU())


class Unflatten(nn.Sequential):
    """n x n transposed convolution, BatchNorm, GELU: (B,c,1,1) -> (B,c,n,n)."""

    def __init__(self, c, n=7):
        super().__init__(nn.ConvTranspose2d(c, c, n, n, 0), nn.BatchNorm2d(c), nn.GELU())


class ConvBlock(nn.Sequential):
    """Conv, Conv: (B,i,H,W) -> (B,o,H,W)."""

    def __init__(self, i, o):
        super().__init__(Conv(i, o), Conv(o, o))


class DownBlock(nn.Sequential):
    """DownConv, ConvBlock: (B,i,H,W) -> (B,o,H/2,W/2)."""

    def __init__(self, i, o):
        super().__init__(DownConv(i, o), ConvBlock(o, o))


class UpBlock(nn.Sequential):
    """UpConv, ConvBlock: (B,i,H,W) -> (B,o,2H,2W)."""

    def __init__(self, i, o):
        super().__init__(UpConv(i, o), ConvBlock(o, o))


class FCBlock(nn.Sequential):
    """Linear, GELU, Linear: (B,i) -> (B,o)."""

    def __init__(self, i, o):
        super().__init__(nn.Linear(i, o), nn.GELU(), nn.Linear(o, o))


@torch.no_grad()
def folded(network):
    """Return a copy of a network for sampling, each BatchNorm merged into its convolution.

    It computes the same as the network in eval mode, up to rounding, and can't be trained.
    """
    network = deepcopy(network).eval()
    for block in network.modules():
        if isinstance(block, Conv | DownConv | UpConv | Unflatten):
            conv, norm = block[0], block[1]
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            transposed = isinstance(conv, nn.ConvTranspose2d)  # its weight is (in, out, k, k)
            conv.weight.mul_(gain.view((1, -1, 1, 1) if transposed else (-1, 1, 1, 1)))
            conv.bias.copy_(gain * (conv.bias - norm.running_mean) + norm.bias)
            block[1] = nn.Identity()
    return network
