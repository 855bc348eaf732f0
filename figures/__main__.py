"""`python -m figures`: draw the figures (see run.py)."""

from figures.run import run
from minidiff.cli import main

main(run)
