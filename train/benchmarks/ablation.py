"""What is each speed technique worth? Time the work without it, in turn with the work as it is.

    make ablation                    prints a table, writes ablation.json; about three minutes

Training is a step of the class-conditioned model; sampling makes forty guided digits with the
shipped weights. Each row leaves out one technique and keeps all others; its last column is how many
times as long that takes. The ratios do not multiply to the total gain, since some techniques build
on others. The row in brackets adds bfloat16, which is not the default in sampling.
"""

import sys
from dataclasses import dataclass
from functools import partial

import torch

from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.model import NoiseModel
from minidiff.network import registry
from minidiff.system import cli, hardware
from minidiff.training.recipe import FORMATS
from train import first
from train.benchmarks import processes
from train.benchmarks.timing import in_turn, summary

DIGITS = [str(k % 10) for k in range(40)]
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class AblationOptions:
    """How much to measure, and where the result goes. Raises ValueError for values out of range."""

    runs: int = cli.flag(9, "rounds of each measurement", least=1, most=10_000)
    repeat: int = cli.flag(3, "training steps in each round", least=1, most=100_000)
    out: str = cli.flag("ablation.json", "JSON of all results")
    width: int = cli.flag(64, "D of the network that is trained", least=1, most=4096)
    batch_size: int = cli.flag(128, "images per training step", least=2, most=100_000)
    precision: str = cli.flag("auto", "number format of training", FORMATS)
    steps: int = cli.flag(
        first.T, "sampling steps without few-step sampling", least=1, most=first.T)
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", hardware.DEVICES)

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    (flags,), _ = cli.parse(
        [AblationOptions], argv, "make ablation", "measure what each speed technique is worth"
    )
    out, device = cli.writable(flags.out, ".json"), hardware.pick_device(flags.device)
    precision = hardware.pick_precision(flags.precision, device)
    print(f"{hardware.describe(device)}, medians of {flags.runs} ± spread, each in turn")
    found = {"hardware": hardware.describe(device), "precision": precision}
    for name, methods in (
        (f"{flags.repeat} training steps, {precision}, D = {flags.width}, batch {flags.batch_size}",
         training(flags, device, precision)),
        ("sampling 40 guided digits, float32", sampling(flags, device)),
    ):
        print(name, file=sys.stderr, flush=True)
        times = in_turn(methods, flags.runs, device)
        found[name] = {method: summary(each) for method, each in times.items()}
        runs.write_json(out, found)
        print(table(name, found[name]))
    print(f"wrote {out}")


def training(flags, device, precision):
    """Return the methods of doing training steps: dict of name -> function without arguments."""
    size = flags.repeat, flags.width, flags.batch_size, device
    other = {} if precision == "float32" else {"in float32": steps(*size, "float32")}
    return {
        AS_IT_IS: steps(*size, precision),
        **other,
        "images in torch's own order": steps(*size, precision, reordered),
        "Adam not fused": steps(*size, precision, unfused),
        "memory returned to the system": processes.Subprocess(rounds, steps, *size, precision),
    }


def steps(n, width, batch_size, device, precision, change=lambda training: None):
    """Return a function that does n steps of our training, changed by `change`."""
    training = processes.ready(width, batch_size, device, precision)
    change(training)
    x, labels = torch.rand(batch_size, 1, 28, 28), torch.arange(batch_size) % 10
    return partial(several, n, training, x.to(device), labels.to(device))


def several(n, training, x, labels):
    """Do n steps of a training on one batch; return the last loss."""
    for _ in range(n):
        loss = training.update(x, labels, 1e-4)
    return loss


def reordered(owner):
    """Put the weights of a model or training, and so the images, into torch's own memory order."""
    owner.network.to(memory_format=torch.contiguous_format)


def unfused(training):
    """Give a training an Adam that updates one weight tensor at a time."""
    training.optimizer = torch.optim.Adam(training.network.parameters(), fused=False)


def rounds(make, *args):
    """Yield None once ready, and again after every call of make(*args)."""
    work = make(*args)
    yield
    while True:
        work()
        yield


class TwoCalls(NoiseModel):
    """A model that evaluates the two branches of guidance one after the other."""

    def __call__(self, *inputs):
        """Return what NoiseModel does, by two calls where a batch holds both branches."""
        if len(inputs[0]) <= len(DIGITS):
            return super().__call__(*inputs)
        halves = zip(*(v.chunk(2) for v in inputs))
        return torch.cat([super(TwoCalls, self).__call__(*half) for half in halves])


def sampling(flags, device):
    """Return the methods of sampling the digits: dict of name -> function without arguments."""
    return {
        AS_IT_IS: sampler(device),
        f"{flags.steps} steps": sampler(device, steps=flags.steps),
        "guided at every step": sampler(device, guide_until=0.0),
        "two calls per guided step": sampler(device, made=TwoCalls),
        "norms not folded": sampler(device, unfolded),
        "images in torch's own order": sampler(device, reordered),
        "memory returned to the system": processes.Subprocess(rounds, sampler, device),
        "(in bfloat16)": sampler(device, precision="bfloat16"),
    }


def unfolded(model):
    """Give the shipped model its BatchNorm layers back."""
    network = registry.rebuild(checkpoint.load(zoo.snapshots("class")[-1]))
    network = network.to(model.device, memory_format=hardware.memory_format(model.device))
    model.network = model.evaluate = network


def sampler(device, change=lambda model: None, precision="float32", made=None, **given):
    """Return a function that samples the digits from the shipped model, changed by `change`. given:
    fields of SampleOptions."""
    found = checkpoint.load(zoo.snapshots("class")[-1])
    model = zoo.from_checkpoint(found, device=device, precision=precision, made=made)
    change(model)
    return partial(processes.drawn, model, DIGITS, **given)


def table(name, found):
    """Return medians and ratios as text."""
    base = found[AS_IT_IS]["median"]
    rows = [f"{method:<34}{each['median']:>9.3g} s ± {each['spread']:<4.0%}"
            f"{each['median'] / base:>8.2f}x" for method, each in found.items()]
    return "\n".join(["", name, *(f"  {row}" for row in rows)])


if __name__ == "__main__":
    with cli.program():
        main()
