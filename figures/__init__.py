"""One script per section of the page; `python -m figures` draws all figures."""

from minidiff.system import startup

startup.begin()
