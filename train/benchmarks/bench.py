"""Measure how fast training and sampling are here, against the machine's limits and against plain.

    make bench                       prints a table, writes bench.json; some three minutes
    make bench PEERS=1               the UNets of other libraries too
    make bench ARGS="--runs 9"       more rounds, a surer median

All is measured in one run, in turn (clock.py), so the ratios hold even where the machine is busy;
seconds hold for a quiet one only. *Plain* is the usual tutorial's way (first.py), in processes of
its own, since a program of ours changes how its process holds memory (hardware.py).
*Operations* are the multiplications and additions of convolutions and matrix products, counted by
torch while it trains; their rate is held against that of one large matrix product, about the most
that a network can reach. Start-up and memory are measured in fresh processes.
"""

import sys
from dataclasses import dataclass
from functools import partial

import torch

from minidiff.data import dataset
from minidiff.evaluation import metrics
from minidiff.files import checkpoint, runs
from minidiff.models import options, zoo
from minidiff.network import registry
from minidiff.system import cli, hardware
from minidiff.training.loop import fit
from train import first
from train.benchmarks import libraries, processes, report
from train.benchmarks.timing import Parts, count, in_turn, summary

DIGITS = torch.arange(40) % 10
SIZES = {"cpu": (2048, 2**26), "cuda": (8192, 2**30)}  # side of a matrix, floats copied


@dataclass(frozen=True)
class BenchFlags:
    """How much to measure, and where it goes. Raises ValueError for values out of range."""

    runs: int = cli.flag(5, "rounds of each measurement")
    out: str = cli.flag("bench.json", "JSON of all figures")
    width: int = cli.flag(64, "D of the network that is trained")
    batch_size: int = cli.flag(128, "pictures per training step")
    plain_steps: int = cli.flag(300, "network calls of the plain sampler")
    peers: bool = cli.flag(False, "also the libraries that `make bench PEERS=1` installs")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        for name in ("runs", "width", "plain_steps"):
            cli.at_least(name, getattr(self, name), 1)
        cli.at_least("batch_size", self.batch_size, 2)
        first.check_steps("plain_steps", self.plain_steps)


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    (given,) = cli.parse([BenchFlags], argv, "make bench", "measure speed against plain and limits")
    flags = BenchFlags(**given)
    out, device = cli.writable(flags.out, ".json"), hardware.pick_device(flags.device)
    if flags.peers:
        libraries.check()
    sets = {s: dataset.load("auto", s, flags.data_dir).to(device) for s in ("train", "test")}
    precision = hardware.pick_precision("auto", device)
    found = {
        "hardware": hardware.describe(device), "versions": report.versions(),
        "data": sets["train"].name, "precision": precision,
    }
    parts = {
        "limits": lambda: limits(device, flags.runs),
        "training": lambda: training(sets["train"], flags, device, precision),
        "sampling": lambda: sampling(sets, flags, device),
        "fresh": lambda: processes.measure(flags),
        **({"peers": lambda: libraries.measure(sets["train"], flags, device)} if flags.peers else {}),
    }
    for name, work in parts.items():
        print(name, file=sys.stderr, flush=True)
        found[name] = work()
        runs.write_json(out, found)  # what is measured stays, whatever comes
    print(report.table(found))
    print(f"wrote {out}")


def limits(device, rounds):
    """Return the rates of one large matrix product, operations a second, and of copying memory,
    bytes a second, read and written."""
    n, size = SIZES.get(device.type, SIZES["cpu"])
    ways, a = {}, torch.rand(n, n, device=device)
    for name in ("float32", "bfloat16"):
        x = a.to(getattr(torch, name))
        ways[name] = partial(torch.mm, x, x.clone())
    source = torch.ones(size, device=device)
    ways["memory"] = partial(torch.empty_like(source).copy_, source)
    amount = {"float32": 2 * n**3, "bfloat16": 2 * n**3, "memory": 2 * 4 * size}
    times = in_turn(ways, 3 * rounds, device)
    return {name: summary([amount[name] / s for s in times[name]]) for name in ways}


def training(dataset, flags, device, precision):
    """Return images per second of both loops, operations per image, and seconds of each part."""
    B, steps = flags.batch_size, 3 if device.type == "cpu" else 50
    ours, watched = (processes.ready(flags.width, B, device, precision) for _ in range(2))
    operations = count(lambda: ours.update(*next(again(dataset, ours)), ours.cfg.lr))
    parts = Parts(device)
    watched.loss_fn = parts.timed("forward", watched.loss_fn)
    watched.optimizer.step = parts.timed("optimiser", watched.optimizer.step)
    watched.update = parts.timed("step", watched.update)
    pictures = parts.timed("data", again(dataset, watched).__next__)
    progress, images = fit(ours, dataset, log_every=steps), []
    tutorial = processes.Elsewhere(first.rounds, dataset.to("cpu"), flags.width, B, steps, device)
    times = in_turn({
        "ours": lambda: images.append(next(progress).images),
        "plain": tutorial,
        "parts": lambda: [watched.update(*pictures(), watched.cfg.lr) for _ in range(steps)],
    }, flags.runs, device)
    s = parts.seconds
    s["backward"] = s.pop("step") - s["forward"] - s["optimiser"]
    return {
        "width": flags.width, "batch_size": B, "operations": operations / B,
        "ours": summary([n / t for n, t in zip(images[1:], times["ours"])]),
        "plain": summary([B * steps / t for t in times["plain"]]),
        "parts": {k: s[k] / watched.step for k in ("data", "forward", "backward", "optimiser")},
    }


def again(dataset, training):
    """Yield batches of a training, over and over."""
    while True:
        yield from dataset.batches(dataset, training.cfg.batch_size, training.generator)


def sampling(sets, flags, device):
    """Return seconds for forty guided digits from the shipped weights, drawn by plain and by ours
    in both formats, and how good all that were drawn are."""
    file, how = zoo.snapshots("class")[-1], options.SampleOptions()
    network, prompts = registry.rebuild(checkpoint.load(file)), [str(k) for k in DIGITS.tolist()]
    drawn = {"ours": [], "ours, bfloat16": [], "plain": []}
    exact, rough = (zoo.load_model(str(file), device, p) for p in ("float32", "bfloat16"))
    gamma = exact.guidance["gamma"]
    tutorial = processes.Elsewhere(first.draws, network, DIGITS, gamma, flags.plain_steps, device)
    ours = (partial(processes.draw, model, prompts) for model in (exact, rough))
    draw = dict(zip(drawn, (*ours, lambda seed: tutorial())))
    ways = {k: lambda k=k: drawn[k].append(draw[k](len(drawn[k]))) for k in drawn}
    times = in_turn(ways, flags.runs, device, warm=False)
    judge = zoo.load_kind("classifier", str(zoo.snapshots("classifier")[-1]))
    measure = metrics.Measure(registry.rebuild(judge).to(device), sets["train"], sets["test"])
    asked = DIGITS.repeat(flags.runs).to(device)
    calls = dict.fromkeys(drawn, how.steps) | {"plain": 2 * flags.plain_steps}
    return {
        k: {"digits": len(DIGITS), "calls": calls[k], "seconds": summary(times[k]),
            **measure(torch.cat(drawn[k]).clamp(0, 1).to(device), asked)}
        for k in drawn
    }


if __name__ == "__main__":
    cli.program(main)
