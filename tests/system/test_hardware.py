"""hardware.py: device and precision, found or forced; memory; the machine's name."""

import ctypes
import platform
import subprocess
import sys

import pytest
import torch

from minidiff.models.options import SampleOptions
from minidiff.system import cli, hardware


def test_a_forced_choice_is_kept():
    """Whatever "auto" would choose."""
    cpu = torch.device("cpu")
    assert hardware.pick_device("cpu") == cpu
    for precision in ("float32", "bfloat16"):
        assert hardware.pick_precision(precision, cpu) == precision


def test_auto_takes_the_faster_format_on_a_cpu(monkeypatch):
    """bfloat16 on a CPU may be much slower: it is measured, not assumed; mps stays float32."""
    for wins, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(hardware, "_bfloat16_is_faster", lambda wins=wins: wins)
        assert hardware.pick_precision("auto", torch.device("cpu")) == expected
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda wins=wins, **_: wins)
        assert hardware.pick_precision("auto", torch.device("cuda")) == expected
    assert hardware.pick_precision("auto", torch.device("mps")) == "float32"


def test_bfloat16_must_clearly_win(monkeypatch):
    """The best of several times counts, and that of bfloat16 must be below 3/4 of float32's."""
    for ratio, wins in ((0.7, True), (0.8, False), (3.0, False)):
        times = [t for best in (1.0, ratio) for t in (0, 9, 0, best, 0, 2 * best, 0, 5)]
        clock = iter(times)
        monkeypatch.setattr(hardware.time, "perf_counter", lambda clock=clock: next(clock))
        assert hardware._bfloat16_is_faster() == wins


def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch):
    """The first that is available."""
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert hardware.pick_device("auto").type == expected


def test_unavailable_and_unknown_names_are_rejected(monkeypatch):
    """The message lists what is usable."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="not available on this machine; usable: .*cpu"):
        hardware.pick_device("cuda")
    with pytest.raises(ValueError, match="auto, cuda, mps, cpu"):
        hardware.pick_device("tpu")
    with pytest.raises(ValueError, match="auto, float32, bfloat16, float16"):
        hardware.pick_precision("float8", torch.device("cpu"))


def test_channels_are_last_where_convolutions_are_then_faster():
    """On cuda and a CPU; mps keeps torch's own order."""
    for device, expected in (("cuda", torch.channels_last), ("cpu", torch.channels_last),
                             ("mps", torch.contiguous_format)):
        assert hardware.memory_format(torch.device(device)) == expected


def test_the_hardware_line_names_device_and_torch():
    """And the processor with its number of threads, or the GPU."""
    line = hardware.describe(torch.device("cpu"))
    assert line.startswith("cpu (") and f"{torch.get_num_threads()} threads" in line
    assert torch.__version__ in line


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_kept_memory_is_not_requested_again():
    """Afterwards five tensors of 32 MB reuse the memory of the five before; until then, the system
    provides and clears 8,192 pages for each."""
    code = """if True:
        import resource, torch
        from minidiff.system import hardware
        def pages():
            start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(5):
                torch.ones(2**23)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start
        pages()
        before, done = pages(), hardware.keep_memory()
        print(before, done, min(pages() for _ in range(5)))
    """
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, done, kept = found.stdout.split()
    assert int(before) > 5 * 8000 and done == "True" and int(kept) < 1000


def test_without_glibc_nothing_happens(monkeypatch):
    """Other systems have no such library, or one without the function."""
    for wrong in (TypeError, OSError, AttributeError):
        def library(_, wrong=wrong):
            raise wrong
        monkeypatch.setattr(ctypes, "CDLL", library)
        assert hardware.keep_memory() is False


def test_an_older_glibc_gets_the_size_that_it_accepts(monkeypatch):
    """It rejects more than 32 MiB, so 32 is tried next; the second is set only if the first
    succeeded, since alone it would make things worse."""
    for most, granted in ((2**26, True), (2**25, True), (0, False)):
        accepted = {}

        def mallopt(knob, value, most=most, accepted=accepted):
            fits = knob != hardware.M_MMAP_THRESHOLD or value <= most
            accepted.update({knob: value} if fits else {})
            return int(fits)

        library = type("Library", (), {"mallopt": staticmethod(mallopt)})
        monkeypatch.setattr(ctypes, "CDLL", lambda _, library=library: library)
        assert hardware.keep_memory() is granted
        assert accepted.get(hardware.M_MMAP_THRESHOLD, 0) == most
        assert (hardware.M_TRIM_THRESHOLD in accepted) == granted


def test_a_gpu_may_be_numbered(monkeypatch):
    """"cuda:1" is the second; one that is not there is refused, as are other words."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert hardware.pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="'cuda:2' is not available .*cuda:0, cuda:1"):
        hardware.pick_device("cuda:2")
    for wrong in ("cuda:", "cuda:x", "cpu:0", "cuda:-1"):
        assert wrong not in hardware.DEVICES
        with pytest.raises(ValueError, match="unknown device"):
            hardware.pick_device(wrong)
    (options,), _ = cli.parse([SampleOptions], ["--device", "cuda:1"])
    assert options.device == "cuda:1"
