"""Does all of it work on this GPU, and how fast? One table, in under eight minutes.

    make gpu-check                                  prints a table for docs/results.md
    make gpu-check ARGS="--device cpu --quick"      tries the check itself, in two minutes

    tests            those that touch a device (`pytest -m device`), on this one
    resume           a training that was stopped ends with the bits of one that was not
    same samples     the shipped weights, one seed: the largest difference from the CPU's pixels
    number formats   the same samples in bfloat16 and float16, and what the judge reads in them
    full recipe      `make train-class ARGS="--recipe full"`: its time and loss; its samples
    bench            the table of `make bench`
    doodles          `make train-doodles ARGS="--recipe full"` in the time that is left

A part that fails is a row that says so; the others go on. Trainings are the commands that users
type, each in a process of its own, in a temporary folder.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from minidiff.evaluation import metrics
from minidiff.evaluation.judge import read
from minidiff.files import atomic, checkpoint, runs
from minidiff.models import zoo
from minidiff.network import registry
from minidiff.system import cli, hardware
from train.benchmarks import processes
from train.benchmarks.timing import seconds

QUICK = ["--width", 4, "--batch-size", 64, "--epochs", 1, "--early-epoch", 1, "--limit", 512,
         "--sample-steps", 4]
SMALL = [*QUICK, "--decay", "constant"]
SPARE = 15  # seconds kept for ending a training and writing the table


@dataclass(frozen=True)
class CheckOptions:
    """Where to check, and for how long. Raises ValueError for values out of range."""

    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)
    minutes: float = cli.flag(8, "for all of it", least=0.5, most=10_000)
    quick: bool = cli.flag(False, "tiny trainings, few samples: to try the check itself")
    out: str = cli.flag("gpu-check.md", "the table, Markdown")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Run every part; print the table as it grows, and write it."""
    (flags,), _ = cli.parse([CheckOptions], argv, "make gpu-check", "check a GPU in one go")
    out, device = cli.writable(flags.out, ".md"), hardware.pick_device(flags.device)
    about = f"{hardware.describe(device)}; `make gpu-check`" + (" --quick" if flags.quick else "")
    head = [f"{about}, seed 0, one run.", "", "| check | result | seconds |", "|---|---|---|"]
    rows, extra = head, []
    print("\n".join(rows), flush=True)
    with tempfile.TemporaryDirectory() as place:
        check = Check(device, flags, Path(place), time.monotonic() + 60 * flags.minutes)
        for name, part in check.parts.items():
            start = time.monotonic()
            try:
                result = part()
            except (ValueError, RuntimeError, OSError, subprocess.SubprocessError) as e:
                result = f"FAILED: {str(e).strip().splitlines()[-1]:.200}"
            if "\n" in result:
                extra, result = ["", "```", result.strip(), "```"], "below"
            rows.append(f"| {name} | {result} | {time.monotonic() - start:.0f} |")
            print(rows[-1], flush=True)
            with atomic.atomic_write(out, text=True) as f:  # keep it, whatever comes next
                f.write("\n".join([*rows, *extra, ""]))
    print("\n".join(extra))
    print(f"wrote {out}")


