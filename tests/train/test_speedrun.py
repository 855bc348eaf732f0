"""train/benchmarks/speedrun.py: each seed is trained, then measured. Nothing here tests speed."""

import json

import pytest
import torch

from minidiff.data import catalog
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.theory.schedule import linear
from minidiff.training.loop import Diverged
from minidiff.training.recipe import Recipe
from tests.conftest import same
from train import first
from train.benchmarks import speedrun

CPU = torch.device("cpu")


@pytest.fixture
def quick(workplace, monkeypatch, tiny):
    """Tiny data, a tiny recipe, two sampling steps."""
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    monkeypatch.setattr(speedrun, "RECIPE", {"width": 2, "batch_size": 64, "epochs": 2})
    monkeypatch.setitem(speedrun.SAMPLING, "steps", 2)
    return workplace


def test_the_speedrun_reports_each_seed_and_the_median(quick, monkeypatch, capsys):
    """Of three seeds, the median of each measure; the goal is reached if both medians reach it."""
    speedrun.main(["--seeds", "3", "--n", "20", "--device", "cpu"])
    out, found = capsys.readouterr().out, json.loads((quick / "speedrun.json").read_text())
    assert [run["seed"] for run in found["runs"]] == [0, 1, 2]
    for name in ("seconds", "accuracy", "ratio"):
        assert found["median"][name] == sorted(run[name] for run in found["runs"])[1]
    assert not found["reached"] and "not reached" in out and "seed 2: " in out
    assert found["recipe"]["epochs"] == 2 and found["data"] == "strokes"
    assert found["sampling"] == {"steps": 2, "gamma": 2.5, "guide_until": 0.2}
    monkeypatch.setattr(speedrun, "ACCURACY", 0.0)
    monkeypatch.setattr(speedrun, "RATIO", 1e9)
    speedrun.main(["--seeds", "1", "--n", "20", "--device", "cpu"])
    assert json.loads((quick / "speedrun.json").read_text())["reached"]


def test_a_seed_decides_the_weights(quick, tiny):
    """The same seed gives the same network, another one a different one; all are in eval mode."""
    a, b, c = (speedrun.trained(tiny, seed, CPU) for seed in (0, 0, 1))
    assert same(a.state_dict(), b.state_dict()) and not same(a.state_dict(), c.state_dict())
    assert not a.training


def test_samples_have_as_many_of_each_digit(quick, tiny):
    """Images are in [0, 1]; the network itself keeps its norms."""
    network = speedrun.trained(tiny, 0, CPU)
    before = len(network.state_dict())
    x, labels = speedrun.samples(network, 20)
    assert x.shape == (20, 1, 28, 28) and 0 <= x.min() <= x.max() <= 1
    assert labels.bincount().tolist() == [2] * 10 and len(network.state_dict()) == before


def test_a_recipe_that_diverges_is_reported(quick, tiny, monkeypatch):
    """It raises Diverged, as any training does."""
    whole = speedrun.loss
    monkeypatch.setattr(speedrun, "loss", lambda *args, cfg: whole(*args, cfg) * float("nan"))
    with pytest.raises(Diverged):
        speedrun.trained(tiny, 0, CPU)


def test_times_are_sampled_in_proportion_to_themselves():
    """T² stratified times hit every t exactly 2t - 1 times; fewer stay within 1..T."""
    assert speedrun.times(400, 20).bincount().tolist() == [0, *range(1, 40, 2)]
    few = torch.cat([speedrun.times(16, 300) for _ in range(200)])
    assert few.min() >= 1 and few.max() <= 300 and few.float().mean() > 190


def test_the_loss_is_the_noise_loss_at_its_own_times():
    """The perfect model has a loss of 0; one that returns 0 has the noise's variance, 1; most
    images are conditioned on their digit."""
    seen, cfg = {}, Recipe(T=300)
    model = NoiseModel(UNet(1, **first.NETWORK))

    def perfect(x, t, c):
        seen.update(t=t, c=c)
        ab = linear(300).at((t * 300).round().long())
        return (x - ab.sqrt() * 0.5) / (1 - ab).sqrt()

    def loss(network):
        model.evaluate = network
        return speedrun.loss(model, x_0, labels, torch.Generator().manual_seed(0), cfg)

    x_0, labels = torch.full((500, 1, 28, 28), 0.5), torch.arange(500) % 10
    assert loss(perfect) < 1e-6
    assert abs(loss(lambda x, t, c: 0 * x) - 1) < 0.02
    given = seen["c"].sum(1) > 0
    assert 0.8 < given.float().mean() < 0.97
    assert torch.equal(seen["c"][given].argmax(1), labels[given])
