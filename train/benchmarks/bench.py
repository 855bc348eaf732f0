"""Measure the speed of training and sampling against the machine's limits and the baseline.

    make bench                       prints a table, writes bench.json; about three minutes
    make bench PEERS=1               the UNets of other libraries too
    make bench ARGS="--runs 9"       more rounds, a more reliable median

Everything is measured in one run, in turn (timing.py), so the ratios hold even on a busy machine;
seconds hold only on an idle one. The *baseline* is written as in a usual tutorial (baseline.py),
and runs in processes of its own, since our programs change how memory is managed (hardware.py).
*Operations* are the multiplications and additions of convolutions and matrix products, counted by
torch during training; their rate is compared with that of one large matrix product, about the most
that a network can reach. Start-up and memory are measured in new processes.
"""

import sys
from dataclasses import dataclass
from functools import partial

import torch

from minidiff.data import catalog
from minidiff.data.dataset import batches
from minidiff.evaluation import metrics
from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.options import options_for
from minidiff.network import registry
from minidiff.system import cli, hardware
from minidiff.training.loop import fit
from train import first
from train.benchmarks import baseline, libraries, processes, report
from train.benchmarks.timing import Parts, count, in_turn, summary

DIGITS = torch.arange(40) % 10
SENTENCE, STEPS = "a red rocket ship at night", (20, 30)  # one image of it, in so many steps
SIZES = {"cpu": (2048, 2**26), "cuda": (8192, 2**30)}  # side of a matrix, floats copied


@dataclass(frozen=True)
class BenchOptions:
    """How much to measure, and where the result goes. Raises ValueError for values out of range."""

    runs: int = cli.flag(5, "rounds of each measurement", least=1, most=10_000)
    out: str = cli.flag("bench.json", "JSON of all results")
    width: int = cli.flag(64, "D of the network that is trained", least=1, most=4096)
    batch_size: int = cli.flag(128, "images per training step", least=2, most=100_000)
    baseline_steps: int = cli.flag(
        first.T, "sampling steps of the baseline", least=1, most=first.T)
    peers: bool = cli.flag(False, "also the libraries that `make bench PEERS=1` installs")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", hardware.DEVICES)
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    (flags,), _ = cli.parse(
        [BenchOptions], argv, "make bench", "measure speed against the baseline and the limits"
    )
    out, device = cli.writable(flags.out, ".json"), hardware.pick_device(flags.device)
    if flags.peers:
        libraries.check()
    sets = {s: catalog.load("auto", s, flags.data_dir).to(device) for s in ("train", "test")}
    precision = hardware.pick_precision("auto", device)
    found = {
        "hardware": hardware.describe(device), "versions": report.versions(),
        "data": sets["train"].name, "precision": precision,
    }
    parts = {
        "limits": lambda: limits(device, flags.runs),
        "training": lambda: training(sets["train"], flags, device, precision),
        "sampling": lambda: sampling(sets, flags, device),
        "sentence": lambda: sentence(flags, device),
        "processes": lambda: processes.measure(flags),
    }
    if flags.peers:
        parts["libraries"] = lambda: libraries.measure(sets["train"], flags, device)
    for name, work in parts.items():
        print(name, file=sys.stderr, flush=True)
        found[name] = work()
        runs.write_json(out, found)  # keep it, whatever happens next
    print(report.table(found))
    print(f"wrote {out}")


def limits(device, rounds):
    """Return the rates of one large matrix product, in operations a second, and of copying memory,
    in bytes a second, read and written."""
    n, size = SIZES.get(device.type, SIZES["cpu"])
    methods, a = {}, torch.rand(n, n, device=device)
    for name in ("float32", "bfloat16"):
        x = a.to(getattr(torch, name))
        methods[name] = partial(torch.mm, x, x.clone())
    source = torch.ones(size, device=device)
    methods["memory"] = partial(torch.empty_like(source).copy_, source)
    amount = {"float32": 2 * n**3, "bfloat16": 2 * n**3, "memory": 2 * 4 * size}
    times = in_turn(methods, 3 * rounds, device)
    return {name: summary([amount[name] / s for s in times[name]]) for name in methods}


