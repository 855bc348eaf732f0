"""A moving average of the weights (EMA), to sample from in place of the last ones.

The last steps of Adam scatter the weights around where they should be; the scatter averages out:

    average ← d average + (1 - d) weights,   d = min(decay, (1 + step) / (10 + step))

after every step. `decay` is the recipe's `ema`: 0.999 averages about the last 1,000 steps. The
second term lets the random weights of the start be forgotten sooner. BatchNorm's running statistics
are averaged like weights, as they belong to them; only its count of batches is copied.

A checkpoint's `weights` are the average, so all that samples uses it. The weights themselves are in
its `training`, and training continues from them, bit for bit.

Sources: DDPM, arXiv:2006.11239 (decay 0.9999: appendix B).
"""

import copy

import torch


def begin(network):
    """Return the average before the first step: a copy of the network, in eval mode."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update(average, network, decay: float, step: int) -> None:
    """Move the average towards the network's weights. step: steps done, >= 1."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    theirs = network.state_dict()
    for name, a in average.state_dict().items():
        if a.is_floating_point():
            a.lerp_(theirs[name], share)
        else:
            a.copy_(theirs[name])
