"""train/benchmarks/gpu_check.py: every part becomes a row, whatever happens to the others."""

import subprocess
import time

import pytest
import torch

from minidiff.files import checkpoint, runs
from train.benchmarks import gpu_check
from train.benchmarks.gpu_check import Check, CheckOptions


@pytest.fixture
def check(tmp_path):
    """A check on the CPU that has a minute left."""
    return Check(torch.device("cpu"), CheckOptions(device="cpu", quick=True), tmp_path,
                 time.monotonic() + 60)


def test_a_part_that_fails_is_a_row_and_the_others_go_on(workplace, monkeypatch, capsys):
    """The table has a row for each part, in order; a long result stands below it."""
    def fails(self):
        raise ValueError("no such thing")

    for name in ("tests", "resume", "samples", "formats", "full", "doodles"):
        monkeypatch.setattr(Check, name, lambda self, name=name: f"{name} went well")
    monkeypatch.setattr(Check, "resume", fails)
    monkeypatch.setattr(Check, "bench", lambda self: "one line\nanother")
    gpu_check.main(["--device", "cpu", "--quick"])
    written = (workplace / "gpu-check.md").read_text()
    rows = [line for line in written.splitlines() if line.startswith("| ")][1:]
    results = [row.split(" | ")[1] for row in rows]
    assert results == ["tests went well", "FAILED: no such thing", "samples went well",
                       "formats went well", "full went well", "below", "doodles went well"]
    assert "```\none line\nanother\n```" in written and written.startswith("cpu (")
    assert rows[1] in capsys.readouterr().out


def test_resuming_to_other_bits_is_reported(check, monkeypatch):
    """One weight that differs in its last bit is a failure that names it."""
    def trained(*words, stop=False):
        folder, weights = words[-1], {"a": torch.ones(3), "b": torch.ones(2)}
        folder.mkdir(exist_ok=True)
        if folder.name == "twice" and differ:
            weights["b"][1] += torch.finfo(torch.float32).eps
        torch.save({"weights": weights}, folder / runs.LAST)

    monkeypatch.setattr(check, "run", trained)
    monkeypatch.setattr(checkpoint, "load", torch.load)
    differ = False
    assert check.resume() == "all 2 tensors are identical"
    differ = True
    with pytest.raises(ValueError, match="1 of 2 tensors differ, such as b"):
        check.resume()


def test_a_command_that_fails_or_takes_too_long_is_an_error(check):
    """The error holds what the command said last; one that may be stopped is no error."""
    with pytest.raises(subprocess.SubprocessError, match="no_such_module"):
        check.run("no_such_module")
    check.end = time.monotonic()
    with pytest.raises(subprocess.SubprocessError, match="the time was up"):
        check.run("http.server", "0")
    assert check.run("http.server", "0", stop=True) is not None


def test_samples_on_the_same_device_are_the_same(check):
    """On the CPU there is no difference from the CPU."""
    assert check.samples().startswith("largest difference 0 of")
