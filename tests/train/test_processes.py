"""train/fresh.py: processes of their own. Nothing is timed."""

import os
import platform
import resource
import signal

import pytest
import torch

from train.benchmarks import processes


def written(file, rounds):
    """Write which process this is and how far it has come, once a round; then fail."""
    yield
    for k in range(rounds):
        file.write_text(f"{os.getpid()} {k}")
        yield k
    raise ArithmeticError("done")


def faults():
    """Yield how many pages were claimed for five tensors of 32 MB."""
    yield
    while True:
        start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            torch.ones(2**23)
        yield resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start


def test_work_elsewhere_is_done_when_asked_and_not_before(tmp_path):
    """Each call is one round of a generator in another process; its error is raised here, and so is
    the loss of the process."""
    file, seen = tmp_path / "log", set()
    work = processes.Elsewhere(written, file, 2)
    assert not file.exists()
    for k in (0, 1):
        assert work() == k
        process, done = file.read_text().split()
        seen.add(process)
        assert done == str(k) and process != str(os.getpid())
    assert len(seen) == 1
    with pytest.raises(ArithmeticError, match="done"):
        work()
    os.kill(int(seen.pop()), signal.SIGKILL)
    with pytest.raises(ValueError, match="killed or out of memory"):
        work()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_memory_elsewhere_is_not_kept():
    """What is measured there holds its memory as any process does: 8,192 pages for each tensor."""
    work = processes.Elsewhere(faults)
    work()
    assert work() > 5 * 8000


def test_peak_memory_is_measured_for_both_ways():
    """At least torch itself."""
    for way in ("ours", "plain"):
        assert processes.peak(way, 2, 4, "cpu") > 5e7
