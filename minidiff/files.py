"""Write a file whole or not at all.

A program may be killed in the middle of a write. So the bytes go to a neighbour file first, are
pushed to the disk, and then take the name in one move: whoever looks finds the old file or the new
one, never half of one.

Next: cli.py
"""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path, text=False):
    """Open a file to be written; it takes its name only when the block ends without an error.

    path: what it will be called. text: UTF-8 text without newline translation, else bytes.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    how = {"mode": "w", "encoding": "utf-8", "newline": ""} if text else {"mode": "wb"}
    try:
        with open(part, **how) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
