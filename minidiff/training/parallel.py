"""Several processes, on several GPUs or machines, train one network together.

torchrun, which comes with torch, starts the same script N times: `torchrun --nproc-per-node=2 -m
train.class_cond`. All processes have the same weights. Each sends its share of every batch through
the network, the gradients are combined, and all take the same step. Only the speed depends on N: a
step is that of one process up to rounding, and a run can be resumed with any other N.

Every process generates the order and the noise of the whole batch, from the same seed; that is
cheap. The outputs are combined, so a loss function sees the whole batch. All N processes then
compute the same loss L, so their gradients add up to that of N L, and DistributedDataParallel,
which takes the mean, makes it that of L.

BatchNorm normalises by the whole batch; by one share it would be a different, noisier function. So
the sums behind mean and variance are added up over the processes. This and the combined outputs
need one operation, y = Σ x_r over the processes r. Since y enters every process's loss, the
gradient that reaches x_r is again a sum over all. (torch's SyncBatchNorm is for GPUs only.)

One process, rank 0, is the writer: it creates the folder, writes and prints. If a process dies,
the others cannot go on: they wait until torchrun stops them, and one prints how to resume.

Sources: DistributedDataParallel, arXiv:2006.15704; torch's documentation of torchrun.

Exercises
1. Let each process normalise by its own share only. Is the step still the same?
   test_parallel.py: test_a_step_of_two_processes_is_the_step_of_one
2. Train an epoch with two processes and resume with one. Where should the loss end?
   test_parallel.py: test_a_training_is_the_same_under_any_number_of_processes
"""

import atexit
import os
import shlex
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = 5  # seconds that a failed process waits for torchrun, which checks ten times a second
TORCHRUN = {"TORCHELASTIC_RUN_ID": str, "RANK": int, "WORLD_SIZE": int, "LOCAL_RANK": int,
            "LOCAL_WORLD_SIZE": int, "MASTER_ADDR": str, "MASTER_PORT": int}  # its variables
_store = None  # torchrun's key-value store; it outlives every process


def size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def writer() -> bool:
    """Return whether this is the process that writes and prints."""
    return size() == 1 or dist.get_rank() == 0


def _several() -> bool:
    """Return whether torchrun started several processes. Raises ValueError where only some of its
    variables are set, or others than it sets."""
    found = {name: os.environ.get(name, "") for name in TORCHRUN}
    if not found["TORCHELASTIC_RUN_ID"] and found["WORLD_SIZE"] in ("", "1"):
        return False
    if wrong := [name for name, value in found.items()
                 if not (value.isdecimal() if TORCHRUN[name] is int else value)]:
        raise ValueError(f"torchrun sets {', '.join(TORCHRUN)}, but here {', '.join(wrong)} is "
                         "missing or wrong; start with torchrun, or unset them all")
    return found["WORLD_SIZE"] != "1"


@contextmanager
def joined():
    """Join the processes that torchrun started, until the program ends; alone, do nothing. In the
    block only the writer prints. If all processes raise the same error, the writer leaves the block
    first; if one was lost, the others leave it with SystemExit."""
    global _store
    if not (dist.is_available() and _several()):
        yield
        return
    if gpus := torch.cuda.device_count():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
    _store, rank, N = next(dist.rendezvous("env://"))
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", store=_store, rank=rank,
                            world_size=N)
    atexit.register(dist.destroy_process_group)
    try:
        with open(os.devnull, "w") as nowhere:
            out, err = (nowhere, nowhere) if rank else (sys.stdout, sys.stderr)
            with redirect_stdout(out), redirect_stderr(err):
                yield
    except Exception as e:
        broken = isinstance(e, dist.DistError) or isinstance(e, RuntimeError) and "gloo" in str(e)
        time.sleep(PATIENCE * (broken + (rank > 0)))  # torchrun's SIGTERM ends most of them now
        if broken:  # the process was lost on another machine, whose torchrun cannot stop this one
            sys.exit(1)
        once()  # this error will be printed, so the others need not print
        raise


def agreed(value):
    """Return the writer's value, in every process."""
    box = [value]
    if size() > 1:
        dist.broadcast_object_list(box, device=torch.device("cpu"))
    return box[0]


