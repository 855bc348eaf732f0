"""The hardware at hand: device, number format, memory, name.

The same source runs on a laptop's CPU, an Apple GPU and a server. It needs to know:

Device      cuda if there is one, else mps, else cpu.
Precision   Training may compute in bfloat16 (8 bits of mantissa, float32's range) where the
            hardware multiplies it fast. Recent GPUs do. A CPU has to be measured: with units for
            it, bfloat16 beats float32; without them it is many times slower, because every number
            is converted first. So one small convolution is timed in each format, and bfloat16 is
            used only if it clearly wins. Sampling is float32 unless bfloat16 is requested: the same
            seed should give the same image on every machine. float16 is for GPUs without bfloat16;
            it can't be trained in, since small gradients would become 0.
Memory      A training or sampling step allocates hundreds of tensors of several megabytes and frees
            them again. glibc, the C library of most Linuxes, returns large ones to the system and
            requests others a moment later, and the system clears every page before it provides it.
            `keep_memory` asks glibc to keep what it has.
Name        A line for the run's records, since a time means nothing without its machine.
"""

import ctypes
import platform
import re
import time

import torch
import torch.nn.functional as F


class Devices(tuple):
    """Names of devices; it contains numbered GPUs, "cuda:1", as well."""

    def __contains__(self, name):
        return super().__contains__(name) or bool(re.fullmatch(r"cuda:\d{1,3}", str(name)))


DEVICES = Devices(("auto", "cuda", "mps", "cpu"))
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`, such as "cuda:1", the second GPU, or for "auto" the best one
    available. Raises ValueError for
    an unknown name or a device that is not available."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(),
                 "cpu": True}
    if name == "auto":
        return torch.device(next(d for d in available if available[d]))
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}; choose from: {', '.join(DEVICES)}")
    available |= {f"cuda:{k}": True for k in range(torch.cuda.device_count())}
    if not available.get(name):
        usable = ", ".join(d for d in available if available[d])
        raise ValueError(f"device {name!r} is not available on this machine; usable: {usable}")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> str:
    """Return the number format called `name` or, for "auto", the faster one of "float32" and
    "bfloat16". Raises ValueError for an unknown name."""
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}; choose from: {', '.join(PRECISIONS)}")
    if name != "auto":
        return name
    faster = False
    if device.type == "cuda":
        faster = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        faster = _bfloat16_is_faster()
    return "bfloat16" if faster else "float32"


def _bfloat16_is_faster() -> bool:
    """Time one small convolution in both formats on the CPU; bfloat16 must take less than 3/4 of
    float32's time."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(8, 32, 28, 28, dtype=dtype)
        w = torch.ones(32, 32, 3, 3, dtype=dtype)
        runs = []
        for _ in range(4):
            start = time.perf_counter()
            F.conv2d(x, w, padding=1)
            runs.append(time.perf_counter() - start)
        seconds[dtype] = min(runs)
    return seconds[torch.bfloat16] < 0.75 * seconds[torch.float32]


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the memory order of images: channels last on cuda and CPUs, where convolutions are
    then faster; on mps torch's own."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def keep_memory() -> bool:
    """Ask glibc to keep up to 2 GiB of freed tensors of at most 64 MiB (an older glibc: 32) each.

    Returns whether there was a glibc to ask. This lasts until the process ends, so only programs
    call it (cli.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # another system, another C library
        return False
    sized = mallopt(M_MMAP_THRESHOLD, 2**26) or mallopt(M_MMAP_THRESHOLD, 2**25)  # an older glibc
    return bool(sized and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def describe(device: torch.device) -> str:
    """Return a line that names the hardware: "cpu (AMD EPYC, 2 threads), torch 2.13.0"."""
    name = (torch.cuda.get_device_name(device) if device.type == "cuda"
            else f"{_processor()}, {torch.get_num_threads()} threads")
    return f"{device.type} ({name}), torch {torch.__version__}"


def _processor() -> str:
    """Return the processor's name where the system knows it, else its architecture."""
    try:
        with open("/proc/cpuinfo") as f:
            found = next(line for line in f if line.startswith("model name"))
        return found.partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
