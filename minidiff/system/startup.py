"""What must happen before the imports of a program, which take seconds."""

import os
import signal
import sys


def begin():
    """Where `python -m` is starting a program of this package: let Ctrl-C end its imports quietly,
    and matplotlib ignore $MPLBACKEND. Do nothing where the package is only imported."""
    if sys.argv[:1] == ["-m"]:  # what Python puts there while it looks for the module
        os.environ.pop("MPLBACKEND", None)
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
