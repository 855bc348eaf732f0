"""`python -m figures.book`: build the book (see book.py)."""

from figures.book.book import run
from minidiff.system.cli import program

with program():
    run()
