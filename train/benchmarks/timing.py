"""Measure several ways of doing the same so that the figures can be compared.

A machine is not the same machine a minute later: it warms up, and others want it too. So ways are
measured in turn, a b c, a b c, ..., in one run, and what counts is their ratio. Of each way
the median is told, and its spread, the distance between its quartiles divided by the median.
"""

import statistics
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

CPU = torch.device("cpu")


def wait(device):
    """Wait until the device has done what it was asked: a GPU works while Python runs ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds(work, device=CPU):
    """Return how long a call of work() takes."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


def in_turn(ways, runs, device=CPU, warm=True):
    """Call every way once to warm up, if that is wished, then `runs` times in turn; say so.

    ways: dict of name -> function without arguments. Returns a dict of name -> list of seconds.
    """
    found = {name: [] for name in ways}
    for run in range(0 if warm else 1, runs + 1):
        for name, work in ways.items():
            found[name].append(seconds(work, device))
        told = ", ".join(f"{name} {times[-1]:.3g} s" for name, times in found.items())
        print(f"  {f'{run} of {runs}' if run else 'warm-up'}: {told}", file=sys.stderr, flush=True)
    return {name: times[-runs:] for name, times in found.items()}


def count(work):
    """Return how many operations a call of work() does: multiplications and additions of
    convolutions and matrix products, backward too, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def summary(times):
    """Return {"median", "spread", "runs"} of a list of seconds, or of rates."""
    middle = statistics.median(times)
    quarters = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else [0, 0, 0]
    return {"median": middle, "spread": (quarters[2] - quarters[0]) / middle, "runs": len(times)}


class Parts:
    """Add up how long the parts of some work take: wrap functions, read `.seconds`."""

    def __init__(self, device):
        self.device, self.seconds = device, {}

    def timed(self, name, work):
        """Return a function like `work` that adds its time to the part called `name`."""
        self.seconds[name] = 0.0

        def _call(*args, **options):
            wait(self.device)
            start = time.perf_counter()
            result = work(*args, **options)
            wait(self.device)
            self.seconds[name] += time.perf_counter() - start
            return result

        return _call
