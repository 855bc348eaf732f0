"""One script for each thing to generate: `python -m sample.uncond`."""

from minidiff.system import startup

startup.begin()
