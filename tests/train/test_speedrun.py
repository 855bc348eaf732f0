"""train/benchmarks/speedrun.py: each seed is trained, then measured. Nothing here tests speed."""

import dataclasses
import json

import pytest
import torch

from minidiff.data import catalog
from minidiff.models import zoo
from minidiff.training.kinds import KINDS
from minidiff.training.loop import Diverged
from tests.conftest import same
from train import class_cond
from train.benchmarks import processes, speedrun
from train.launch import launch

TINY = {**speedrun.RECIPE, "width": 2, "batch_size": 64, "limit": 100, "epochs": 2}


@pytest.fixture
def quick(workplace, monkeypatch, tiny):
    """Tiny data, a tiny recipe, two sampling steps; no test set to train on by mistake."""
    test = dataclasses.replace(tiny, images=tiny.images[:50], labels=tiny.labels[:50])
    monkeypatch.setattr(catalog, "load", lambda _, split, *__: {"train": tiny, "test": test}[split])
    monkeypatch.setattr(speedrun, "RECIPE", TINY)
    monkeypatch.setitem(speedrun.SAMPLING, "steps", 2)
    return workplace


def weights(data, seed):
    return speedrun.trained(data, seed, "float32").network.state_dict()


def test_the_speedrun_reports_each_seed_and_the_median(quick, monkeypatch, capsys):
    """Of three seeds, the median of each measure; the goal is reached if both medians reach it."""
    speedrun.main(["--seeds", "3", "--n", "20", "--device", "cpu"])
    out, found = capsys.readouterr().out, json.loads((quick / "speedrun.json").read_text())
    assert [run["seed"] for run in found["runs"]] == [0, 1, 2]
    for name in ("seconds", "accuracy", "ratio"):
        assert found["median"][name] == sorted(run[name] for run in found["runs"])[1]
    assert len({run["distance"] for run in found["runs"]}) == 3
    assert not found["reached"] and "not reached" in out and "seed 2: " in out
    assert found["recipe"] == TINY and found["data"] == "strokes"
    assert found["sampling"] == {**speedrun.SAMPLING, "steps": 2}
    monkeypatch.setattr(speedrun, "ACCURACY", 0.0)
    for ratio in (0.0, 1e9):
        monkeypatch.setattr(speedrun, "RATIO", ratio)
        speedrun.main(["--seeds", "1", "--n", "20", "--device", "cpu"])
        reached = json.loads((quick / "speedrun.json").read_text())["reached"]
        assert reached == (ratio > 0)


def test_it_trains_on_the_training_set_and_measures_on_both(quick, monkeypatch, tiny):
    """Each split is used for what it is for, and each seed once."""
    seen = []

    class Measure:
        def __init__(self, judge, train, test):
            seen.append((len(train), len(test)))

        def __call__(self, x, labels):
            return {"accuracy": 1.0, "ratio": 1.0}

    whole = speedrun.trained
    monkeypatch.setattr(speedrun.metrics, "Measure", Measure)
    monkeypatch.setattr(speedrun, "trained", lambda data, seed, precision: seen.append(
        (len(data), seed)) or whole(data, seed, precision))
    speedrun.main(["--seeds", "2", "--n", "20", "--device", "cpu"])
    assert seen == [(130, 50), (130, 0), (130, 1)]


def test_a_seed_decides_the_weights(quick, tiny):
    """The same seed gives the same network, another one a different one."""
    a, b, c = (weights(tiny, seed) for seed in (0, 0, 1))
    assert same(a, b) and not same(a, c)


def test_the_training_is_that_of_train_class(quick, tiny):
    """`make train-class` with RECIPE as its flags ends with the same weights."""
    data = {"dataset": "strokes", "early_epoch": 1, "device": "cpu", "precision": "float32"}
    flags = [word for name, value in {**TINY, **data}.items()
             for word in (f"--{name.replace('_', '-')}", str(value))]
    run = zoo.load_model(str(launch(class_cond.JOB, flags)))
    model = speedrun.trained(tiny, 0, "float32")
    assert same(run.evaluate.state_dict(), model.evaluate.state_dict())


def test_samples_have_as_many_of_each_digit(quick, tiny):
    """Images are in [0, 1]; each shows the digit that it is labelled with."""
    model, asked = speedrun.trained(tiny, 0, "float32"), []
    embed = model.embed
    model.embed = lambda prompts: asked.append(prompts) or embed(prompts)
    x, labels = speedrun.samples(model, 20)
    assert x.shape == (20, 1, 28, 28) and 0 <= x.min() <= x.max() <= 1
    assert labels.bincount().tolist() == [2] * 10
    assert [int(k) for k in asked[0]] == labels.tolist()
    again = processes.drawn(model, asked[0], **speedrun.SAMPLING)
    assert torch.equal(x, again.clamp(0, 1))


def test_a_recipe_that_diverges_is_reported(quick, tiny, monkeypatch):
    """It raises Diverged, as any training does."""
    arguments, loss = KINDS["class"]
    nan = (arguments, lambda *args, cfg: loss(*args, cfg) * float("nan"))
    monkeypatch.setitem(speedrun.KINDS, "class", nan)
    with pytest.raises(Diverged):
        speedrun.trained(tiny, 0, "float32")
