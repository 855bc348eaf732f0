"""Time several ways of doing the same thing so that the results can be compared.

A machine is not equally fast a minute later: it warms up, and other programs use it too. So methods
are timed in turn, a b c, a b c, ..., in one run, and what counts is their ratio. For each, the
median is reported, and its spread, the distance between the quartiles divided by the median.
"""

import statistics
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

CPU = torch.device("cpu")


def wait(device):
    """Wait until the device has finished its work: a GPU computes while Python runs ahead."""
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


def in_turn(methods, runs, device=CPU, warm=True):
    """Call every method once to warm up, unless `warm` is False, then `runs` times in turn.

    methods: dict of name -> function without arguments. Prints each round to stderr. Returns a dict
    of name -> list of seconds.
    """
    found = {name: [] for name in methods}
    for run in range(0 if warm else 1, runs + 1):
        for name, work in methods.items():
            found[name].append(seconds(work, device))
        last = ", ".join(f"{name} {times[-1]:.3g} s" for name, times in found.items())
        print(f"  {f'{run} of {runs}' if run else 'warm-up'}: {last}", file=sys.stderr, flush=True)
    return {name: times[-runs:] for name, times in found.items()}


def count(work):
    """Return how many operations a call of work() does: multiplications and additions of
    convolutions and matrix products, forward and backward, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def summary(times):
    """Return {"median", "spread", "runs"} of a list of seconds, or of rates."""
    middle = statistics.median(times)
    quarters = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else [0, 0, 0]
    return {"median": middle, "spread": (quarters[2] - quarters[0]) / middle, "runs": len(times)}


class Parts:
    """Add up how long each part of some work takes: wrap functions, read `.seconds`."""

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
