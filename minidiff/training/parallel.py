"""Several processes, on several GPUs or machines, train one network together.

torchrun, which comes with torch, starts the same script N times and tells each copy its rank:

    torchrun --nproc-per-node=2 -m train.class_cond

All hold the same weights. Each sends its share of every batch through the network, the gradients
are put together, and all take the same step. That is data parallelism, and nothing but the speed
may depend on N: the recipe's batch is the whole one, so the learning rate stays what it is, a step
is the step one process would take but for rounding, and a run goes on under any other number.

    weights        The same seed; and DistributedDataParallel begins with the first one's.
    order, noise   Every process draws those of the whole batch, from generators in the same state.
                   Beside the network's work that is nothing. Only the network gets its share.
    loss           The answers are put together again, so a loss function sees the whole batch and
                   need not know: `shared` is called just like the network.
    gradient       Then all N processes compute the same loss L, together N L. The mean over
                   processes, which DistributedDataParallel takes, makes it the gradient of L.
    BatchNorm      Normalises by its batch. By its share alone it would be another function, and
                   noisier: with 4 pictures a process hardly the same training. So the sums behind
                   mean and variance are added up over processes, and running means with them.

Both the answers and BatchNorm need one operation, y = Σ x_r over the processes r. As y goes into
every process's loss, the gradient that reaches x_r is again a sum over all of them.

torch's SyncBatchNorm does the same in kernels of its own, but on GPUs only. This one is the same on
every device, so what the tests check on a CPU is what runs elsewhere. It costs one exchange per
layer each way.

One process, rank 0, is the writer: it makes the folder, draws the bar, writes and prints. A process
that ends breaks the others' exchange. They wait a little until torchrun stops them, and the first
of them tells how to go on.

Sources: DistributedDataParallel, arXiv:2006.15704; torch's documentation of torchrun.

Exercises
1. Let each process normalise by its own share alone. Is the step still the same?
   test_parallel.py: test_a_step_of_two_processes_is_the_step_of_one
2. Train an epoch with two processes and go on with one. Where should the loss end?
   test_parallel.py: test_a_training_is_the_same_under_any_number_of_processes
Next: photos.py, the first file of the workshop
"""

import atexit
import os
import sys
import time
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = 5  # seconds that a failure waits for torchrun, which looks ten times a second

_store = None  # torchrun's notice board; it outlives every process


def size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def writer() -> bool:
    """Tell whether this is the process that writes and prints."""
    return size() == 1 or dist.get_rank() == 0


@contextmanager
def joined():
    """Join the processes that torchrun started, until the program ends; alone, do nothing.

    In the block all but the writer are silent. A mistake of all is the writer's to tell, since the
    others wait before it leaves the block; a broken exchange leaves it as SystemExit.
    """
    global _store
    launched = dist.is_available() and dist.is_torchelastic_launched()
    if not launched or os.environ["WORLD_SIZE"] == "1":
        yield
        return
    gpus = torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
    _store, rank, N = next(dist.rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    dist.init_process_group(backend, store=_store, rank=rank, world_size=N)
    atexit.register(dist.destroy_process_group)
    try:
        with ExitStack() as stack:
            if rank:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect_stdout(nowhere))
                stack.enter_context(redirect_stderr(nowhere))
            yield
    except Exception as e:
        broken = isinstance(e, dist.DistError) or isinstance(e, RuntimeError) and "gloo" in str(e)
        time.sleep(PATIENCE * (broken + (rank > 0)))  # here torchrun's SIGTERM ends most
        if broken:  # the loss was on another machine, whose torchrun does not look here
            sys.exit(1)
        once()  # this error will be told, so nobody else need speak
        raise


def agreed(value):
    """Return the writer's value, in every process."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, device=torch.device("cpu"))
    return box[0]


@contextmanager
def writer_first():
    """Let the writer do the block before the others: what it downloads is there for them."""
    if not writer():
        agreed(None)
    yield
    if writer():
        agreed(None)


def once() -> bool:
    """Tell whether this process is the first of all to ask: of many that stop, one speaks."""
    try:
        return _store is None or _store.add("spoken", 1) == 1
    except RuntimeError:  # the board was on a machine that is gone
        return True


def named(machine: str) -> str:
    """Return a machine's name for the run's papers, with how many processes shared the work."""
    return machine + (f", {size()} processes" if size() > 1 else "")


def resume_hint(target: str, module: str, words: str) -> str:
    """Return the sentence that a stopped training prints: how to resume it.

    target: of make, for one process. module: for torchrun. words: the flags.
    """
    if size() == 1:
        return f'stopped; the last complete epoch is kept, resume with: make {target} ARGS="{words}"'
    return (
        f"stopped: one of {size()} processes was lost, or all were stopped; the last complete epoch "
        "is kept, resume with any number of processes: "
        f"torchrun --nproc-per-node={os.environ['LOCAL_WORLD_SIZE']} -m {module} {words}"
    )


def shared(network, batch_size: int):
    """Return what to call instead of the network, to have the work shared out; alone, itself.

    network: on its device; its BatchNorm layers change in place, keeping name and weights.
    batch_size: pictures in a whole batch. What is returned takes whole batches and returns whole
    answers, in float32, every process the same. Raises ValueError for more processes than pictures
    or than GPUs, and for a device that has no such exchange.
    """
    N, device = size(), next(network.parameters()).device.type
    if N == 1:
        return network
    if batch_size < N:
        raise ValueError(
            f"a batch of {batch_size} cannot be shared among {N} processes; start at most "
            f"{batch_size}, or raise --batch-size"
        )
    if device not in ("cuda", "cpu"):
        raise ValueError(f"{N} processes can share cuda or cpu, not {device}; add --device cpu")
    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if device == "cuda" and here > gpus:
        raise ValueError(f"{here} processes for {gpus} GPUs; start --nproc-per-node={gpus}")
    return _Shared(network)


class _Shared:
    """A network that many processes evaluate together."""

    def __init__(self, network):
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.__class__ = BatchNorm
        self.replica = DistributedDataParallel(network)

    def __call__(self, *inputs):
        B, N, rank = len(inputs[0]), size(), dist.get_rank()
        start, end = B * rank // N, B * (rank + 1) // N  # may be empty: an epoch's rest is small
        y = self.replica(*[v if v is None else v[start:end] for v in inputs]).float()
        before, after = (y.new_zeros(n, *y.shape[1:]) for n in (start, B - end))
        return _Sum.apply(torch.cat([before, y, after]))


class _Sum(torch.autograd.Function):
    """y = Σ x_r over all processes r; every process gets the same y."""

    @staticmethod
    def forward(ctx, x):
        y = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        return _Sum.forward(ctx, gradient)


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm by mean and variance of the whole batch, of which each process holds a share."""

    def forward(self, x):
        """Return x (B,C,H,W) normalised; in eval mode just as nn.BatchNorm2d."""
        if not self.training:
            return super().forward(x)
        d = x.float() - self.running_mean[:, None, None]  # near 0, so squares keep their digits
        count = torch.full_like(self.running_mean, d[:, 0].numel())
        sums = torch.stack([count, d.sum((0, 2, 3)), d.square().sum((0, 2, 3))])
        n, total, squares = _Sum.apply(sums)
        mean = total / n
        var = squares / n - mean.square()
        with torch.no_grad():
            self.running_mean += self.momentum * mean
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (var + self.eps).rsqrt()
        y = (d - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        return y.to(x.dtype)
