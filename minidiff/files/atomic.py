"""Write a file completely or not at all.

A program may be killed in the middle of a write. So the bytes go to a temporary file in the same
folder, are flushed to the disk, and the file is then renamed atomically: whoever opens it finds the
old file or the new one, never half of one.

What the user made of the name stays: a symbolic link is followed, an existing file keeps its
permissions, and a pipe or a device gets the bytes themselves.
"""

import errno
import glob
import io
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path, text=False):
    """Open a file for writing; it gets its name only when the block ends without an error.

    path: its final name. text: UTF-8 text without newline translation, else bytes. Raises OSError,
    before the block runs, for a name that no file can have; and, naming it, where the disk is full.
    """
    how = {"mode": "w", "encoding": "utf-8", "newline": ""} if text else {"mode": "wb"}
    path = Path(os.path.expanduser(path))
    try:
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if mode and not stat.S_ISREG(mode):  # a pipe or a device
            whole = io.StringIO(newline="") if text else io.BytesIO()
            yield whole
            with open(path, **how) as f:
                f.write(whole.getvalue())
            return
        with _part(Path(os.path.realpath(path)), mode, how) as f:
            yield f
    except OSError as e:
        if e.errno and not e.filename:  # a write that fails names no file
            e.filename = str(path)
        raise


@contextmanager
def _part(path, mode, how):
    """Open the temporary file that becomes `path`, with the permissions of the old one."""
    name = path.name[:50]  # so that it is not too long where the name itself is not
    part = path.with_name(f"{name}.{os.getpid()}.part")
    for old in path.parent.glob(f"{glob.escape(name)}.*.part"):
        if _dead(old.suffixes[-2][1:]):
            with suppress(OSError):
                old.unlink()
    try:
        with open(part, **how) as f:
            if mode:
                os.chmod(part, stat.S_IMODE(mode))
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _mode(path):
    """Return the type and permissions of a file, 0 if there is none."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return 0


def _dead(pid: str) -> bool:
    """Return whether the process that was writing has ended."""
    if os.name != "posix" or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)  # sends no signal
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        pass
    return False
