"""train/record.py: what a training leaves behind while it runs."""

from copy import deepcopy

import pytest
import torch

import train.uncond
from minidiff.data import catalog
from minidiff.files import checkpoint, runs
from minidiff.models.model import NoiseModel
from minidiff.network import registry
from minidiff.network.unet import UNet
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.schedule import linear
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, same
from train.launch import launch
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


def test_the_cost_of_a_wide_network_is_near_what_was_measured():
    """Against the course's network with D = 24: D = 16, 24 and 64 took 0.97, 1.81 and 8.35 times as
    long for an image (batch 16, bfloat16, two cores, medians of three)."""
    for width, measured in ((16, 0.97), (24, 1.81), (64, 8.35)):
        assert 0.75 < cost(width, "wide") / cost(24) / measured < 1.33


def test_the_validation_loss_is_that_of_test_images_with_the_same_noise(workplace):
    """Written out, on the weights of each epoch; the training itself is not changed by it."""
    words = ["--T", "20", "--predict", "eps", "--schedule", "linear"]
    folder = launch(train.uncond.JOB, [*TINY, *words])
    rows = [r for r in runs.read_log(folder) if r["validation"] is not None]
    assert [r["epoch"] for r in rows] == [1, 2]
    test = catalog.load("strokes", "test")
    for row in rows:
        found = checkpoint.load(folder / f"weights-epoch-{row['epoch']:02d}.pt")
        network = registry.rebuild(found)
        g, total = torch.Generator().manual_seed(0), 0.0
        for index in torch.arange(len(test)).split(64):
            with torch.no_grad():
                loss = noise_loss(linear(20), lambda x, t, c, network=network: network(x, t / 20),
                                  test.images_at(index), None, g)
            total += loss.item() * len(index)
        assert row["validation"] == pytest.approx(total / len(test), abs=2e-6)
