"""unet.py: channels at each resolution."""

import pytest
import torch

from minidiff.network.unet import UNet
from tests.network.test_unet import condition_by_hand, inputs


@pytest.mark.parametrize("film", [False, True])
def test_mults_are_the_channels_at_each_resolution(film):
    """Those of x0, x1, x2, z, u1 and u2, and of what acts on them, with and without FiLM."""
    network = UNet(2, time=1, classes=10, mults=(1, 3, 6), film=film).eval()
    seen = []
    for block in (network.enter, network.down1, network.down2, network.unflatten, network.up1,
                  network.up2):
        block.register_forward_hook(lambda _, __, y: seen.append(tuple(y.shape[1:])))
    x, t, c = inputs()
    assert network(x, t, c).shape == x.shape
    assert seen == [(2, 28, 28), (6, 14, 14), (12, 7, 7), (12, 7, 7), (6, 14, 14), (2, 28, 28)]
    if not film:
        assert torch.allclose(network(x, t, c), condition_by_hand(network, x, t, c), atol=1e-6)
    for mults in ((1, 3), (1, 0, 2)):
        with pytest.raises(ValueError, match="three multiples"):
            UNet(2, mults=mults)
