"""train/benchmarks/processes.py: measurements in processes of their own. Nothing is timed."""

import os
import platform
import resource
import signal

import pytest
import torch

from minidiff.models import zoo
from minidiff.models.generate import generate
from train.benchmarks import processes


def written(file, rounds):
    """Write which process this is and how many rounds are done, once a round; then fail."""
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


def test_a_subprocess_works_when_it_is_called_and_not_before(tmp_path):
    """Each call is one round of a generator in another process; its exception is raised here, and
    so is the loss of the process."""
    file, seen = tmp_path / "log", set()
    work = processes.Subprocess(written, file, 2)
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps memory on request")
def test_a_subprocess_returns_its_memory_as_any_process_does():
    """Each tensor claims its 8,192 pages again."""
    work = processes.Subprocess(faults)
    work()
    assert work() > 5 * 8000


def test_peak_memory_is_measured_for_both_methods():
    """It is at least what torch itself needs."""
    for method in ("ours", "baseline"):
        assert processes.peak(method, 2, 4, "cpu") > 5e7


def test_a_child_runs_on_the_same_source_and_returns_what_it_printed():
    """It imports our modules from the repository, whatever folder the bench was started in."""
    code = "import train.benchmarks.report as r; print(r.__file__)"
    assert processes.child(code).decode().strip() == str(
        processes.ROOT / "train" / "benchmarks" / "report.py")


def test_digits_are_generated_with_the_models_defaults():
    """Nothing given, the shipped model's own guidance is used, and 20 steps."""
    model = zoo.load_model(str(zoo.snapshots("class")[-1]))
    *_, last = generate(model, ["3"], steps=20, seed=4, kind="beta_tilde", **model.defaults)
    assert torch.equal(processes.drawn(model, ["3"], seed=4), last.x_t)
