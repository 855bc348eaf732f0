"""blocks.py: every block against its definition."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minidiff.network.blocks import (
    Conv,
    ConvBlock,
    DownBlock,
    DownConv,
    FCBlock,
    Flatten,
    Unflatten,
    UpBlock,
    UpConv,
)


@pytest.mark.parametrize(
    "block, shape, result",
    [
        (Conv(3, 5), (2, 3, 28, 28), (2, 5, 28, 28)),
        (DownConv(3, 5), (2, 3, 28, 28), (2, 5, 14, 14)),
        (UpConv(3, 5), (2, 3, 14, 14), (2, 5, 28, 28)),
        (Flatten(), (2, 3, 7, 7), (2, 3, 1, 1)),
        (Unflatten(3), (2, 3, 1, 1), (2, 3, 7, 7)),
        (ConvBlock(3, 5), (2, 3, 28, 28), (2, 5, 28, 28)),
        (DownBlock(3, 5), (2, 3, 28, 28), (2, 5, 14, 14)),
        (UpBlock(3, 5), (2, 3, 14, 14), (2, 5, 28, 28)),
        (FCBlock(3, 5), (2, 3), (2, 5)),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_sizes(block, shape, result):
    """Each block keeps, halves or doubles the image, as the table in the lecture says."""
    assert block(torch.randn(shape)).shape == result


@pytest.mark.parametrize(
    "block, count",
    [
        (Conv(3, 5), 3 * 5 * 9 + 5 + 10),
        (DownConv(3, 5), 3 * 5 * 9 + 5 + 10),
        (UpConv(3, 5), 3 * 5 * 16 + 5 + 10),
        (Flatten(), 0),
        (Unflatten(3), 3 * 3 * 49 + 3 + 6),
        (ConvBlock(3, 5), (3 * 5 + 5 * 5) * 9 + 2 * 15),
        (DownBlock(3, 5), (3 * 5 + 2 * 5 * 5) * 9 + 3 * 15),
        (UpBlock(3, 5), 3 * 5 * 16 + 2 * 5 * 5 * 9 + 3 * 15),
        (FCBlock(3, 5), 3 * 5 + 5 + 5 * 5 + 5),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_parameter_counts(block, count):
    """Kernel sizes, biases and norms, counted by hand."""
    assert sum(p.numel() for p in block.parameters()) == count


CONVOLUTIONS = {  # the block, its input's height and width, its convolution written out
    "Conv": (Conv(2, 3), 7, lambda x, w, b: F.conv2d(x, w, b, padding=1)),
    "DownConv": (DownConv(2, 3), 8, lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1)),
    "UpConv": (UpConv(2, 3), 4, lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1)),
    "Unflatten": (Unflatten(3), 1, lambda x, w, b: torch.einsum("bihw,iokl->bokl", x, w)
                  + b.view(1, 3, 1, 1)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_in_eval_mode_is_its_formula(name):
    """GELU(BatchNorm(conv)), computed here from the weights and the running statistics."""
    block, side, convolve = CONVOLUTIONS[name]
    x = torch.randn(4, block[0].in_channels, side, side)
    block(x)  # moves the running statistics away from 0 and 1
    conv, norm, _ = block.eval()
    y = convolve(x, conv.weight, conv.bias)
    mean, var = norm.running_mean.view(1, 3, 1, 1), norm.running_var.view(1, 3, 1, 1)
    assert torch.allclose(block(x), F.gelu((y - mean) / (var + norm.eps).sqrt()), atol=1e-5)


def test_flatten_is_the_gelu_of_the_mean():
    """Mean over all 49 positions first, then GELU; the other order gives something else."""
    x = torch.randn(2, 3, 7, 7)
    assert torch.allclose(Flatten()(x), F.gelu(x.mean((2, 3), keepdim=True)), atol=1e-6)
    assert not torch.allclose(Flatten()(x), F.gelu(x).mean((2, 3), keepdim=True), atol=0.1)


def test_fcblock_can_return_both_signs():
    """No activation at the end: a scale or a shift must be free to be negative."""
    y = FCBlock(1, 64)(torch.linspace(-1, 1, 50)[:, None])
    assert y.min() < -0.1 and y.max() > 0.1
    assert isinstance(FCBlock(1, 2)[-1], nn.Linear)
