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
FCBlock ends without an activation: it scales or shifts features, and both signs must be possible.
In training, BatchNorm normalises by the current batch and updates running statistics; in `eval()`
it uses those (`folded` derives what that costs). Left in training mode while sampling, a network
returns images that depend on their neighbours, and its statistics drift.

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
    """Mean over n x n, GELU: (B,c,n,n) -> (B,c,1,1). No parameters.

    Derivation: what attention would add. Self-attention turns features v_j at the places j = 1..N
    into weighted means of them, with weights that depend on queries q_i and keys k_j:

        y_i = sum over j of w_j v_j,   w = softmax(q_i · k)

    If all q_i · k_j are equal, so are the weights, 1/N each, and every y_i is the mean taken here.
    So this block is attention that attends to everything alike: each place learns what is in
    the image, but not where. Two eyes that must look alike need to find each other, which attention
    can do. It costs N² weights: 2,401 at 7 x 7, but 614,656 at 28 x 28, so other UNets have it at
    their lowest resolutions. Digits do without: even with this block switched off, the convolutions
    of the UNet alone connect each pixel of its output with all 28 x 28 pixels of its input.

       test_derivations_network.py: test_attention_with_equal_scores_is_the_mean
       test_derivations_network.py: test_without_the_mean_every_pixel_still_sees_all_others
    """

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
    """Linear, GELU, Linear: (B,i) -> (B,o).

    Derivation: why time enters as t/T. One number u = t/T becomes sums of GELU(a u + b), where at
    first |a|, |b| <= 1. Over 0..1 these are gentle curves, so their sums fit what changes slowly,
    such as sqrt(alpha_bar_t), and miss what happens in ten steps of 300. What time must do to a
    channel follows the strength of the noise: slow. So one number suffices, whatever T is. Others
    use sinusoids (DDPM, appendix B), with frequencies w_k that fall from 1 to 1/10,000:

        features = sin(w_k t), cos(w_k t)

    The scalar product of two such vectors depends on the distance of the steps alone,

        sin(w a) sin(w b) + cos(w a) cos(w b) = cos(w (a - b))

    so neighbours are as easy to tell apart at t = 10 as at t = 900, and a linear layer can change
    its mind within a few steps. The price is a long vector, and a network that depends on T.

       test_derivations_network.py: test_slow_functions_of_time_need_no_sinusoids_and_fast_ones_do
       test_derivations_network.py: test_products_of_sinusoids_depend_on_the_distance
    """

    def __init__(self, i, o):
        super().__init__(nn.Linear(i, o), nn.GELU(), nn.Linear(o, o))


@torch.no_grad()
def folded(network):
    """Return a copy of a network for sampling, each BatchNorm merged into its convolution.

    It computes the same as the network in eval mode, up to rounding, and can't be trained.

    Derivation: what BatchNorm costs. In training it subtracts the mean of the batch. If a channel's
    mean has standard deviation d from image to image, that of a batch of B images is off by

        error = d / sqrt(B)

    so an image's output depends on its neighbours, as if noise were added: d/4 at B = 16. In
    diffusion d is large, as images of all noise levels share a batch; it is what GroupNorm, one
    image at a time, avoids. In sampling the statistics are fixed. Then BatchNorm only scales and
    shifts a channel, which the convolution W x + b before it can do as well. Merged, it costs
    nothing; left alone, it is one more pass over memory, 1.09x the time in all (docs/speed.md).

        gain = weight / sqrt(var + 1e-5)
        gain · (W x + b - mean) + bias = (gain · W) x + gain · (b - mean) + bias

       test_derivations_network.py: test_the_mean_of_a_batch_is_off_by_d_over_root_B
       test_unet.py: test_folding_the_norms_changes_nothing_but_rounding
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
