"""train/benchmarks/bench.py and what it uses: the comparison is fair, the counting right. No test
depends on a measured time."""

import json

import pytest
import torch
from torch import nn

from minidiff.data import catalog
from minidiff.system import hardware
from tests.conftest import attentive
from train import class_cond, first
from train.benchmarks import ablation, baseline, bench, libraries, processes, report, timing

CPU = torch.device("cpu")


def test_the_baseline_samples_seed_after_seed():
    """Each round returns what the sampler of chapter 1 returns for the next seed."""
    network, digits = attentive().network, torch.tensor([3, 8])
    samples = baseline.draws(network, digits, 2.0, 3, CPU)
    assert next(samples) is None
    for seed in (0, 1):
        found = next(samples)
        torch.manual_seed(seed)
        assert torch.equal(found, first.sample(network, digits, 2.0, 3))


def test_the_baseline_trains_on_the_same_images(tiny):
    """Pillow, transform and DataLoader return the very images of the set, each once."""
    x, labels = next(iter(baseline.loader(tiny, len(tiny))))
    assert sorted(labels.tolist()) == sorted(tiny.labels.tolist())
    ours, theirs = (p.flatten(1).sum(1).sort().values for p in (tiny.images_at(slice(None)), x))
    assert torch.equal(ours, theirs) and x.dtype == torch.float32
    one, label = baseline.Images(tiny)[7]
    assert torch.equal(one, tiny.images_at(slice(7, 8))[0]) and label == tiny.labels[7]


def test_the_baseline_learns_from_its_loader(tiny):
    """On endless batches of the DataLoader the loss falls by 40% within 60 steps."""
    torch.manual_seed(0)
    batches = baseline.forever(baseline.loader(tiny, 26))
    losses = first.train(baseline.UNet(4, **first.NETWORK), batches)
    found = [next(losses) for _ in range(60)]
    assert sum(found[-10:]) < 0.6 * sum(found[:10])


def test_a_round_of_the_baseline_is_as_many_steps_as_were_requested(monkeypatch, tiny):
    """Three steps between two yields, on the same network as ours."""
    done = []
    monkeypatch.setattr(first, "train", lambda *_: (done.append(k) for k in range(100)))
    rounds = baseline.rounds(tiny, 2, 8, 3, CPU)
    for expected in (0, 3, 6):
        next(rounds)
        assert len(done) == expected
    assert class_cond.JOB.network(tiny) == first.NETWORK


def test_operations_agree_with_the_formula_for_a_convolution():
    """2 B o i k² H W forward, and twice that backward: for the weight and for the input."""
    conv, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8, requires_grad=True)
    forward = 2 * 2 * 5 * 3 * 9 * 8 * 8
    assert timing.count(lambda: conv(x)) == forward
    assert timing.count(lambda: conv(x).sum().backward()) == 3 * forward


def test_methods_are_called_in_turn_and_the_warm_up_is_not_counted(capsys):
    """Two rounds and a warm-up call a b, a b, a b; two times of each come back."""
    calls = []
    methods = {name: lambda name=name: calls.append(name) for name in "ab"}
    assert {k: len(v) for k, v in timing.in_turn(methods, 2).items()} == {"a": 2, "b": 2}
    assert calls == list("ababab") and "2 of 2" in capsys.readouterr().err
    timing.in_turn(methods, 1, warm=False)
    assert calls == list("ababab" "ab")


def test_the_summary_is_median_and_quartiles():
    """Of 1..5 the median is 3 and the quartiles are 2 and 4. A single value has no spread."""
    assert timing.summary([5, 1, 4, 2, 3]) == {"median": 3, "spread": pytest.approx(2 / 3),
                                              "runs": 5}
    assert timing.summary([7.0]) == {"median": 7.0, "spread": 0, "runs": 1}


def test_parts_add_up_the_seconds_of_wrapped_functions():
    """A wrapped function returns what it returned before, and its time is added to its part."""
    parts = timing.Parts(CPU)
    double = parts.timed("double", lambda x, by=2: x * by)
    assert double(3) == 6 and double(3, by=3) == 9 and parts.seconds["double"] > 0


@pytest.mark.parametrize("main, name", [(bench.main, "--baseline-steps"),
                                        (ablation.main, "--steps")])
def test_too_many_steps_are_refused_before_anything_is_measured(main, name, monkeypatch):
    """The schedule has 300 steps."""
    monkeypatch.setattr(catalog, "load", lambda *_: pytest.fail("begun"))
    monkeypatch.setattr(hardware, "pick_device", lambda *_: pytest.fail("begun"))
    with pytest.raises(ValueError, match=f"{name[2:]} must lie in 1..300.*got 301"):
        main([name, "301"])


