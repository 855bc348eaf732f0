"""blocks.py, unet.py and classifier.py, layer by layer, against the table of UC Berkeley CS180,
project 5, part B: every kernel, stride, padding and activation, and what is joined with what."""

import pytest
import torch
from torch import nn

from minidiff.network import blocks
from minidiff.network.classifier import Classifier
from minidiff.network.unet import UNet

# What is written out is the course's; everything else is torch's default.


def conv(i, o, kernel, stride, padding):
    """A convolution of the table, with a bias."""
    return nn.Conv2d(i, o, kernel, stride, padding)


def up(i, o, kernel, stride, padding):
    """A transposed convolution of the table, with a bias."""
    return nn.ConvTranspose2d(i, o, kernel, stride, padding)


def normed(layer, channels):
    """A layer, its norm, its activation."""
    return [layer, nn.BatchNorm2d(channels), nn.GELU()]


def plain(i, o):
    """Two 3x3 convolutions that keep the size."""
    return [*normed(conv(i, o, 3, 1, 1), o), *normed(conv(o, o, 3, 1, 1), o)]


def dense(i, o):
    """An FCBlock: no activation at the end."""
    return [nn.Linear(i, o), nn.GELU(), nn.Linear(o, o)]


TABLE = {  # block: (how it is built, its layers)
    "Conv": ((3, 5), normed(conv(3, 5, 3, 1, 1), 5)),
    "DownConv": ((3, 5), normed(conv(3, 5, 3, 2, 1), 5)),
    "UpConv": ((3, 5), normed(up(3, 5, 4, 2, 1), 5)),
    "Flatten": ((), [nn.AvgPool2d(7), nn.GELU()]),
    "Unflatten": ((5,), normed(up(5, 5, 7, 7, 0), 5)),
    "ConvBlock": ((3, 5), plain(3, 5)),
    "DownBlock": ((3, 5), [*normed(conv(3, 5, 3, 2, 1), 5), *plain(5, 5)]),
    "UpBlock": ((3, 5), [*normed(up(3, 5, 4, 2, 1), 5), *plain(5, 5)]),
    "FCBlock": ((3, 5), dense(3, 5)),
}


def layers(block):
    """Return all that torch says of each layer: type, channels, kernel, stride, padding, bias,
    momentum, the form of the GELU ..., in the order of the forward pass."""
    return [(type(m).__name__, m.extra_repr()) for m in block.modules() if not [*m.children()]]


def test_every_block_is_in_the_table():
    """A new one is entered, or nothing compares it."""
    made = {name for name, found in vars(blocks).items()
            if isinstance(found, type) and found.__module__ == blocks.__name__}
    assert made == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_block_has_the_layers_of_the_table(name):
    """Type, channels, kernel, stride, padding, bias and activation of each, in this order; and
    nothing but these layers one after the other."""
    arguments, expected = TABLE[name]
    block = getattr(blocks, name)(*arguments)
    assert layers(block) == layers(nn.Sequential(*expected))
    assert type(block).forward is nn.Sequential.forward


FORMS = {  # arguments of a UNet of width 4: the course's three, its flow, and the upsampler
    "denoiser": {}, "time": {"time": 1}, "class": {"time": 1, "classes": 10},
    "flow": {"time": 1, "scaled": True}, "flow of digits": {"time": 1, "classes": 10},
    "upsampler": {"time": 2, "classes": 10, "size": 56, "channels": (2, 1)},
}
D = 4


def parts(form):
    """Return {name: layers} of a UNet of the table."""
    i, o = form.get("channels", (1, 1))
    side, time, classes = form.get("size", 28) // 4, form.get("time", 0), form.get("classes", 0)
    found = {
        "enter": plain(i, D),
        "down1": TABLE_OF["down"](D, D), "down2": TABLE_OF["down"](D, 2 * D),
        "flatten": [nn.AvgPool2d(side), nn.GELU()],
        "unflatten": normed(up(2 * D, 2 * D, side, side, 0), 2 * D),
        "up1": TABLE_OF["up"](4 * D, D), "up2": TABLE_OF["up"](2 * D, D),
        "leave": [*plain(2 * D, D), conv(D, o, 3, 1, 1)],
    }
    for kind, count in (("time", time), ("class", classes)):
        if count:
            found |= {f"{kind}1": dense(count, 2 * D), f"{kind}2": dense(count, D)}
    return found


