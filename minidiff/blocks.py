"""The bricks: small stacks of layers that the UNet is built of.

    brick            made of                                              picture (height x width)
    Conv(i, o)       3x3 convolution, BatchNorm, GELU                     stays
    DownConv(i, o)   3x3 convolution with stride 2, BatchNorm, GELU       halves
    UpConv(i, o)     4x4 transposed convolution, stride 2, BN, GELU       doubles
    Flatten()        7x7 mean, GELU; nothing to learn                     7x7 -> 1x1
    Unflatten(c)     7x7 transposed convolution, BatchNorm, GELU          1x1 -> 7x7
    ConvBlock        Conv, Conv                                           stays
    DownBlock        DownConv, ConvBlock                                  halves
    UpBlock          UpConv, ConvBlock                                    doubles
    FCBlock(i, o)    Linear, GELU, Linear; for a condition, no picture

Each brick is a Sequential: reading its constructor is reading its forward pass. i and o are
channels in and out. A convolution before BatchNorm keeps its bias, though the norm subtracts it
again: the parameter counts of the course include it.

BatchNorm has two lives. In training it normalises by the batch at hand and keeps running means;
in `eval()` it uses those, and each picture of a batch is independent of its neighbours. A
network left in training mode while it samples gives pictures that depend on their neighbours,
and drifts: models.py and the training scripts take care to switch.

FCBlock ends without an activation: it scales or shifts features, and both signs must be possible.

Source: the UNet of UC Berkeley CS180, project 5 (Fall 2024).
Next: unet.py
"""

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
    """Mean over 7x7, GELU: (B,c,7,7) -> (B,c,1,1). No parameters."""

    def __init__(self):
        super().__init__(nn.AvgPool2d(7), nn.GELU())


class Unflatten(nn.Sequential):
    """7x7 transposed convolution, BatchNorm, GELU: (B,c,1,1) -> (B,c,7,7)."""

    def __init__(self, c):
        super().__init__(nn.ConvTranspose2d(c, c, 7, 7, 0), nn.BatchNorm2d(c), nn.GELU())


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
