"""The hardware at hand: the device, its number format, its memory, its name.

The same source runs on a laptop's CPU, an Apple GPU and a server. Four questions:

Where?      cuda if there is one, else mps, else cpu.
How exact?  Training may compute in bfloat16 (8 bits of mantissa, float32's range) where the
            hardware multiplies it fast. Recent GPUs do. A CPU has to be measured: with units for
            it bfloat16 beats float32, without them it is many times slower, because every number
            is converted first. So one small convolution is timed in each format, and bfloat16 is
            used only if it clearly wins. Sampling is float32 unless bfloat16 is asked for: the same
            seed should give the same image on every machine.
Memory?     A training or sampling step allocates hundreds of tensors of some megabytes and frees
            them again. glibc, the C library of most Linuxes, returns large ones to the system and
            asks for others a moment later, and the system clears every page before it hands it
            out. `keep_memory` asks glibc to keep what it has.
Its name?   A line for the run's records, since a time without its machine means nothing.
"""

import ctypes
import platform
import time

import torch
import torch.nn.functional as F

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`, or the best there is for "auto".

    Raises ValueError for an unknown name or a device that is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(d for d in there if there[d]))
    if name not in there:
        raise ValueError(f"unknown device {name!r}; choose from: {', '.join(DEVICES)}")
    if not there[name]:
        usable = ", ".join(d for d in there if there[d])
        raise ValueError(f"device {name!r} is not available on this machine; usable: {usable}")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16": the one forced by `name`, or for "auto" the faster one.

    Raises ValueError for an unknown name.
    """
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}; choose from: {', '.join(PRECISIONS)}")
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float32"
    if device.type == "cpu" and _bfloat16_is_faster():
        return "bfloat16"
    return "float32"


def _bfloat16_is_faster() -> bool:
    """Time one small convolution in both formats on the CPU; bfloat16 must win by a third."""
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
    """Return the memory order of images: channels last on cuda and CPUs, where convolutions are then
    faster; on mps torch's own."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def keep_memory() -> bool:
    """Ask glibc to keep up to 2 GiB of memory that tensors of 64 MiB and less (an older glibc: 32)
    have freed; see above.

    Returns whether there was a glibc to ask. It holds until the process ends, so only programs call
    it (cli.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # another system, another C library
        return False
    sized = mallopt(M_MMAP_THRESHOLD, 2**26) or mallopt(M_MMAP_THRESHOLD, 2**25)  # an older glibc
    return bool(sized and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def describe(device: torch.device) -> str:
    """Return a line that names the hardware: "cpu (AMD EPYC, 2 threads), torch 2.13.0"."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{_processor()}, {torch.get_num_threads()} threads"
    return f"{device.type} ({name}), torch {torch.__version__}"


def _processor() -> str:
    """Return the processor's name where the system knows it, else its architecture."""
    try:
        with open("/proc/cpuinfo") as f:
            names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
