"""train/speedrun.py: every seed trained, then measured; nothing here is about how fast."""

import json

import pytest
import torch

from minidiff.data import dataset  # CHECK data
from minidiff.theory.schedule import linear
from minidiff.training.loop import Diverged
from minidiff.training.recipe import Recipe
from tests.conftest import same
from train.benchmarks import speedrun

CPU = torch.device("cpu")


@pytest.fixture
def quick(workplace, monkeypatch, tiny):
    """Tiny data, a tiny recipe, two steps of sampling."""
    monkeypatch.setattr(dataset, "load", lambda *_: tiny)
    monkeypatch.setattr(speedrun, "RECIPE", {"width": 2, "batch_size": 64, "epochs": 2})
    monkeypatch.setattr(speedrun, "STEPS", 2)
    return workplace


def test_the_speedrun_tells_each_seed_and_the_median(quick, monkeypatch, capsys):
    """Three seeds, and the middle one of each figure; whether the aim is reached is decided by the
    medians of both."""
    speedrun.main(["--seeds", "3", "--n", "20", "--device", "cpu"])
    out, found = capsys.readouterr().out, json.loads((quick / "speedrun.json").read_text())
    assert [run["seed"] for run in found["runs"]] == [0, 1, 2]
    for name in ("seconds", "accuracy", "ratio"):
        assert found["median"][name] == sorted(run[name] for run in found["runs"])[1]
    assert not found["reached"] and "not reached" in out and "seed 2: " in out
    assert found["recipe"]["epochs"] == 2 and found["data"] == "strokes"
    monkeypatch.setattr(speedrun, "ACCURACY", 0.0)
    monkeypatch.setattr(speedrun, "RATIO", 1e9)
    speedrun.main(["--seeds", "1", "--n", "20", "--device", "cpu"])
    assert json.loads((quick / "speedrun.json").read_text())["reached"]


def test_a_seed_decides_the_weights(quick, tiny):
    """The same seed gives the same network, another another; all are in eval mode."""
    a, b, c = (speedrun.trained(tiny, seed, CPU) for seed in (0, 0, 1))
    assert same(a.state_dict(), b.state_dict()) and not same(a.state_dict(), c.state_dict())
    assert not a.training


def test_samples_are_asked_for_evenly(quick, tiny):
    """As many of each digit, pictures in [0, 1]; the network itself keeps its norms."""
    network = speedrun.trained(tiny, 0, CPU)
    before = len(network.state_dict())
    x, labels = speedrun.drawn(network, 20)
    assert x.shape == (20, 1, 28, 28) and 0 <= x.min() <= x.max() <= 1
    assert labels.bincount().tolist() == [2] * 10 and len(network.state_dict()) == before


def test_a_recipe_that_diverges_says_so(quick, tiny, monkeypatch):
    """As any training does."""
    monkeypatch.setitem(speedrun.RECIPE, "lr", 1e30)
    with pytest.raises(Diverged):
        speedrun.trained(tiny, 0, CPU)


def test_times_are_drawn_in_proportion_to_themselves():
    """T² times spread over 1..T² hit every t exactly 2t - 1 times; fewer stay within 1..T."""
    assert speedrun.times(400, 20).bincount().tolist() == [0, *range(1, 40, 2)]
    few = torch.cat([speedrun.times(16, 300) for _ in range(200)])
    assert few.min() >= 1 and few.max() <= 300 and few.float().mean() > 190


def test_the_loss_is_the_noise_loss_at_its_own_times():
    """A network that knows the noise has no loss; one that says 0 has the noise's variance, 1; the
    digit is told to most and the time is t/T."""
    heard, cfg = {}, Recipe(T=300)
    loss_fn = speedrun.loss(cfg, CPU)

    def network(x, t, c):
        heard.update(t=t, c=c)
        return (x - linear(300).at((t * 300).round().long()).sqrt() * 0.5) / (
            1 - linear(300).at((t * 300).round().long())).sqrt()

    x_0, labels = torch.full((500, 1, 28, 28), 0.5), torch.arange(500) % 10
    assert loss_fn(network, x_0, labels, torch.Generator().manual_seed(0)) < 1e-6
    nothing = loss_fn(lambda x, t, c: 0 * x, x_0, labels, torch.Generator().manual_seed(0))
    assert abs(nothing - 1) < 0.02
    told = heard["c"].sum(1) > 0
    assert 0.8 < told.float().mean() < 0.97
    assert torch.equal(heard["c"][told].argmax(1), labels[told])
