"""What only a new process can show: how long it takes to start, and how much memory it needs.

A process that has worked before has its libraries loaded and its memory allocated. So each of these
measurements runs in a new process, which does one thing with the same source and ends. A
`Subprocess` keeps running, but works only when it is called.
"""

import multiprocessing
import pickle
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch

from minidiff.data.dataset import Dataset, batches
from minidiff.models import zoo
from minidiff.models.generate import generate
from minidiff.models.model import NoiseModel
from minidiff.models.options import options_for
from minidiff.network.unet import UNet
from minidiff.system import hardware
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from train import class_cond, first
from train.benchmarks import baseline
from train.benchmarks.timing import in_turn, summary

ROOT = Path(__file__).parents[2]
STARTS = {
    "import torch": "import torch",
    "import minidiff": "import minidiff",
    "first digit": "from train.benchmarks.processes import first_digit; first_digit({device!r})",
}


def measure(flags):
    """Return the seconds of each of STARTS, and the peak memory of training in bytes.

    flags: BenchOptions.
    """
    starts = {name: code.format(device=flags.device) for name, code in STARTS.items()}
    times = in_turn({name: partial(child, code) for name, code in starts.items()},
                    min(3, flags.runs))
    size = f"{flags.width}, {flags.batch_size}, {flags.device!r}"
    code = "from train.benchmarks.processes import peak; print(peak({!r}, {}))"
    memory = {method: int(child(code.format(method, size))) for method in ("ours", "baseline")}
    return {**{name: summary(times[name]) for name in times}, "memory": memory}


def child(code):
    """Run Python code in a new process; return what it printed. Raises CalledProcessError if it
    failed."""
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE,
                          cwd=ROOT).stdout


class Subprocess:
    """A generator in a process of its own: every call returns what it yields next.

    rounds, args: the generator function and its arguments. Its first yield means that it is ready;
    the constructor waits for it. An exception in the generator is raised here, by the call that
    caused it; ValueError if the process is lost.
    """

    def __init__(self, rounds, *args):
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        work = pickle.dumps((rounds, args))  # torch's own pickling needs a lot of /dev/shm
        process = context.Process(target=_serve, args=(there, work), daemon=True)
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # this process handles Ctrl-C
        process.start()
        signal.signal(signal.SIGINT, handler)
        there.close()
        self()

    def __call__(self):
        """Start the next round and return what it yields."""
        try:
            self.pipe.send(None)
            found = self.pipe.recv()
        except (EOFError, OSError) as e:
            raise ValueError("a process that was being measured is lost, killed or out of memory; "
                             "try again, or reduce --width or --batch-size") from e
        if isinstance(found, BaseException):
            raise found
        return found


def _serve(pipe, work):
    rounds, args = pickle.loads(work)
    work = rounds(*args)
    try:
        while True:
            pipe.recv()
            try:
                found = next(work)
            except Exception as e:  # raised by the caller
                found = e
            pipe.send(found)
    except (EOFError, OSError):  # the caller has ended
        pass


def first_digit(device="auto"):
    """Return one digit from the shipped weights."""
    hardware.keep_memory()  # as every program of ours does
    model = zoo.load_model(str(zoo.snapshots("class")[-1]), hardware.pick_device(device))
    return drawn(model, ["3"])


def drawn(model, prompts, **given):
    """Return an image for each prompt. given: fields of SampleOptions that override the
    model's defaults."""
    options = options_for(model, **given)
    *_, last = generate(model, prompts, steps=options.steps, seed=options.seed,
                        **options.guidance, **options.sampling(model))
    return last.x_t


def ready(width, batch_size, device, precision="auto"):
    """Return our class-conditioned Training, without an end, on `device`."""
    precision = hardware.pick_precision(precision, device)
    cfg = Recipe(batch_size=batch_size, precision=precision, epochs=10_000)
    network = UNet(width, **first.NETWORK).train()
    network = network.to(device, memory_format=hardware.memory_format(device))
    model = NoiseModel(network, cfg.T, precision=precision)
    return Training(model, partial(class_cond.JOB.loss, cfg=cfg), cfg)


def peak(method, width, batch_size, device="auto"):
    """Return the peak memory of this process, in bytes, after three training steps: on a GPU what
    torch allocated there, else the whole process with its libraries.

    method: "ours" or "baseline".
    """
    device = hardware.pick_device(device)
    images = torch.randint(256, (3 * batch_size, 1, 28, 28), dtype=torch.uint8, device=device)
    few = Dataset("noise", images, torch.arange(len(images), device=device) % 10)
    if method == "ours":
        hardware.keep_memory()
        training = ready(width, batch_size, device)
        for x_0, labels in batches(few, batch_size, training.generator):
            training.update(x_0, labels, training.cfg.lr)
    else:
        work = baseline.rounds(few, width, batch_size, 3, device)
        for _ in range(2):  # ready; three steps done
            next(work)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return _resident()


def _resident():
    """Return the peak memory of this process, in bytes. Linux reports it in /proc; its getrusage
    starts from the parent's peak."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
