"""train/benchmarks/ablation.py: each row leaves out what it names and nothing else. Nothing is
timed."""

import json

import pytest
import torch
from torch import nn

from train.benchmarks import ablation, processes

CPU = torch.device("cpu")


@pytest.fixture
def few(monkeypatch):
    """Two digits, and no subprocess."""
    monkeypatch.setattr(ablation, "DIGITS", ["3", "8"])
    monkeypatch.setattr(processes, "Subprocess", lambda rounds, make, *args: make(*args))
    return ablation.AblationOptions(runs=1, repeat=1, width=4, batch_size=4, steps=3)


def test_the_same_digits_come_out_without_a_technique(few):
    """Only the number of steps, the end of guidance and the number format change the images."""
    methods = ablation.sampling(few, CPU)
    images = {name: method() for name, method in methods.items()}
    apart = {name: (x - images["as it is"]).abs().max() for name, x in images.items()}
    differ = {"3 steps", "guided at every step", "(in bfloat16)"}
    assert all((apart[name] > 1e-3) == (name in differ) for name in methods), apart
    assert all(x.shape == (2, 1, 28, 28) for x in images.values())


def test_what_is_left_out_is_left_out(few):
    """The norms are back, weights are in torch's own order, branches are evaluated one by one."""
    models = {name: method.args[0] for name, method in ablation.sampling(few, CPU).items()}
    layers = {name: {type(m) for m in model.network.modules()} for name, model in models.items()}
    assert {n for n, k in layers.items() if nn.BatchNorm2d in k} == {"norms not folded"}
    for name, model in models.items():
        first = model.network.up2[0][0].weight
        assert first.is_contiguous() == (name == "images in torch's own order")
        assert model.evaluate is model.network
    seen = []
    model = models["two calls per guided step"]
    model.network.register_forward_hook(lambda module, args, y: seen.append(len(args[0])))
    processes.drawn(model, ["3", "8"], gamma=3.0, guide_until=0.5)
    assert set(seen) == {2} and len(seen) == 30  # 10 of 20 steps make two calls


def test_a_training_without_a_technique_takes_the_same_step(few):
    """The loss of the first step is the same to within 1%, the rounding of bfloat16."""
    methods = ablation.training(few, CPU, "bfloat16")
    trainings = {name: method.args[1] for name, method in methods.items()}
    assert {n for n, t in trainings.items() if not t.optimizer.defaults["fused"]} == {
        "Adam not fused"}
    assert {n for n, t in trainings.items() if t.model.format == torch.float32} == {"in float32"}
    weights = {name: t.network.up2[0][0].weight for name, t in trainings.items()}
    assert {n for n, w in weights.items() if w.is_contiguous()} == {"images in torch's own order"}
    torch.manual_seed(0)
    start, losses = trainings["as it is"].network.state_dict(), {}
    x, labels = torch.rand(4, 1, 28, 28), torch.arange(4)
    for name, training in trainings.items():
        training.network.load_state_dict(start)
        losses[name] = training.update(x, labels, 0.0).item()
    middle = losses["in float32"]
    assert all(abs(loss / middle - 1) < 0.01 for loss in losses.values()), losses
    assert "in float32" not in ablation.training(few, CPU, "float32")


def test_a_round_is_as_many_steps_as_were_requested():
    """Two steps of the optimiser a round; in a subprocess one call a yield, none before the
    first."""
    work = ablation.steps(2, 4, 4, CPU, "float32")
    work()
    assert work.args[1].step == 2
    calls = []
    rounds = ablation.rounds(lambda: lambda: calls.append(1))
    for expected in (0, 1, 2):
        next(rounds)
        assert len(calls) == expected


def test_the_table_prints_what_the_json_holds(few, workplace, capsys):
    """A whole run: each ratio is that of two medians."""
    ablation.main(["--runs", "2", "--width", "4", "--batch-size", "4", "--steps", "3",
                   "--device", "cpu", "--precision", "float32"])
    out, found = capsys.readouterr().out, json.loads((workplace / "ablation.json").read_text())
    sampling = found["sampling 40 guided digits, float32"]
    for method, each in sampling.items():
        ratio = each["median"] / sampling["as it is"]["median"]
        line = next(line for line in out.splitlines() if line.startswith(f"  {method} ") and
                    f"{each['median']:.3g} s" in line)
        assert f"{ratio:.2f}x" in line
    assert found["precision"] == "float32"
