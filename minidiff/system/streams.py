"""Output streams whose failure costs no work.

A script may run under `| head -1`, `>/dev/full` or `>&-`, or where the locale can't show a name: a
message that cannot be written is dropped, and the script goes on to write its files.
"""

import os
import sys
from contextlib import contextmanager


class Tolerant:
    """A text stream that drops what it cannot write, and escapes what its encoding lacks."""

    def __init__(self, stream):
        self.stream = _nowhere() if stream is None else stream  # None: it was closed
        if hasattr(self.stream, "reconfigure"):
            self.stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        """Write the text, or drop it."""
        try:
            return self.stream.write(text)
        except (OSError, ValueError):  # nobody reads it, the disk is full, it was closed
            self._drop()
            return len(text)

    def flush(self):
        """Flush the stream, or drop what it has."""
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self._drop()

    def _drop(self):
        """Send what is left, and all that follows, nowhere."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):  # a closed stream, or one without a file
            self.stream = _nowhere()


def _nowhere():
    return open(os.devnull, "w")  # noqa: SIM115


@contextmanager
def tolerant():
    """Make stdout and stderr `Tolerant` in this block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Tolerant(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