TABLE_OF = {
    "down": lambda i, o: [*normed(conv(i, o, 3, 2, 1), o), *plain(o, o)],
    "up": lambda i, o: [*normed(up(i, o, 4, 2, 1), o), *plain(o, o)],
}


@pytest.mark.parametrize("name", FORMS)
def test_a_unet_has_the_blocks_of_the_table(name):
    """Each part with its channels, and no part besides."""
    network = UNet(D, **FORMS[name])
    found = {part: layers(module) for part, module in network.named_children()}
    assert found == {p: layers(nn.Sequential(*known)) for p, known in parts(FORMS[name]).items()}


def watched(name):
    """Run a UNet on random inputs; return it, (x, t, c), its result, and of each part what went in
    and what came out."""
    torch.manual_seed(0)
    form = FORMS[name]
    network, seen = UNet(D, **form).eval(), {}

    def keep(part):
        def hook(module, args, out):
            assert part not in seen  # each is used once
            seen[part] = (*args, out)

        return hook

    for part, module in network.named_children():
        module.register_forward_hook(keep(part))
    side, channels = form.get("size", 28), form.get("channels", (1, 1))[0]
    x, time = torch.randn(3, channels, side, side), form.get("time", 0)
    t = torch.rand(3, time).squeeze(1) if time else None
    c = torch.eye(10)[[3, 1, 4]] if form.get("classes") else None
    with torch.no_grad():
        return network, (x, t, c), network(x, t, c), seen


@pytest.mark.parametrize("name", FORMS)
def test_what_goes_into_each_block_is_what_the_course_says(name):
    """x0, x1, x2 one after the other; z from x2; conditions after Unflatten and after the first
    UpBlock; skip connections first in each concatenation; each block is used once."""
    network, (x, t, c), y, seen = watched(name)
    assert seen.keys() == dict(network.named_children()).keys()
    into, out = ({part: each[k] for part, each in seen.items()} for k in (0, 1))

    def conditioned(features, place):
        if c is not None:
            features = out[f"class{place}"][..., None, None] * features
        if t is None:
            return features
        value = out[f"time{place}"][..., None, None]
        return features * value if FORMS[name].get("scaled") else features + value

    z, u1 = conditioned(out["unflatten"], 1), conditioned(out["up1"], 2)
    expected = {
        "enter": x, "down1": out["enter"], "down2": out["down1"], "flatten": out["down2"],
        "unflatten": out["flatten"], "up1": torch.cat([out["down2"], z], 1),
        "up2": torch.cat([out["down1"], u1], 1), "leave": torch.cat([out["enter"], out["up2"]], 1),
        "class1": c, "class2": c, **dict.fromkeys(["time1", "time2"], t if t is None else
                                                  t.view(3, -1)),
    }
    for part, given in into.items():
        assert torch.equal(given, expected[part]), part
    assert torch.equal(y, out["leave"])


def test_the_classifier_has_the_layers_of_its_description():
    """Five 3x3 convolutions with BatchNorm and ReLU, two poolings, a mean, one linear layer."""
    def block(i, o):
        return [conv(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.ReLU()]

    w = 3
    expected = [*block(1, w), *block(w, w), nn.MaxPool2d(2), *block(w, 2 * w),
                *block(2 * w, 2 * w), nn.MaxPool2d(2), *block(2 * w, 4 * w),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * w, 10)]
    network, x = Classifier(w).eval(), torch.rand(2, 1, 28, 28)
    assert layers(network) == layers(nn.Sequential(*expected))
    assert torch.equal(network(x), network.head(network.features(x)))
    assert network.features(x).shape == (2, 4 * w)
