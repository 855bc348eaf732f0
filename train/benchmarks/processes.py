"""What only a fresh process can tell: how long it takes to start, and how much memory it needs.

A process that has worked before has its libraries loaded and its memory claimed. So each of these
is a new one, on the same source, that does one thing and ends. `Elsewhere` is one that stays, and
works only when it is asked to.
"""

import multiprocessing
import pickle
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch

from minidiff.data import dataset
from minidiff.models import generate, zoo
from minidiff.models.options import SampleOptions
from minidiff.network.unet import UNet
from minidiff.system import hardware
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from train import class_cond, first
from train.benchmarks.timing import in_turn, summary

STARTS = {
    "import torch": "import torch",
    "import minidiff": "import minidiff",
    "first digit": "from train.benchmarks.processes import first_digit; first_digit({device!r})",
}


def measure(flags):
    """Return seconds of each of STARTS, and the peak memory of training in bytes.

    flags: BenchFlags.
    """
    starts = {name: code.format(device=flags.device) for name, code in STARTS.items()}
    times = in_turn({name: partial(child, code) for name, code in starts.items()},
                    min(3, flags.runs))
    size = f"{flags.width}, {flags.batch_size}, {flags.device!r}"
    code = "from train.benchmarks.processes import peak; print(peak({!r}, {}))"
    memory = {way: int(child(code.format(way, size))) for way in ("ours", "plain")}
    return {**{name: summary(times[name]) for name in times}, "memory": memory}


def child(code):
    """Run Python code in a fresh process; return what it printed. Raises CalledProcessError where
    it failed."""
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE,
                          cwd=Path(__file__).parent.parent).stdout


class Elsewhere:
    """A generator in a process of its own: every call returns what it yields next.

    rounds, args: the generator function and what it is called with. Its first yield says that it is
    ready, and is waited for here. An error of the generator is raised here, by the call that met
    it; ValueError where the process is lost.
    """

    def __init__(self, rounds, *args):
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        work = pickle.dumps((rounds, args))  # not torch's way, which wants much of /dev/shm
        process = context.Process(target=_serve, args=(there, work), daemon=True)
        told = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is this process's to answer
        process.start()
        signal.signal(signal.SIGINT, told)
        there.close()
        self()

    def __call__(self):
        """Ask for a round and wait for what it yields."""
        try:
            self.pipe.send(None)
            found = self.pipe.recv()
        except (EOFError, OSError) as e:
            raise ValueError("a process that was being measured is lost, killed or out of memory; "
                             "measure again, or less (--width, --batch-size)") from e
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
            except Exception as e:  # the caller's to tell
                found = e
            pipe.send(found)
    except (EOFError, OSError):  # nobody asks any more
        pass


def first_digit(device="auto"):
    """Draw one digit with the shipped weights."""
    hardware.keep_memory()  # as every program of ours
    model = zoo.load_model(str(zoo.snapshots("class")[-1]), hardware.pick_device(device))
    return draw(model, ["3"])


def draw(model, prompts, seed=0, how=None, **guidance):
    """Draw the prompts as the flags `how` say, the defaults if none, and with the model's own
    guidance but for what is given; return them."""
    how = how or SampleOptions()
    options = {**how.options(model), **model.guidance, **guidance}
    *_, last = generate.generate(model, prompts, how.steps, seed, **options)
    return last.x_t


def ready(width, batch_size, device, precision="auto"):
    """Return a class-conditioned Training of ours that never ends, on `device`."""
    precision = hardware.pick_precision(precision, device)
    cfg = Recipe(batch_size=batch_size, precision=precision, epochs=10**6)
    network = UNet(width, **class_cond.JOB.network).train()
    network = network.to(device, memory_format=hardware.memory_format(device))
    return Training(network, class_cond.JOB.loss(cfg, device), cfg, device)


def peak(way, width, batch_size, device="auto"):
    """Return the most memory this process held, in bytes, after three training steps: on a GPU
    what torch claimed there, else all of the process with its libraries.

    way: "ours" or "plain".
    """
    device = hardware.pick_device(device)
    images = torch.randint(256, (3 * batch_size, 1, 28, 28), dtype=torch.uint8, device=device)
    few = dataset.Dataset("noise", images, torch.arange(len(images), device=device) % 10)
    if way == "ours":
        hardware.keep_memory()
        training = ready(width, batch_size, device)
        for x_0, labels in dataset.batches(few, batch_size, training.generator):
            training.update(x_0, labels, training.cfg.lr)
    else:
        work = first.rounds(few, width, batch_size, 3, device)
        for _ in range(2):  # it is ready; it has done three steps
            next(work)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return _resident()


def _resident():
    """Return the most memory this process held, in bytes. Linux tells a new program's own; what
    getrusage says there starts at the parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
