"""What is each technique of speed worth? The work without it, in turn with the work as it is.

    make ablation                    prints a table, writes ablation.json; some three minutes

Training is a step of the class-conditioned model, sampling forty guided digits from the shipped
weights. Each row leaves one technique out and keeps all others; its figure is how many times as
long that takes. They do not multiply to the whole gain, since some lean on others. bfloat16 is in
brackets where it is not the default: that row is with it.
"""

import sys
from dataclasses import dataclass
from functools import partial

import torch

from minidiff.files import checkpoint, runs
from minidiff.models import model, options, zoo
from minidiff.network import registry
from minidiff.system import cli, hardware
from train import first
from train.benchmarks import processes
from train.benchmarks.timing import in_turn, summary

DIGITS = [str(k % 10) for k in range(40)]
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class AblationFlags:
    """How much to measure, and where it goes. Raises ValueError for values out of range."""

    runs: int = cli.flag(9, "rounds of each measurement")
    repeat: int = cli.flag(3, "training steps in each round")
    out: str = cli.flag("ablation.json", "JSON of all figures")
    width: int = cli.flag(64, "D of the network that is trained")
    batch_size: int = cli.flag(128, "pictures per training step")
    precision: str = cli.flag("auto", "number format of the training", hardware.PRECISIONS)
    steps: int = cli.flag(300, "network calls of sampling without few-step sampling")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)

    def __post_init__(self):
        for name in ("runs", "repeat", "width", "steps"):
            cli.at_least(name, getattr(self, name), 1)
        cli.at_least("batch_size", self.batch_size, 2)
        first.check_steps("steps", self.steps)


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    (given,) = cli.parse([AblationFlags], argv, "make ablation", "measure each technique of speed")
    flags = AblationFlags(**given)
    out, device = cli.writable(flags.out, ".json"), hardware.pick_device(flags.device)
    precision = hardware.pick_precision(flags.precision, device)
    print(f"{hardware.describe(device)}, medians of {flags.runs} ± spread, each in turn")
    found = {"hardware": hardware.describe(device), "precision": precision}
    for name, ways in (
        (f"{flags.repeat} training steps, {precision}, D = {flags.width}, batch {flags.batch_size}",
         training(flags, device, precision)),
        ("sampling 40 guided digits, float32", sampling(flags, device)),
    ):
        print(name, file=sys.stderr, flush=True)
        times = in_turn(ways, flags.runs, device)
        found[name] = {way: summary(each) for way, each in times.items()}
        runs.write_json(out, found)
        print(table(name, found[name]))
    print(f"wrote {out}")


def training(flags, device, precision):
    """Return the ways to do a training step, as functions without arguments."""
    size = flags.repeat, flags.width, flags.batch_size, device
    other = {} if precision == "float32" else {"in float32": steps(*size, "float32")}
    return {
        AS_IT_IS: steps(*size, precision),
        **other,
        "pictures in torch's order": steps(*size, precision, reordered),
        "Adam not fused": steps(*size, precision, unfused),
        "memory given back": processes.Elsewhere(rounds, steps, *size, precision),
    }


def steps(n, width, batch_size, device, precision, change=lambda training: None):
    """Return a function that does n steps of a training of ours, changed."""
    training = processes.ready(width, batch_size, device, precision)
    change(training)
    x, labels = torch.rand(batch_size, 1, 28, 28), torch.arange(batch_size) % 10
    return partial(several, n, training, x.to(device), labels.to(device))


def several(n, training, x, labels):
    """Do n steps of a training on one batch; return the last loss."""
    for _ in range(n):
        loss = training.update(x, labels, 1e-4)
    return loss


def reordered(model):
    """Let weights, and so pictures, lie in torch's own order."""
    model.network.to(memory_format=torch.contiguous_format)


def unfused(training):
    """Give a training the Adam that goes weight by weight."""
    training.optimizer = torch.optim.Adam(training.network.parameters(), fused=False)


def rounds(make, *args):
    """Yield nothing when ready, and after every call of make(*args)."""
    work = make(*args)
    yield
    while True:
        work()
        yield


class Halves(model.NoiseModel):
    """A model that is asked for both branches of guidance one by one."""

    def ask(self, *inputs):
        """Return what DigitModel does, by two calls where a batch holds two branches."""
        if len(inputs[0]) <= len(DIGITS):
            return super().ask(*inputs)
        return torch.cat([super(Halves, self).ask(*part) for part in zip(
            *(v.chunk(2) for v in inputs))])


def sampling(flags, device):
    """Return the ways to draw the digits, as functions without arguments."""
    return {
        AS_IT_IS: drawing(device),
        f"{flags.steps} steps": drawing(device, how=options.SampleOptions(steps=flags.steps)),
        "guided at every step": drawing(device, guide_until=0.0),
        "two calls to guide": drawing(device, made=Halves),
        "norms not folded": drawing(device, unfolded),
        "pictures in torch's order": drawing(device, reordered),
        "memory given back": processes.Elsewhere(rounds, drawing, device),
        "(in bfloat16)": drawing(device, precision="bfloat16"),
    }


def unfolded(model):
    """Give the shipped model back its norms."""
    network = registry.rebuild(checkpoint.load(zoo.snapshots("class")[-1]))
    model.network = network.to(model.device, memory_format=hardware.memory_format(model.device))


def drawing(device, change=lambda model: None, precision="float32", made=None, **given):
    """Return a function that draws the digits with the shipped model, changed."""
    found = checkpoint.load(zoo.snapshots("class")[-1])
    model = zoo.from_checkpoint(found, device=device, precision=precision, made=made)
    change(model)
    return partial(processes.draw, model, DIGITS, **given)


def table(name, found):
    """Return medians and ratios as text."""
    base = found[AS_IT_IS]["median"]
    rows = [f"{way:<34}{each['median']:>9.3g} s ± {each['spread']:<4.0%}"
            f"{each['median'] / base:>8.2f}x" for way, each in found.items()]
    return "\n".join(["", name, *(f"  {row}" for row in rows)])


if __name__ == "__main__":
    cli.program(main)
