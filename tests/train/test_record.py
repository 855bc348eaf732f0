"""train/record.py: what a training leaves behind while it runs."""

from copy import deepcopy

import torch

from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.theory.diffusion import noise_loss
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from tests.conftest import same
from train.record import cost, seconds_per_step


def test_measuring_the_speed_changes_nothing(tiny):
    """The estimate is made on a copy: weights, moments and random state stay, and the model still
    evaluates its own network."""
    cfg = Recipe(width=4, batch_size=64, T=20, precision="float32")
    model = NoiseModel(UNet(cfg.width, time=True), cfg.T)
    run = Training(model, lambda model, x_0, labels, generator: noise_loss(
        model.schedule, model, x_0, None, generator), cfg)
    before = deepcopy((run.network.state_dict(), run.generator.get_state()))
    assert seconds_per_step(run, tiny) > 0
    assert same(run.network.state_dict(), before[0]) and run.step == 0
    assert torch.equal(run.generator.get_state(), before[1])
    assert not run.optimizer.state
    assert run.model.network is run.model.evaluate is run.network


def test_the_cost_of_a_width_is_near_what_was_measured():
    """From D = 4 to 64 an image takes 28 times as long, where the square would be 256; and 64 / 24
    and 128 / 64 took 4.2 and 3.3 times as long."""
    for wide, narrow, measured in ((64, 4, 28), (64, 24, 4.2), (128, 64, 3.3)):
        assert 0.75 < cost(wide) / cost(narrow) / measured < 1.33
