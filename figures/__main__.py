"""`python -m figures`: draw the figures (see run.py)."""

from figures.build import run
from minidiff.system.cli import program

program(run)
