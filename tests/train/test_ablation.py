"""train/ablation.py: every row leaves out what it says and nothing else. Nothing is timed."""

import json

import pytest
import torch
from torch import nn

from train.benchmarks import ablation

CPU = torch.device("cpu")


@pytest.fixture
def few(monkeypatch):
    """Two digits, and no other process."""
    monkeypatch.setattr(ablation, "DIGITS", ["3", "8"])
    monkeypatch.setattr(ablation.fresh, "Elsewhere", lambda rounds, make, *args: make(*args))
    return ablation.AblationFlags(runs=1, repeat=1, width=4, batch_size=4, steps=3)


def test_the_same_digits_are_drawn_without_a_technique(few):
    """But for the number of steps, where guidance ends and the number format, which show."""
    ways = ablation.sampling(few, CPU)
    drawn = {name: way() for name, way in ways.items()}
    apart = {name: (x - drawn["as it is"]).abs().max() for name, x in drawn.items()}
    shows = {"3 steps", "guided at every step", "(in bfloat16)"}
    assert all((apart[name] > 1e-3) == (name in shows) for name in ways), apart
    assert all(x.shape == (2, 1, 28, 28) for x in drawn.values())


def test_what_is_left_out_is_left_out(few):
    """Norms are back, weights lie in order, branches go one by one."""
    models = {name: way.args[0] for name, way in ablation.sampling(few, CPU).items()}
    kinds = {name: {type(m) for m in model.network.modules()} for name, model in models.items()}
    assert {n for n, k in kinds.items() if nn.BatchNorm2d in k} == {"norms not folded"}
    for name, model in models.items():
        first = model.network.up2[0][0].weight
        ordered = name == "pictures in torch's order"
        assert first.is_contiguous() == ordered
    seen = []
    model = models["two calls to guide"]
    model.network.register_forward_hook(lambda module, args, y: seen.append(len(args[0])))
    ablation.fresh.draw(model, ["3", "8"], gamma=3.0, guide_until=0.5)
    assert set(seen) == {2} and len(seen) == 30  # 10 of 20 steps ask twice


def test_a_training_without_a_technique_takes_the_same_step(few):
    """The loss of a first step is the same to a hundredth, bfloat16's own rounding."""
    ways = ablation.training(few, CPU, "bfloat16")
    trainings = {name: way.args[1] for name, way in ways.items()}
    assert {n for n, t in trainings.items() if not t.optimizer.defaults["fused"]} == {
        "Adam not fused"}
    assert {n for n, t in trainings.items() if t.cfg.precision == "float32"} == {"in float32"}
    weights = {name: t.network.up2[0][0].weight for name, t in trainings.items()}
    assert {n for n, w in weights.items() if w.is_contiguous()} == {"pictures in torch's order"}
    torch.manual_seed(0)
    start, losses = trainings["as it is"].network.state_dict(), {}
    x, labels = torch.rand(4, 1, 28, 28), torch.arange(4)
    for name, training in trainings.items():
        training.network.load_state_dict(start)
        losses[name] = training.update(x, labels, 0.0).item()
    middle = losses["in float32"]
    assert all(abs(loss / middle - 1) < 0.01 for loss in losses.values()), losses
    assert "in float32" not in ablation.training(few, CPU, "float32")


def test_a_round_is_as_many_steps_as_it_is_asked_for():
    """Two steps of the optimiser where two are wanted; elsewhere one call a yield but the first."""
    work = ablation.steps(2, 4, 4, CPU, "float32")
    work()
    assert work.args[1].step == 2
    calls = []
    rounds = ablation.rounds(lambda: lambda: calls.append(1))
    for expected in (0, 1, 2):
        next(rounds)
        assert len(calls) == expected


def test_the_table_is_what_the_json_holds(few, workplace, capsys):
    """A whole run: each ratio is that of two medians."""
    ablation.main(["--runs", "2", "--width", "4", "--batch-size", "4", "--steps", "3",
                   "--device", "cpu", "--precision", "float32"])
    out, found = capsys.readouterr().out, json.loads((workplace / "ablation.json").read_text())
    sampling = found["sampling 40 guided digits, float32"]
    for way, each in sampling.items():
        ratio = each["median"] / sampling["as it is"]["median"]
        line = next(line for line in out.splitlines() if line.startswith(f"  {way} ") and
                    f"{each['median']:.3g} s" in line)
        assert f"{ratio:.2f}x" in line
    assert found["precision"] == "float32"