def training(data, flags, device, precision):
    """Return images per second of both loops, operations per image, and seconds of each part.

    data: the training set, on the device.
    """
    B, steps = flags.batch_size, 3 if device.type == "cpu" else 50
    ours, watched = (processes.ready(flags.width, B, device, precision) for _ in range(2))
    operations = count(lambda: ours.update(*next(again(data, ours)), ours.cfg.lr))
    parts = Parts(device)
    watched.loss_fn = parts.timed("forward", watched.loss_fn)
    watched.optimizer.step = parts.timed("optimiser", watched.optimizer.step)
    watched.update = parts.timed("step", watched.update)
    batch = parts.timed("data", again(data, watched).__next__)
    progress, images = fit(ours, data, log_every=steps), []
    tutorial = processes.Subprocess(baseline.rounds, data.to("cpu"), flags.width, B, steps, device)
    times = in_turn({
        "ours": lambda: images.append(next(progress).images),
        "baseline": tutorial,
        "parts": lambda: [watched.update(*batch(), watched.cfg.lr) for _ in range(steps)],
    }, flags.runs, device)
    s = parts.seconds
    s["backward"] = s.pop("step") - s["forward"] - s["optimiser"]
    return {
        "width": flags.width, "batch_size": B, "operations": operations / B,
        "ours": summary([n / t for n, t in zip(images[1:], times["ours"])]),
        "baseline": summary([B * steps / t for t in times["baseline"]]),
        "parts": {k: s[k] / watched.step for k in ("data", "forward", "backward", "optimiser")},
    }


def again(data, training):
    """Yield a training's batches, epoch after epoch."""
    while True:
        yield from batches(data, training.cfg.batch_size, training.generator)


def sampling(sets, flags, device):
    """Return the seconds for forty guided digits from the shipped weights, by the baseline and by
    ours in both formats, and the quality of all of them."""
    file = zoo.snapshots("class")[-1]
    network, prompts = registry.rebuild(checkpoint.load(file)), [str(k) for k in DIGITS.tolist()]
    exact, rough = (zoo.load_model(str(file), device, p) for p in ("float32", "bfloat16"))
    how, N = options_for(exact), flags.baseline_steps
    tutorial = processes.Subprocess(baseline.draws, network, DIGITS, how.gamma, N, device)
    generate = {
        "ours": lambda seed: processes.drawn(exact, prompts, seed=seed),
        "ours, bfloat16": lambda seed: processes.drawn(rough, prompts, seed=seed),
        "baseline": lambda seed: tutorial(),
    }
    made = {name: [] for name in generate}
    methods = {k: lambda k=k: made[k].append(generate[k](len(made[k]))) for k in made}
    times = in_turn(methods, flags.runs, device, warm=False)
    judge = zoo.load_kind("classifier", str(zoo.snapshots("classifier")[-1]))
    measure = metrics.Measure(registry.rebuild(judge).to(device), sets["train"], sets["test"])
    labels = DIGITS.repeat(flags.runs).to(device)
    calls = dict.fromkeys(made, how.steps) | {"baseline": 2 * N}
    return {
        k: {"digits": len(DIGITS), "calls": calls[k], "seconds": summary(times[k]),
            **measure(torch.cat(made[k]).clamp(0, 1).to(device), labels)}
        for k in made
    }


def sentence(flags, device):
    """Return the seconds for one guided image of a sentence from the shipped weights, first stage,
    by number format and steps: {"float32, 20 steps": summary}."""
    file = str(zoo.snapshots("doodles")[-1])
    methods = {
        f"{name}, {steps} steps": partial(processes.drawn, model, [SENTENCE], steps=steps)
        for name in ("float32", "bfloat16")
        for model in [zoo.load_model(file, device, name)] for steps in STEPS
    }
    return {k: summary(v) for k, v in in_turn(methods, flags.runs, device).items()}


if __name__ == "__main__":
    with cli.program():
        main()
