"""registry.py: from the description in a checkpoint to a network."""

import pytest
import torch

from minidiff.network.classifier import Classifier
from minidiff.network.registry import build, rebuild
from minidiff.network.unet import UNet


def described(network, kind="uncond", **arguments):
    return {"kind": kind, "network": arguments, "weights": network.state_dict()}


@pytest.mark.parametrize("kind, network, arguments", [
    ("denoiser", UNet, {"width": 3}),
    ("class_cond", UNet, {"width": 3, "time": 1, "classes": 10}),
    ("upsampler", UNet, {"width": 3, "time": 2, "size": 56, "channels": (2, 1)}),
    ("classifier", Classifier, {"width": 3}),
])
def test_each_kind_has_its_network(kind, network, arguments):
    """A classifier where the kind says so, else a UNet; its parameters are those of the class."""
    found = build(kind, arguments)
    assert type(found) is network
    expected = network(**arguments).state_dict()
    assert {k: v.shape for k, v in found.state_dict().items()} == {
        k: v.shape for k, v in expected.items()}


def test_the_network_comes_back_bit_for_bit_in_eval_mode():
    """Running statistics included: same input, same output."""
    network = UNet(3, time=True)
    x, t = torch.randn(2, 1, 28, 28), torch.rand(2)
    network(x, t)  # moves the running statistics
    found = rebuild(described(network, width=3, time=True))
    assert not found.training and torch.equal(found(x, t), network.eval()(x, t))


def test_half_precision_weights_come_back_as_float32():
    """Shipped weights take half the space; computing is in float32, with the same values."""
    network = UNet(3).half()
    found = rebuild(described(network, width=3)).state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(found[name], value.float() if value.is_floating_point() else value)
        assert found[name].dtype != torch.float16


@pytest.mark.parametrize("arguments", [{"width": 4}, {"width": 3, "time": True}, {"colour": 1}])
def test_weights_that_do_not_fit_the_description_are_rejected(arguments):
    """Another width, missing parameters, unknown arguments: one sentence that names them."""
    with pytest.raises(ValueError, match="do not fit its network"):
        rebuild(described(UNet(3), **arguments))
    with pytest.raises(ValueError, match="do not fit its network"):
        rebuild({**described(UNet(3), width=3), "weights": None})
