"""`python -m figures`: draw the figures (see run.py)."""

from figures.run import run
from minidiff.config import main

main(run)