def test_the_bench_writes_what_it_prints(workplace, monkeypatch, capsys, tiny):
    """A whole run on tiny data: the table's ratios are those of the JSON's medians; each part of a
    step has a time, and each method's samples are measured."""
    monkeypatch.setattr(catalog, "load", lambda *_: tiny)
    monkeypatch.setattr(bench, "SIZES", {"cpu": (64, 2**12)})
    monkeypatch.setattr(bench, "DIGITS", torch.arange(5))
    start = {"median": 1.0, "spread": 0.1, "runs": 1}
    monkeypatch.setattr(processes, "measure", lambda flags: {
        **dict.fromkeys(processes.STARTS, start), "memory": {"ours": 3e9, "baseline": 4e9}})
    monkeypatch.setattr(bench, "STEPS", (1, 2))
    bench.main(["--width", "2", "--batch-size", "8", "--runs", "2", "--baseline-steps", "2",
                "--device", "cpu"])
    out, found = capsys.readouterr().out, json.loads((workplace / "bench.json").read_text())
    training, sampling = found["training"], found["sampling"]
    ratio = training["ours"]["median"] / training["baseline"]["median"]
    assert f"{ratio:.2f}x" in out and sampling["ours"]["n"] == 10
    ratio = sampling["baseline"]["seconds"]["median"] / sampling["ours"]["seconds"]["median"]
    assert f"{ratio:.2f}x" in out and "4.00" in out and found["versions"]["torch"] in out
    assert {k: v["calls"] for k, v in sampling.items()} == {
        "ours": 20, "ours, bfloat16": 20, "baseline": 4}
    assert {*found["sentence"]} == {f"{f}, {n} steps" for f in ("float32", "bfloat16")
                                    for n in (1, 2)}
    assert f"{found['sentence']['float32, 2 steps']['median']:.3g} ±" in out
    assert set(training["parts"]) == {"data", "forward", "backward", "optimiser"}
    assert all(s > 0 for s in training["parts"].values())
    assert {"float32", "bfloat16", "memory"} == set(found["limits"])


def test_shares_are_of_the_rate_of_the_same_format():
    """Ours is compared with its own format's matrix product, the baseline with float32's."""
    found = {
        "precision": "bfloat16",
        "limits": {"float32": {"median": 100.0}, "bfloat16": {"median": 400.0}},
        "training": {"operations": 2.0, "ours": {"median": 150.0}, "baseline": {"median": 25.0}},
    }
    assert report.share(found, "ours") == "75% of bfloat16"
    assert report.share(found, "baseline") == "50% of float32"


def test_the_table_has_a_row_for_each_library():
    """Operations per second are images per second times operations per image."""
    each = {"parameters": 2e6, "operations": 3e9, "images": {"median": 50.0, "spread": 0.1},
            "sample": {"median": 0.5, "spread": 0.0}}
    ours, theirs = report._libraries({"ours": each, "diffusers": each}).splitlines()[1:]
    assert ours.split()[1:] == theirs.split()[1:]
    assert " ".join(theirs.split()) == "diffusers 2.00 M 3.00 50 ± 10% 150 0.5 ± 0%"


def test_missing_libraries_are_named(monkeypatch):
    """The message says what is missing and which command installs it."""
    monkeypatch.setattr(libraries, "PACKAGES", {"no_such_library": "no-such-library"})
    with pytest.raises(ValueError, match="no_such_library.*PEERS=1"):
        libraries.check()


def test_every_library_is_measured_like_ours(tiny, monkeypatch):
    """With a stand-in for each library: ours in two formats, then theirs, each with its parameters,
    operations per image, images per second and seconds of sampling."""
    def stand_in(name):
        def build(device):
            network = nn.Conv2d(1, 1, 3, padding=1)
            return network, lambda x: network(x).square().mean(), lambda x, t: network(x)

        build.__name__ = name
        return build

    for name in libraries.PACKAGES:
        monkeypatch.setattr(libraries, name, stand_in(name))
    found = libraries.measure(tiny, bench.BenchOptions(width=2, batch_size=4, runs=1), CPU)
    assert list(found) == ["ours", "ours, float32", *libraries.PACKAGES.values()]
    each = found["diffusers"]
    assert each["parameters"] == 10 and each["operations"] == 2 * 2 * 9 * 28**2  # none for x
    assert each["images"]["median"] > 0 and each["sample"]["median"] > 0


def test_our_row_among_the_libraries_is_our_training(tiny):
    """A step changes the weights; sampling calls the network twenty times on forty images, and its
    prediction is that of our model."""
    ours = libraries.Ours(tiny, 2, 8, CPU, "float32")
    model = ours.eps.func
    x, t = torch.rand(40, 1, 28, 28), torch.full((40,), 150)
    expected = model.network(x, t / 300, torch.zeros(40, 10))
    assert torch.equal(ours.eps(x, t), expected)
    before = ours.network.enter[0][0].weight.clone()
    ours.train()
    assert not torch.equal(before, ours.network.enter[0][0].weight)
    calls = []
    ours.eps = lambda x, t: calls.append(len(x))
    ours.sample()
    assert calls == [libraries.DIGITS] * libraries.STEPS


def test_images_per_second_count_every_image(tiny, monkeypatch):
    """If each call took two seconds, three steps of 8 images would be 12 images a second."""
    def two_seconds(methods, runs, device, **_):
        for work in list(methods.values()) * (runs + 1):
            work()
        return {name: [2.0] * runs for name in methods}

    monkeypatch.setattr(bench, "in_turn", two_seconds)
    flags = bench.BenchOptions(width=2, batch_size=8, runs=2)
    found = bench.training(tiny, flags, CPU, "float32")
    assert found["ours"]["median"] == found["baseline"]["median"] == 12
