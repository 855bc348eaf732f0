"""machine.py: device and precision, found or forced."""

import ctypes
import platform
import subprocess
import sys

import pytest
import torch

from minidiff.system import hardware  # CHECK machine


def test_a_forced_choice_is_kept():
    """Forcing wins over what would be picked."""
    cpu = torch.device("cpu")
    assert hardware.pick_device("cpu") == cpu
    for precision in ("float32", "bfloat16"):
        assert hardware.pick_precision(precision, cpu) == precision


def test_auto_takes_the_faster_format_on_a_cpu(monkeypatch):
    """bfloat16 on a CPU may be far slower: it is measured, not assumed."""
    for wins, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(hardware, "_bfloat16_is_faster", lambda wins=wins: wins)
        assert hardware.pick_precision("auto", torch.device("cpu")) == expected
    assert hardware.pick_precision("auto", torch.device("mps")) == "float32"


def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch):
    """The order of devices."""
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert hardware.pick_device("auto").type == expected


def test_what_is_not_there_is_refused(monkeypatch):
    """An absent or unknown device, an unknown format: what is usable is listed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="not here; usable: .*cpu"):
        hardware.pick_device("cuda")
    with pytest.raises(ValueError, match="auto, cuda, mps, cpu"):
        hardware.pick_device("tpu")
    with pytest.raises(ValueError, match="auto, float32, bfloat16"):
        hardware.pick_precision("float16", torch.device("cpu"))


def test_channels_last_where_convolutions_like_it():
    """On cuda and a CPU; mps keeps torch's own order."""
    for device, expected in (("cuda", torch.channels_last), ("cpu", torch.channels_last),
                             ("mps", torch.contiguous_format)):
        assert hardware.memory_format(torch.device(device)) == expected


def test_the_hardware_line_names_device_and_torch():
    """A time without its machine means nothing."""
    line = hardware.describe(torch.device("cpu"))
    assert line.startswith("cpu (") and f"{torch.get_num_threads()} threads" in line
    assert torch.__version__ in line


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_kept_memory_is_not_claimed_again():
    """Once asked, what five tensors of 32 MB drop serves the next five; before, the system gave and
    cleared 8,192 pages for each."""
    code = """if True:
        import resource, torch
        from minidiff import machine
        def pages():
            start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(5):
                torch.ones(2**23)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start
        pages()
        before, asked = pages(), hardware.keep_memory()
        print(before, asked, min(pages() for _ in range(5)))
    """
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, asked, kept = found.stdout.split()
    assert int(before) > 5 * 8000 and asked == "True" and int(kept) < 1000


def test_without_glibc_memory_is_left_alone(monkeypatch):
    """Another system has no such library, or one without the function: nothing happens."""
    for wrong in (TypeError, OSError, AttributeError):
        def library(_, wrong=wrong):
            raise wrong
        monkeypatch.setattr(ctypes, "CDLL", library)
        assert hardware.keep_memory() is False


def test_an_older_glibc_is_asked_for_what_it_grants(monkeypatch):
    """It refuses more than 32 MiB; then 32 are asked for, and only what was granted is followed by
    the rest, since that alone would make things worse."""
    for most, granted in ((2**26, True), (2**25, True), (0, False)):
        asked = {}

        def mallopt(knob, value, most=most, asked=asked):
            fits = knob != hardware.M_MMAP_THRESHOLD or value <= most
            asked.update({knob: value} if fits else {})
            return int(fits)

        library = type("Library", (), {"mallopt": staticmethod(mallopt)})
        monkeypatch.setattr(ctypes, "CDLL", lambda _, library=library: library)
        assert hardware.keep_memory() is granted
        assert asked.get(hardware.M_MMAP_THRESHOLD, 0) == most
        assert (hardware.M_TRIM_THRESHOLD in asked) == granted
