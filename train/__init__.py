"""One script per training: `python -m train.denoiser`, `python -m train.uncond`."""

from minidiff.system import startup

startup.begin()
