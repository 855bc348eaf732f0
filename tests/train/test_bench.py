"""train/bench.py: the comparison is fair, the counting right. Nothing is timed."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import train.benchmarks.ablation
import train.benchmarks.bench
from minidiff.data import dataset  # CHECK data
from minidiff.network.unet import UNet
from minidiff.system import hardware  # CHECK machine
from minidiff.theory.diffusion import noise_like, noise_loss, stratified_timesteps
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import sample
from minidiff.theory.schedule import linear
from tests.conftest import attentive
from train import class_cond, first
from train.benchmarks import libraries, processes, report, timing


def test_plain_and_ours_are_the_same_loss():
    """On the same pictures, times, noise and labels, plain's loss is ours, gradients too: only the
    way there may differ."""
    torch.manual_seed(0)
    network = UNet(2, time=True, classes=10)
    x_0, c = torch.rand(6, 1, 28, 28), F.one_hot(torch.arange(6), 10).float()
    found = []
    ours = noise_loss(linear(300), lambda x, t, c: network(x, t / 300, c), x_0, c,
                      torch.Generator().manual_seed(1))
    g = torch.Generator().manual_seed(1)
    t = stratified_timesteps(6, 300, g)
    theirs = first.loss(network, x_0, c, t, noise_like(x_0, g))
    for loss in (ours, theirs):
        network.zero_grad()
        loss.backward()
        found.append(network.enter[0][0].weight.grad.clone())
    assert torch.allclose(ours, theirs, rtol=1e-5) and torch.allclose(*found, rtol=1e-3, atol=1e-6)


def test_plain_draws_by_the_courses_sampler():
    """The same walk as ours with variance beta and no clipping, step by step with the same noise,
    guided in two calls instead of one."""
    model, digits = attentive(), torch.tensor([3, 8])
    torch.manual_seed(0)
    theirs = first.sample(model.network, digits, 2.0, steps=30)
    cond, null = model.embed(["3", "8"]), model.embed(["", ""])
    torch.manual_seed(0)
    x = torch.randn(2, 1, 28, 28)
    ours = sample(guided(model, cond, null, 2.0), model.schedule, x, list(range(30, -1, -1)))
    assert torch.allclose(ours, theirs, atol=1e-3), (ours - theirs).abs().max()


def test_plain_draws_again_and_again():
    """Seed after seed, each the sampler's own result."""
    network, digits = attentive().network, torch.tensor([3, 8])
    pictures = first.draws(network, digits, 2.0, 3, torch.device("cpu"))
    assert next(pictures) is None
    for seed in (0, 1):
        found = next(pictures)
        torch.manual_seed(seed)
        assert torch.equal(found, first.sample(network, digits, 2.0, 3))


def test_plain_sees_the_same_pictures(tiny):
    """Through Pillow, transform and DataLoader come the very pictures of the set, each once."""
    x, labels = next(iter(first.loader(tiny, len(tiny))))
    assert sorted(labels.tolist()) == sorted(tiny.labels.tolist())
    ours, theirs = (p.flatten(1).sum(1).sort().values for p in (tiny.images_at(slice(None)), x))
    assert torch.equal(ours, theirs) and x.dtype == torch.float32
    one, label = first.Pictures(tiny)[7]
    assert torch.equal(one, tiny.images_at(slice(7, 8))[0]) and label == tiny.labels[7]


def test_plain_learns(tiny):
    """Its loop is a working training: the loss falls."""
    torch.manual_seed(0)
    losses = first.train(UNet(4, time=True, classes=10), first.forever(first.loader(tiny, 26)))
    found = [next(losses) for _ in range(60)]
    assert sum(found[-10:]) < 0.6 * sum(found[:10])


def test_operations_agree_with_the_formula_for_a_convolution():
    """2 B o i k² H W forward, twice that more backward: by the weight, and by the input."""
    conv, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8, requires_grad=True)
    forward = 2 * 2 * 5 * 3 * 9 * 8 * 8
    assert timing.count(lambda: conv(x)) == forward
    assert timing.count(lambda: conv(x).sum().backward()) == 3 * forward


def test_ways_are_called_in_turn_and_the_warm_up_is_not_counted(capsys):
    """a b, a b, a b for two rounds and a warm-up; two times of each come back."""
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in "ab"}
    assert {k: len(v) for k, v in timing.in_turn(ways, 2).items()} == {"a": 2, "b": 2}
    assert calls == list("ababab") and "2 of 2" in capsys.readouterr().err
    timing.in_turn(ways, 1, warm=False)
    assert calls == list("ababab" "ab")


def test_the_summary_is_median_and_quartiles():
    """Of 1..5: median 3, quartiles 2 and 4. One value has no stratified_timesteps."""
    assert timing.summary([5, 1, 4, 2, 3]) == {"median": 3, "stratified_timesteps": pytest.approx(2 / 3),
                                              "runs": 5}
    assert timing.summary([7.0]) == {"median": 7.0, "stratified_timesteps": 0, "runs": 1}


