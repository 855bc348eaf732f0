"""blocks.py: every brick against its definition."""

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
    "brick, shape, result",
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
def test_sizes(brick, shape, result):
    """Each brick keeps, halves or doubles the picture as its table says."""
    assert brick(torch.randn(shape)).shape == result


@pytest.mark.parametrize(
    "brick, count",
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
def test_parameter_counts(brick, count):
    """Kernel sizes, biases and norms, counted by hand."""
    assert sum(p.numel() for p in brick.parameters()) == count


def test_conv_in_eval_mode_is_its_formula():
    """GELU(BatchNorm(conv)): computed here from the weights, with running statistics."""
    brick = Conv(2, 3)
    x = torch.randn(4, 2, 7, 7)
    brick(x)  # moves the running statistics off 0 and 1
    brick.eval()
    conv, norm, _ = brick
    y = F.conv2d(x, conv.weight, conv.bias, padding=1)
    mean, var = norm.running_mean.view(1, 3, 1, 1), norm.running_var.view(1, 3, 1, 1)
    assert torch.allclose(brick(x), F.gelu((y - mean) / (var + norm.eps).sqrt()), atol=1e-5)


def test_flatten_is_the_gelu_of_the_mean():
    """Mean over all 49 places first, GELU after."""
    x = torch.randn(2, 3, 7, 7)
    assert torch.allclose(Flatten()(x), F.gelu(x.mean((2, 3), keepdim=True)), atol=1e-6)


def test_fcblock_can_return_both_signs():
    """No activation at the end: a scale or a shift must be free to be negative."""
    y = FCBlock(1, 64)(torch.linspace(-1, 1, 50)[:, None])
    assert y.min() < -0.1 and y.max() > 0.1
    assert isinstance(FCBlock(1, 2)[-1], nn.Linear)
