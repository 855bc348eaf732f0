"""unet.py: one class makes all networks."""

import pytest
import torch
from torch import nn

from minidiff.network.blocks import folded
from minidiff.network.unet import UNet

COUNTS = {
    (64, False, 0): 1_975_361,
    (64, True, 0): 1_996_417,
    (64, True, 10): 2_019_201,
    (128, False, 0): 7_891_073,
    (128, True, 0): 7_974_145,
    (128, True, 10): 8_060_673,
}


def build(time=True, classes=10, width=8, seed=0):
    torch.manual_seed(seed)
    return UNet(width, time, classes).eval()


def inputs(n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    x, t = torch.randn(n, 1, 28, 28, generator=g), torch.rand(n, generator=g)
    return x, t, torch.eye(10)[:n]


@pytest.mark.parametrize("form", COUNTS, ids=str)
def test_parameter_counts(form):
    """The published counts at D = 64 and 128."""
    assert sum(p.numel() for p in UNet(*form).parameters()) == COUNTS[form]


def condition_by_hand(network, x, t, c):
    """The forward pass of the course, written out flat."""
    n = network
    t = t[:, None]
    x0 = n.enter(x)
    x1 = n.down1(x0)
    x2 = n.down2(x1)
    z = n.unflatten(n.flatten(x2))
    t1, t2 = n.time1(t)[:, :, None, None], n.time2(t)[:, :, None, None]
    if n.classes:
        c1, c2 = n.class1(c)[:, :, None, None], n.class2(c)[:, :, None, None]
    else:
        c1 = c2 = 1
    u1 = n.up1(torch.cat([x2, t1 * c1 * z if n.scaled else c1 * z + t1], 1))
    u2 = n.up2(torch.cat([x1, t2 * c2 * u1 if n.scaled else c2 * u1 + t2], 1))
    return n.leave(torch.cat([x0, u2], 1))


@pytest.mark.parametrize("classes", [0, 10])
def test_time_adds_and_class_multiplies(classes):
    """z = c1 z + t1 after Unflatten, u1 = c2 u1 + t2 after the first UpBlock, before concatenation.
    Known mistakes: swapped roles, and a condition before Unflatten."""
    network = build(classes=classes)
    x, t, c = inputs()
    c = c if classes else None
    assert torch.allclose(network(x, t, c), condition_by_hand(network, x, t, c), atol=1e-6)


def test_the_time_of_a_flow_multiplies():
    """scaled: z = t1 z and u1 = t2 u1, with the same parameters as when time is added; so a time
    block that returns zero makes the bottleneck zero, but not where time is added."""
    scaled, added = (UNet(8, 1, scaled=s) for s in (True, False))
    assert {k: v.shape for k, v in scaled.state_dict().items()} == {
        k: v.shape for k, v in added.state_dict().items()}
    assert sum(p.numel() for p in UNet(64, 1, scaled=True).parameters()) == COUNTS[64, True, 0]
    x, t, _ = inputs()
    for network in (scaled.eval(), added.eval()):
        assert torch.allclose(network(x, t), condition_by_hand(network, x, t, None), atol=1e-6)
        inputs_of_up1 = []
        network.up1.register_forward_hook(
            lambda module, args, result, seen=inputs_of_up1: seen.append(args[0])
        )
        with torch.no_grad():
            network.time1[2].weight.zero_()
            network.time1[2].bias.zero_()
        network(x, t)
        z = inputs_of_up1[0][:, 16:]
        assert (z.abs().max() == 0) == network.scaled


def test_time_enters_through_a_block_with_one_input():
    """FCBlock(1, 2D) and FCBlock(1, D), one value per channel, not one for all."""
    network = build(width=8)
    assert network.time1[0].weight.shape == (16, 1) and network.time1[2].weight.shape == (16, 16)
    assert network.time2[0].weight.shape == (8, 1) and network.time2[2].weight.shape == (8, 8)
    assert network.class1[0].weight.shape == (16, 10)


def test_time_and_class_change_the_output():
    """Another t, another digit or no digit gives another result."""
    network = build()
    x, t, c = inputs()
    y = network(x, t, c)
    assert not torch.allclose(y, network(x, t / 2, c))
    assert not torch.allclose(y, network(x, t, c.roll(1, 0)))
    assert not torch.allclose(y, network(x, t, torch.zeros_like(c)))


def test_the_last_layer_is_a_plain_convolution():
    """With a norm and GELU at the end the output could not be noise, which has both signs."""
    last = build().leave[-1]
    assert isinstance(last, torch.nn.Conv2d) and last.kernel_size == (3, 3)
    x, t, c = inputs()
    y = build()(100 * x, t, c)
    assert y.min() < -0.5 and y.max() > 0.5


def test_rows_of_a_batch_are_independent_in_eval_mode_and_not_in_training_mode():
    """BatchNorm in training mode mixes neighbours: hence eval() before sampling."""
    network = build()
    x, t, c = inputs()
    other = x.clone()
    other[1:] = 5
    assert torch.allclose(network(x, t, c)[0], network(other, t, c)[0], atol=1e-5)
    network.train()
    assert not torch.allclose(network(x, t, c)[0], network(other, t, c)[0], atol=1e-2)


def test_every_parameter_gets_a_gradient():
    """No block is built and then left unused."""
    network = build().train()
    network(*inputs()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0
               for name, p in network.named_parameters()
               if name.startswith(("time", "class")) or not name.endswith("0.bias"))


def test_sizes_channels_and_levels_are_free():
    """The form of an upsampler: 56 pixels, two channels in and one out, two levels as its time."""
    network = UNet(3, 2, 10, 56, (2, 1)).eval()
    x, levels, c = torch.randn(2, 2, 56, 56), torch.rand(2, 2), torch.eye(10)[:2]
    y = network(x, levels, c)
    assert y.shape == (2, 1, 56, 56)
    for k in (0, 1):
        other = levels.clone()
        other[:, k] += 0.3
        assert not torch.allclose(network(x, other, c), y)
    with pytest.raises(ValueError, match=r"needs t as float of shape \(2, 2\)"):
        network(x, levels[:, 0], c)


def test_inputs_that_do_not_fit_are_rejected():
    """Wrong image size, missing or unexpected conditions, integer t; the message says what was
    expected."""
    x, t, c = inputs()
    with pytest.raises(ValueError, match="28,28"):
        build()(x[..., :27], t, c)
    with pytest.raises(ValueError, match="needs t.*got none"):
        build()(x, None, c)
    with pytest.raises(ValueError, match="needs t.*int64"):
        build()(x, torch.tensor([1, 2, 3]), c)
    with pytest.raises(ValueError, match="needs c"):
        build()(x, t, c[:, :9])
    with pytest.raises(ValueError, match="built without c"):
        build(classes=0)(x, t, c)
    for wrong in ((0, False, 0), (8, False, 10), (8, True, -1), (8, -1, 0), (8, 1, 0, 28, (0, 1)),
                  (8, 1, 0, 28, (1,))):
        with pytest.raises(ValueError):
            UNet(*wrong)


def test_time_is_read_in_float32_under_autocast():
    """bfloat16 rounds t/T above 0.5 to multiples of 1/256: some neighbouring t would be equal."""
    network = build(classes=0)
    shifts = []
    network.time1.register_forward_hook(lambda module, args, result: shifts.append(result))
    x, steps = torch.randn(2, 1, 28, 28), torch.arange(150, 301) / 300
    first = (steps.bfloat16().diff() == 0).nonzero()[0, 0]
    t = steps[first : first + 2]
    with torch.autocast("cpu", torch.bfloat16):
        network(x, t)
    assert t[0].bfloat16() == t[1].bfloat16()
    assert torch.equal(shifts[0], network.time1(t[:, None]))
    assert not torch.equal(shifts[0][0], shifts[0][1])


@pytest.mark.parametrize("form", [(0, 0), (1, 10), (2, 10)])
def test_folding_the_norms_changes_nothing_but_rounding(form):
    """With any running statistics, gains and shifts, the folded network computes what its original
    does in eval mode; the original keeps its norms, and training mode no longer matters."""
    network = UNet(6, *form)
    with torch.no_grad():
        for m in network.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_()
                m.running_var.uniform_(0.001, 1)
                m.weight.uniform_(0.5, 2)
                m.bias.normal_()
    x, (time, classes) = torch.randn(3, 1, 28, 28), form
    t = torch.rand(3, time).squeeze(1) if time else None
    c = torch.eye(10)[:3] if classes else None
    bare = folded(network)
    expected, found = network.eval()(x, t, c), bare(x, t, c)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in bare.modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 17
    assert torch.equal(bare.train()(x, t, c), found)


def test_an_empty_batch_passes():
    """One of several processes may get no image of an epoch's last batch."""
    network = UNet(2, time=1, classes=10).eval()
    assert network(torch.rand(0, 1, 28, 28), torch.rand(0), torch.rand(0, 10)).shape[0] == 0


def test_film_changes_nothing_at_first_and_then_every_level():
    """New blocks scale by 1 and shift by 0; a condition in any one of the six places reaches the
    output."""
    torch.manual_seed(0)
    network = UNet(4, time=1, classes=3, size=16, channels=(3, 3), film=True).eval()
    x, t, c = torch.randn(2, 3, 16, 16), torch.rand(2), torch.eye(3)[:2]
    before = network(x, t, c)
    assert torch.equal(before, network(x, 1 - t, 1 - c))
    assert len(network.film) == 6 and not hasattr(network, "class1")
    for block in network.film:
        torch.nn.init.normal_(block[2].weight)
        assert not torch.allclose(network(x, t, c), network(x, t, 1 - c))
        assert not torch.allclose(network(x, t, c), network(x, 1 - t, c))
        torch.nn.init.zeros_(block[2].weight)
    assert torch.equal(before, network(x, t, c))


def test_film_is_a_scale_and_a_shift_per_channel():
    """By hand, at one place: (1 + a) x + b with a and b from time and class; without classes from
    time alone."""
    for classes in (0, 3):
        torch.manual_seed(0)
        network = UNet(2, time=1, classes=classes, size=8, film=True)
        torch.nn.init.normal_(network.film[1][2].weight)
        x, t = torch.randn(2, 2, 4, 4), torch.rand(2)
        c = torch.rand(2, classes) if classes else None
        known = t[:, None] if c is None else torch.cat([t[:, None], c], 1)
        a, b = network.film[1](known).chunk(2, 1)
        by_hand = (1 + a[:, :, None, None]) * x + b[:, :, None, None]
        assert torch.allclose(network._modulate(t, c, 1, x), by_hand)
    with pytest.raises(ValueError, match="needs time"):
        UNet(2, film=True)
