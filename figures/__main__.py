"""`python -m figures`: draw the figures (see build.py)."""

from figures.build import run
from minidiff.system.cli import program

with program():
    run()
