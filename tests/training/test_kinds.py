"""training/kinds.py: what the network is given of each sentence while it is trained."""

import torch
from torch import nn

from minidiff.data.prompts import DOODLES
from minidiff.models.model import NoiseModel
from minidiff.training.kinds import P_WORD, class_loss
from minidiff.training.recipe import Recipe


class Seen(nn.Module):
    """A network that keeps what it is given and predicts no noise."""

    classes, channels, size = len(DOODLES.words), (3, 3), 4

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t, c):
        self.t, self.c = t, c
        return x * self.weight


def test_sentences_and_words_are_hidden_at_their_own_rates():
    """A share p_uncond of the sentences is hidden whole; of the rest, each word by itself with
    P_WORD; within 4 deviations. A word that was not in the sentence never appears."""
    n, words = 4000, Seen.classes
    labels = (torch.arange(words) % 2 == 0).byte().expand(n, words)
    model = NoiseModel(Seen(), 20, words=DOODLES.words)
    generator = torch.Generator().manual_seed(0)
    class_loss(model, torch.zeros(n, 3, 4, 4), labels, generator, Recipe(p_uncond=0.2))
    c = model.network.c
    hidden = c.sum(1) == 0
    assert abs(hidden.float().mean() - 0.2) < 4 * (0.2 * 0.8 / n) ** 0.5
    kept = c[~hidden][:, ::2]
    p = P_WORD
    assert 0 < p < 1 and abs(kept.mean() - (1 - p)) < 4 * (p * (1 - p) / kept.numel()) ** 0.5
    assert c[:, 1::2].sum() == 0 and set(c.unique().tolist()) == {0, 1}
