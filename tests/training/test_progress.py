"""loop.py: the numbers in a Progress are those of the steps since the one before."""

from itertools import count, pairwise

import torch
from torch import nn

from minidiff.data.dataset import Dataset
from minidiff.models.model import Model
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe, learning_rate


class Small(nn.Module):
    """A network with one weight, in whose loss it has no part."""

    channels, size, classes = (1, 1), 4, 0

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))


def test_loss_and_images_are_those_since_the_last_record():
    """Losses 1, 2, 3 ...: each record has the mean of its own steps, however few they are at the
    end of an epoch, the images of these steps, and the learning rate of the last."""
    losses = count(1)
    cfg = Recipe(batch_size=4, epochs=2, lr=1e-3, decay="linear", warmup=3)
    training = Training(Model(Small()), lambda model, *_: 0 * model.network.weight + next(losses),
                        cfg)
    data = Dataset("x", torch.zeros(26, 1, 4, 4, dtype=torch.uint8), torch.zeros(26).long())
    found = list(fit(training, data, log_every=3))
    assert [p.step for p in found] == [3, 6, 7, 10, 13, 14]
    assert [p.loss for p in found] == [2, 5, 7, 9, 12, 14]
    assert [p.images for p in found] == [12, 12, 2] * 2
    assert [p.epoch_ended for p in found] == [False, False, True] * 2
    assert [p.epoch for p in found] == [1, 1, 1, 2, 2, 2] and {p.steps for p in found} == {14}
    assert [p.lr for p in found] == [learning_rate(cfg, p.step - 1, 7) for p in found]
    assert all(a.step < b.step for a, b in pairwise(found))


def test_an_endless_set_is_asked_for_each_epochs_own_part():
    """Epochs 0, 1, 2 ... of the whole run: a run that is resumed after two goes on with the
    third's."""
    asked = []

    class Endless(Dataset):
        def at(self, epoch):
            asked.append(epoch)
            return self

    data = Endless("x", torch.zeros(4, 1, 4, 4, dtype=torch.uint8), torch.zeros(4).long())
    training = Training(Model(Small()), lambda model, *_: 0 * model.network.weight,
                        Recipe(batch_size=4, epochs=4))
    resumed = Training(training.model, training.loss_fn, training.cfg)
    for progress in fit(training, data):
        if progress.epoch == 2:
            resumed.load_state_dict(training.state_dict(), training.epoch, training.step)
    assert asked == [0, 1, 2, 3]
    list(fit(resumed, data))
    assert asked[4:] == [2, 3]


def test_the_loss_is_given_images_in_the_models_data_range():
    """Black and white, 0 and 255 in the set, are the ends of the range; labels stay with them."""
    seen = []

    def loss(model, x_0, labels, generator):
        seen.append((x_0, labels))
        return 0 * model.network.weight

    images = torch.tensor([0, 255] * 4, dtype=torch.uint8).view(8, 1, 1, 1).expand(-1, -1, 4, 4)
    data = Dataset("x", images, torch.arange(8))
    training = Training(Model(Small(), data_range=(-1.0, 3.0)), loss,
                        Recipe(batch_size=8, epochs=1))
    list(fit(training, data))
    (x_0, labels), = seen
    assert torch.equal(x_0[:, 0, 0, 0], torch.where(labels % 2 == 1, 3.0, -1.0))