class Check:
    """The parts of the check, each a function that returns its result in words.

    device: torch.device. flags: CheckOptions. place: an empty folder. end: when to be done, as
    time.monotonic.
    """

    def __init__(self, device, flags, place, end):
        self.device, self.flags, self.place, self.end = device, flags, place, end
        self.parts = {
            "tests on the device": self.tests, "resume, bit for bit": self.resume,
            "same samples as the CPU": self.samples, "number formats": self.formats,
            "full recipe, class": self.full, "bench": self.bench,
            "full recipe, doodles": self.doodles,
        }

    def run(self, *words, stop=False):
        """Run `python -m words` here; return what it printed. It is ended when the time is up;
        where `stop`, it may save what it has first, and that is no error. Raises SubprocessError if
        it fails or is ended."""
        command = [sys.executable, "-m", *map(str, words)]
        with subprocess.Popen(command, cwd=processes.ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            left = max(1, self.end - time.monotonic() - SPARE)
            try:
                out, err = process.communicate(timeout=left)
            except subprocess.TimeoutExpired as e:
                process.terminate() if stop else process.kill()  # Ctrl-C may be ignored
                out, err = process.communicate()
                if not stop:
                    raise subprocess.SubprocessError("the time was up") from e
            if process.returncode and not stop:
                raise subprocess.SubprocessError((err or out).strip())
        return out

    def where(self):
        """Return the flags that say where a training computes and reads."""
        data = ["--data-dir", self.flags.data_dir] if self.flags.data_dir else []
        return ["--device", str(self.device), *data]

    def tests(self):
        """Run the tests that touch a device, on this one."""
        out = self.run("pytest", "-m", "device", "-k", self.device.type, "-p", "no:cacheprovider")
        return out.strip().splitlines()[-1]

    def resume(self):
        """Train 2 epochs at once, and 1 and then another; compare all weights."""
        for name, epochs in (("once", 2), ("twice", 1)):
            self.run("train.uncond", *SMALL, *self.where(), "--epochs", epochs,
                     "--run-dir", self.place / name)
        self.run("train.uncond", "--resume", "--epochs", 2, *self.where(),
                 "--run-dir", self.place / "twice")
        a, b = (checkpoint.load(self.place / name / runs.LAST)["weights"]
                for name in ("once", "twice"))
        unequal = [name for name in a if not torch.equal(a[name], b[name])]
        if unequal:
            raise ValueError(f"{len(unequal)} of {len(a)} tensors differ, such as {unequal[0]}")
        return f"all {len(a)} tensors are identical"

    def digits(self, device, precision="float32", n=40):
        """Return n digits from the shipped weights (n,1,28,28), on the CPU, and the seconds."""
        file, found = str(zoo.snapshots("class")[-1]), []
        model, prompts = zoo.load_model(file, device, precision), [str(k % 10) for k in range(n)]
        processes.drawn(model, prompts, steps=2)  # warm up
        taken = seconds(lambda: found.append(processes.drawn(model, prompts)), device)
        return found[0].clamp(0, 1).cpu(), taken

    def samples(self):
        """Sample forty digits here and on the CPU, from the same seed."""
        here, there = (self.digits(d)[0] for d in (self.device, torch.device("cpu")))
        away = (here - there).abs()
        return (f"largest difference {away.max():.2g} of the range 0..1; "
                f"{(away > 1 / 255).float().mean():.2%} of pixels differ by more than 1/255")

    def formats(self):
        """Sample in every number format, and let the judge read the digits."""
        n, told = 100 if self.flags.quick else 1000, []
        judge = registry.rebuild(zoo.load_kind("classifier", str(zoo.snapshots("classifier")[-1])))
        slow = self.device.type == "cpu"  # it has no fast float16
        for precision in ("float32", "bfloat16", *(() if slow else ("float16",))):
            x, taken = self.digits(self.device, precision, n)
            metrics.check_finite(x)
            right = (read(judge, x)[:, 0] == torch.arange(n) % 10).float().mean()
            told.append(f"{precision} {right:.1%} read correctly, {n / taken:.0f} digits/s")
        return f"n = {n}: " + "; ".join(told)

    def trained(self, module, name, stop=False):
        """Train by a full recipe; return its time, its loss and how far it came."""
        folder = self.place / name
        self.run(module, "--recipe", "full", *(QUICK if self.flags.quick else ()), *self.where(),
                 "--run-dir", folder, stop=stop)
        rows = runs.read_log(folder)
        if not rows:
            raise ValueError("the time was up before the first record")
        config = runs.read_json(folder / runs.CONFIG, "")["config"]
        spent = runs.seconds(rows, config["batch_size"])
        ends = runs.loss_curves(rows)["mean of the epoch"][1]
        losses = f"loss {ends[0]:.4f} in epoch 1, {ends[-1]:.4f} in epoch {len(ends)}" \
            if ends else f"loss {rows[-1]['loss']:.4f}"
        return (f"D = {config['width']}, batch {config['batch_size']}, epoch {rows[-1]['epoch']} "
                f"of {config['epochs']}, {spent:.0f} s of training; {losses}")

    def full(self):
        """Train the class-conditioned model by its full recipe, and measure its samples."""
        found = self.trained("train.class_cond", "class")
        n, file = 100 if self.flags.quick else 2000, self.place / "evaluation.json"
        self.run("sample.measure.evaluate", "--model", self.place / "class", "--n", n,
                 "--out", file, "--judge", zoo.snapshots("classifier")[-1], *self.where())
        m = runs.read_json(file, "")["measures"]
        return f"{found}; n = {n}: {m['accuracy']:.2%} read correctly, distance {m['ratio']:.2f}"

    def bench(self):
        """Run the bench, with fewer rounds than by hand."""
        few = ["--runs", 1, "--width", 8, "--batch-size", 32, "--baseline-steps", 2]
        return self.run("train.benchmarks.bench", *(few if self.flags.quick else ["--runs", 3]),
                        "--out", self.place / "bench.json", *self.where())

    def doodles(self):
        """Train the doodles by their full recipe until the time is up."""
        return self.trained("train.doodles", "doodles", stop=True)


if __name__ == "__main__":
    with cli.program():
        main()
