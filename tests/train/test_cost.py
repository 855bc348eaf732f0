"""train/benchmarks/cost.py: operations are counted, hours computed from them."""

import pytest
import torch
from torch import nn

from minidiff.network.unet import UNet
from train.benchmarks import cost


def products(network, *inputs):
    """Count multiplications layer by layer: those of a convolution per pixel, times pixels."""
    found = []

    def count(layer, given, out):
        if isinstance(layer, nn.Linear):
            found.append(layer.weight.numel())
        else:  # a kernel is applied once per output pixel, a transposed one once per input pixel
            at = given[0] if isinstance(layer, nn.ConvTranspose2d) else out
            found.append(layer.weight.numel() * at[0, 0].numel())

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    network(*inputs)
    return found


@pytest.mark.parametrize("size, channels", [(28, (1, 1)), (32, (3, 3))])
def test_operations_are_those_of_the_layers(size, channels):
    """Forward, two for each product counted by hand; backward, twice as many, for the gradients of
    weights and inputs, except for the network's own inputs."""
    network = {"width": 3, "time": 1, "classes": 10, "size": size, "channels": channels}
    unet = UNet(**network)
    inputs = torch.rand(1, channels[0], size, size), torch.rand(1), torch.zeros(1, 10)
    layers = products(unet, *inputs)
    count, forward, both = cost.operations(network)
    assert count == sum(p.numel() for p in unet.parameters())
    assert forward == 2 * sum(layers)
    heads = 3 * channels[0] * 9 * size**2 + (1 + 10) * (2 * 3 + 3)  # first layers of x, t and c
    assert both == 3 * forward - 2 * heads


def test_work_grows_with_pixels_and_with_the_square_of_the_width():
    """Twice the side is four times the work; twice the width almost four times."""
    a, b, c = (cost.operations({"width": D, "time": 1, "classes": 10, "size": size})[2]
               for D, size in ((32, 28), (32, 56), (64, 28)))
    assert b / a == pytest.approx(4, rel=0.001) and 3.9 < c / a < 4


def test_hours_are_operations_over_rate(capsys):
    """100 images of 3.6 x 10^12 operations, twice, on 2 devices at half of 10^12 each take 720 s;
    the table has a row for each network."""
    flags = cost.CostOptions(images=100, epochs=2, devices=2, rate=1.0, share=0.5)
    assert cost.hours(3_600_000_000_000, flags) == pytest.approx(0.2)
    cost.main(["--images", "5", "--epochs", "1"])
    out = capsys.readouterr().out
    assert all(f"| {name} |" in out for name, _ in cost.LADDER) and "assumed" in out
