"""The derivations of time, BatchNorm and attention, with numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minidiff.network.blocks import FCBlock, Flatten
from minidiff.network.unet import UNet
from minidiff.theory.schedule import linear

T = 300
STEPS = torch.arange(1, T + 1, dtype=torch.float64)[:, None]


def sinusoids(t, n=24):
    """Return sin(w_k t) and cos(w_k t) for n frequencies from 1 to 1/10,000, float64 (N, 2n)."""
    w = 10_000 ** -(torch.arange(n, dtype=torch.float64) / (n - 1))
    return torch.cat([torch.sin(w * t), torch.cos(w * t)], 1)


def left_unexplained(features, y):
    """Return which share of y's variance a linear layer on these features leaves unexplained; its
    weights are kept small, as those of a trained network are."""
    A = torch.cat([features, torch.ones(T, 1).double()], 1)
    weights = torch.linalg.solve(A.T @ A + 1e-4 * T * torch.eye(A.shape[1]).double(), A.T @ y)
    return ((A @ weights - y).square().mean() / y.var()).item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_functions_of_time_need_no_sinusoids_and_fast_ones_do(seed):
    """The 48 hidden units of an untrained FCBlock fit sqrt(alpha_bar_t) and the strength of the
    noise to 1% of their variance. Of exp(-t/10), which is over in a few tens of steps, they leave a
    third or more, and 48 sinusoids less than a twentieth."""
    torch.manual_seed(seed)
    block, ab = FCBlock(1, 48).double(), linear(T).alpha_bar[1:].double()
    with torch.no_grad():
        units = block[1](block[0](STEPS / T))
    assert block[0].weight.abs().max() <= 1 and block[0].bias.abs().max() <= 1
    for slow in (ab.sqrt(), (1 - ab).sqrt()):
        assert left_unexplained(units, slow) < 0.01
    fast = (-STEPS / 10).exp().flatten()
    assert left_unexplained(units, fast) > 0.33 and left_unexplained(sinusoids(STEPS), fast) < 0.05


def test_products_of_sinusoids_depend_on_the_distance():
    """Along each diagonal of the table of scalar products there is one value; and neighbours are as
    far apart at t = 10 as at t = 290."""
    vectors = sinusoids(STEPS)
    table = vectors @ vectors.T
    for k in (0, 1, 7, 100):
        diagonal = table.diagonal(k)
        assert torch.allclose(diagonal, diagonal[0].expand_as(diagonal), atol=1e-9)
    apart = (vectors[1:] - vectors[:-1]).norm(dim=1)
    assert apart[9].item() == pytest.approx(apart[289].item(), rel=1e-9) and apart[9] > 1


@pytest.mark.parametrize("B", [4, 16, 64])
def test_the_mean_of_a_batch_is_off_by_d_over_root_B(B):
    """2,000 batches of images whose means have deviation d = 0.5: what BatchNorm subtracts in
    training, read from its running mean with momentum 1, varies by d / sqrt(B), to 8%, five
    standard errors; in evaluation mode it does not vary at all."""
    g, norm, means = torch.Generator().manual_seed(0), nn.BatchNorm2d(1, momentum=1.0), []
    for _ in range(2000):
        level = 0.5 * torch.randn(B, 1, 1, 1, generator=g)
        norm(level.expand(B, 1, 2, 2))
        means.append(norm.running_mean.item())
    spread = torch.tensor(means).std().item()
    assert spread == pytest.approx(0.5 / B**0.5, rel=0.08)
    before = norm.eval().running_mean.clone()
    norm(torch.randn(B, 1, 2, 2, generator=g))
    assert torch.equal(norm.running_mean, before)


def test_attention_with_equal_scores_is_the_mean():
    """With keys all alike attention returns at each of 49 places the mean that Flatten takes,
    whatever the queries are; it has 49² weights."""
    x = torch.randn(2, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    values = x.flatten(2).transpose(1, 2)  # (B, 49, 5): one row for each place
    queries, keys = torch.randn(2, 49, 5), torch.ones(2, 49, 5)
    weights = (queries @ keys.transpose(1, 2)).softmax(2)
    assert weights[0].numel() == 49**2 == 2401 and (28 * 28) ** 2 == 614_656
    found = F.scaled_dot_product_attention(queries, keys, values)
    mean = values.mean(1, keepdim=True).expand_as(found)
    assert torch.allclose(found, mean, atol=1e-5)
    assert torch.allclose(F.gelu(mean[:, 0]), Flatten()(x).flatten(1), atol=1e-5)


def test_without_the_mean_every_pixel_still_sees_all_others():
    """With Unflatten's weights at 0, so that the mean reaches nothing, the gradient of a corner of
    the output is not zero in any of the 784 pixels of the input."""
    torch.manual_seed(0)
    network = UNet(4).double().eval()
    with torch.no_grad():
        for p in network.unflatten.parameters():
            p.zero_()
    x = torch.randn(1, 1, 28, 28).double().requires_grad_()
    for row, column in ((0, 0), (14, 14), (27, 0)):
        gradient, = torch.autograd.grad(network(x)[0, 0, row, column], x)
        assert (gradient != 0).all()
