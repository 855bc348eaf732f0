"""machine.py: device and precision, found or forced."""

import pytest
import torch

from minidiff import machine


def test_a_forced_choice_is_kept():
    """Forcing wins over what would be picked."""
    cpu = torch.device("cpu")
    assert machine.pick_device("cpu") == cpu
    for precision in ("float32", "bfloat16"):
        assert machine.pick_precision(precision, cpu) == precision


def test_auto_takes_the_faster_format_on_a_cpu(monkeypatch):
    """bfloat16 on a CPU may be far slower: it is measured, not assumed."""
    for wins, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(machine, "_bfloat16_is_faster", lambda wins=wins: wins)
        assert machine.pick_precision("auto", torch.device("cpu")) == expected
    assert machine.pick_precision("auto", torch.device("mps")) == "float32"


def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch):
    """The order of devices."""
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert machine.pick_device("auto").type == expected


def test_what_is_not_there_is_refused(monkeypatch):
    """An absent or unknown device, an unknown format: what is usable is listed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="not here; usable: .*cpu"):
        machine.pick_device("cuda")
    with pytest.raises(ValueError, match="auto, cuda, mps, cpu"):
        machine.pick_device("tpu")
    with pytest.raises(ValueError, match="auto, float32, bfloat16"):
        machine.pick_precision("float16", torch.device("cpu"))


def test_channels_last_only_where_it_pays():
    """cuda always, a CPU only in bfloat16, mps never."""
    for device, precision, last in (("cuda", "float32", True), ("cpu", "bfloat16", True),
                                    ("cpu", "float32", False), ("mps", "bfloat16", False)):
        found = machine.memory_format(torch.device(device), precision)
        assert (found == torch.channels_last) == last


def test_the_hardware_line_names_device_and_torch():
    """A time without its machine means nothing."""
    line = machine.describe(torch.device("cpu"))
    assert line.startswith("cpu (") and f"{torch.get_num_threads()} threads" in line
    assert torch.__version__ in line
