"""errors.py: user errors are one sentence; faults of the program keep their traceback."""

import errno
import re
import signal

import pytest
import torch

from minidiff.system.cli import program


def _status(error):
    with pytest.raises(SystemExit) as stop, program():
        raise error
    return stop.value.code


@pytest.fixture
def signals(monkeypatch):
    """Record which signals a program handles, without handling them here."""
    found = {}
    monkeypatch.setattr("signal.signal", lambda number, handler: found.update({number: handler}))
    return found


def test_a_user_error_is_one_line_on_stderr_without_a_traceback(capsys, monkeypatch, signals):
    """ValueError and OSError end with status 2, Ctrl-C with 130, SIGTERM with 143; an error of the
    system comes with what to do."""
    monkeypatch.delenv("MINIDIFF_DEBUG", raising=False)
    for error, message in (
        (ValueError("two\n lines"), "minidiff: two lines\n"),
        (PermissionError(13, "Permission denied", "x.png"), "x.png"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "left on device; free some space"),
        (OSError("image file is truncated"), "minidiff: image file is truncated"),
    ):
        assert _status(error) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1 and "Traceback" not in err
    assert _status(KeyboardInterrupt()) == 130
    assert set(signals) == {signal.SIGTERM, signal.SIGINT}
    with pytest.raises(SystemExit) as stop:
        signals[signal.SIGTERM](signal.SIGTERM, None)
    assert stop.value.code == 143


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch, signals):
    """Errors that are not the user's are raised; with MINIDIFF_DEBUG=1, all of them are."""
    for error in (RuntimeError("shapes"), KeyError("x"), TypeError("y")):
        with pytest.raises(type(error)), program():
            raise error
    monkeypatch.setenv("MINIDIFF_DEBUG", "1")
    with pytest.raises(ValueError, match="mine"), program():
        raise ValueError("mine")


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    MemoryError(), MemoryError("Unable to allocate 9 TiB for an array"),
]


@pytest.mark.parametrize("flags", [{"n", "device"}, {"batch_size", "width"}, set()])
@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_memory_that_runs_out_is_one_sentence(error, flags, capsys, monkeypatch, signals):
    """On any device; it names only options that the command has."""
    monkeypatch.setattr("minidiff.system.errors.flags", flags)
    assert _status(error) == 2
    err = capsys.readouterr().err
    assert err.startswith("minidiff: out of memory; ") and err.count("\n") == 1
    found = {name.replace("-", "_") for name in re.findall("--([a-z-]+)", err)}
    gpu = any(word in str(error) for word in ("CUDA", "MPS"))
    assert found == (flags if gpu else flags - {"device"}) and (flags or "fewer images" in err)