def test_parts_add_up_what_passes_through_them():
    """A wrapped function does what it did; each part's seconds are its own, and none is lost."""
    parts = timing.Parts(torch.device("cpu"))
    double = parts.timed("double", lambda x, by=2: x * by)
    assert double(3) == 6 and double(3, by=3) == 9 and parts.seconds["double"] > 0


def test_a_round_of_plain_is_as_many_steps_as_it_is_asked_for(monkeypatch, tiny):
    """Or it would look faster; and its network is the one that ours trains."""
    done = []
    monkeypatch.setattr(first, "train", lambda *_: (done.append(k) for k in range(100)))
    rounds = first.rounds(tiny, 2, 8, 3, torch.device("cpu"))
    for expected in (0, 3, 6):
        next(rounds)
        assert len(done) == expected
    assert class_cond.JOB.network == first.NETWORK


@pytest.mark.parametrize("main", [train.bench.main, train.benchmarks.ablation.main])
def test_too_many_steps_are_refused_before_anything_is_measured(main, monkeypatch):
    """300 were trained."""
    monkeypatch.setattr(dataset, "load", lambda *_: pytest.fail("begun"))
    monkeypatch.setattr(hardware, "pick_device", lambda *_: pytest.fail("begun"))
    name = "--plain-steps" if main is train.benchmarks.bench.main else "--steps"
    with pytest.raises(ValueError, match="must lie in 1..300.*got 301"):
        main([name, "301"])


def test_the_bench_writes_what_it_prints(workplace, monkeypatch, capsys, tiny):
    """A whole run on tiny data: the table's ratios are those of the JSON's medians; a share of time
    for each part, quality of both."""
    monkeypatch.setattr(dataset, "load", lambda *_: tiny)
    monkeypatch.setattr(train.bench, "SIZES", {"cpu": (64, 2**12)})
    monkeypatch.setattr(train.bench, "DIGITS", torch.arange(5))
    start = {"median": 1.0, "stratified_timesteps": 0.1, "runs": 1}
    monkeypatch.setattr(processes, "measure", lambda flags: {
        **dict.fromkeys(processes.STARTS, start), "memory": {"ours": 3e9, "plain": 4e9}})
    train.benchmarks.bench.main(["--width", "2", "--batch-size", "8", "--runs", "2", "--plain-steps", "2",
                      "--device", "cpu"])
    out, found = capsys.readouterr().out, json.loads((workplace / "bench.json").read_text())
    training, sampling = found["training"], found["sampling"]
    ratio = training["ours"]["median"] / training["plain"]["median"]
    assert f"{ratio:.2f}x" in out and sampling["ours"]["n"] == 10
    ratio = sampling["plain"]["seconds"]["median"] / sampling["ours"]["seconds"]["median"]
    assert f"{ratio:.2f}x" in out and "4.00" in out and found["versions"]["torch"] in out
    assert set(training["parts"]) == {"data", "forward", "backward", "optimiser"}
    assert all(s > 0 for s in training["parts"].values())
    assert {"float32", "bfloat16", "memory"} == set(found["limits"])


def test_the_shares_are_of_the_right_rate():
    """Ours is held against its own format's product, plain against float32's."""
    found = {
        "precision": "bfloat16",
        "limits": {"float32": {"median": 100.0}, "bfloat16": {"median": 400.0}},
        "training": {"operations": 2.0, "ours": {"median": 150.0}, "plain": {"median": 25.0}},
    }
    assert report.share(found, "ours") == "75% of bfloat16"
    assert report.share(found, "plain") == "50% of float32"


def test_missing_peers_are_named(monkeypatch):
    """And what installs them."""
    monkeypatch.setattr(libraries, "PACKAGES", {"no_such_peer": "no-such-peer"})
    with pytest.raises(ValueError, match="no_such_peer.*PEERS=1"):
        libraries.check()


def test_our_side_of_the_peers_is_our_training(tiny):
    """One step changes the weights; a sample calls the network as often as it says."""
    device = torch.device("cpu")
    ours = libraries.Ours(tiny, 2, 8, device, "float32")
    before = ours.network.enter[0][0].weight.clone()
    ours.train()
    assert not torch.equal(before, ours.network.enter[0][0].weight)
    calls = []
    ours.eps = lambda x, t: calls.append(len(x))
    ours.sample()
    assert calls == [libraries.DIGITS] * libraries.STEPS


def test_images_per_second_count_every_image(tiny, monkeypatch):
    """Were each call to take two seconds, three steps of 8 would be 12 pictures a second."""
    def two_seconds(ways, runs, device, **_):
        for work in list(ways.values()) * (runs + 1):
            work()
        return {name: [2.0] * runs for name in ways}

    monkeypatch.setattr(train.bench, "in_turn", two_seconds)
    flags = train.benchmarks.bench.BenchFlags(width=2, batch_size=8, runs=2)
    found = train.benchmarks.bench.training(tiny, flags, torch.device("cpu"), "float32")
    assert found["ours"]["median"] == found["plain"]["median"] == 12
