"""Write a file completely or not at all.

A program may be killed in the middle of a write. So the bytes go to a temporary file in the same
folder, are flushed to the disk, and the file is then renamed atomically: whoever opens it finds the
old file or the new one, never half of one.
"""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path, text=False):
    """Open a file for writing; it gets its name only when the block ends without an error.

    path: its final name. text: UTF-8 text without newline translation, else bytes.
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