@contextmanager
def writer_first():
    """Let the writer run the block before the others, who then find what it downloaded."""
    if not writer():
        agreed(None)
    yield
    if writer():
        agreed(None)


def once() -> bool:
    """Return whether this process is the first to call it: of many that stop, only one prints."""
    try:
        return _store is None or _store.add("spoken", 1) == 1
    except RuntimeError:  # the store was on a machine that was lost
        return True


def named(machine: str) -> str:
    """Return a machine's name for the run's records, with the number of processes."""
    return machine + (f", {size()} processes" if size() > 1 else "")


def resume_hint(target: str, module: str, words: str, epochs: int) -> str:
    """Return what a stopped run prints: how to resume it. target: of make, for one process.
    module: for torchrun. words: the flags, quoted for the shell. epochs: how many are complete."""
    kept = "the last complete epoch is kept, resume with"
    if not epochs:
        kept = "no epoch is complete yet, start the first one again with"
    if size() == 1:
        words = words.replace("$", "$$")  # for make; the user's shell comes before it
        quoted = shlex.quote(words) if set(words) & set('"$`!\\') else f'"{words}"'
        return f"stopped; {kept}: make {target} ARGS={quoted}"
    start = f"torchrun --nproc-per-node={os.environ['LOCAL_WORLD_SIZE']}"
    return (f"stopped: one of {size()} processes was lost, or all were stopped; {kept} any number "
            f"of processes: {start} -m {module} {words}")


def shared(network, batch_size: int):
    """Return what to call in place of the network, to share the work; alone, the network itself.

    network: on its device; its BatchNorm layers change in place, keeping names and weights.
    batch_size: of a whole batch. Returns a function from whole batches to whole outputs, float32.
    Raises ValueError for more processes than images or GPUs, and for a device that is neither cuda
    nor cpu.
    """
    N, device = size(), next(network.parameters()).device.type
    if N == 1:
        return network
    if (B := batch_size) < N:
        raise ValueError(f"a batch of {B} cannot be shared among {N} processes; start at most {B}, "
                         "or raise --batch-size")
    if device not in ("cuda", "cpu"):
        raise ValueError(f"{N} processes can share cuda or cpu, not {device}; add --device cpu")
    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if device == "cuda" and here > gpus:
        raise ValueError(f"{here} processes for {gpus} GPUs; start --nproc-per-node={gpus}")
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.__class__ = BatchNorm
    return partial(_evaluate, DistributedDataParallel(network))


def _evaluate(replica, *inputs):
    """Return the outputs for a whole batch, of which this process computes its share."""
    B, N, rank = len(inputs[0]), size(), dist.get_rank()
    start, end = B * rank // N, B * (rank + 1) // N  # empty for some in a small last batch
    y = replica(*[v if v is None else v[start:end] for v in inputs]).float()
    before, after = (y.new_zeros(n, *y.shape[1:]) for n in (start, B - end))
    return _Sum.apply(torch.cat([before, y, after]))


class _Sum(torch.autograd.Function):
    """y = Σ x_r over all processes r; every process gets the same y."""

    @staticmethod
    def forward(ctx, x):
        y = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(y)
        return y

    backward = forward


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm by mean and variance of the whole batch, of which each process has a share."""

    def forward(self, x):
        """Return x (B,C,H,W) normalised; in eval mode as nn.BatchNorm2d does."""
        if not self.training:
            return super().forward(x)
        d = x.float() - self.running_mean[:, None, None]  # near 0, so squares keep their digits
        count = torch.full_like(self.running_mean, d[:, 0].numel())
        sums = torch.stack([count, d.sum((0, 2, 3)), d.square().sum((0, 2, 3))])
        n, total, squares = _Sum.apply(sums)
        mean, var = total / n, squares / n - (total / n).square()
        with torch.no_grad():
            self.running_mean += self.momentum * mean
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (var + self.eps).rsqrt()
        mean, scale, bias = (v[:, None, None] for v in (mean, scale, self.bias))
        return ((d - mean) * scale + bias).to(x.dtype)
