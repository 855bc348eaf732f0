"""A run's folder and its log.

Every training writes one folder, runs/<kind>/<number>, and everything that uses a run reads it from
there: figures, curves, sampling, resuming. The log, metrics.csv, has one row for every few steps.
"""

import csv
import errno
import json
import math
import os
import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from minidiff.files.atomic import atomic_write

RUNS = Path("runs")
LAST = "last.pt"
CONFIG = "config.json"
LOG = "metrics.csv"
COLUMNS = {"step": int, "epoch": int, "loss": float, "lr": float, "images_per_second": float,
           "validation": lambda text: float(text) if text else None}  # at the end of an epoch


def folders(kind: str) -> list[Path]:
    """Return the folders of all runs of a kind, oldest first."""
    found = [p for p in (RUNS / kind).glob("*") if p.name.isdecimal() and p.is_dir()]
    return sorted(found, key=lambda p: int(p.name))


def newest(kind: str, holding: str = LAST) -> Path:
    """Return the newest run of a kind with a file that matches `holding`, by default a checkpoint.

    Raises ValueError if there is none.
    """
    for folder in reversed(folders(kind)):
        if any(folder.glob(holding)):
            return folder
    raise ValueError(f"no trained {kind} model in {RUNS / kind}; make one with: make train-{kind}")


def make_folder(kind: str, place: str = "") -> Path:
    """Make and return an empty folder for a run: `place`, or the next number.

    Raises ValueError if it is not empty.
    """
    if not place:
        return _next_number(kind)
    folder = Path(os.path.expanduser(place))
    if os.path.lexists(folder) and not folder.is_dir():
        raise ValueError(f"{folder} is not empty: it is no folder; name another --run-dir")
    folder.mkdir(parents=True, exist_ok=True)
    check_empty(folder)
    return folder


def check_empty(folder: Path) -> None:
    """Raise ValueError for a folder with files in it, with what can be done about it."""
    if (folder / CONFIG).exists():
        raise ValueError(
            f"{folder} is not empty; continue it with --resume, or name another --run-dir"
        )
    if found := sorted(p.name for p in folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty: it holds {found[0]!r}, but no run; delete that, or name "
            "another --run-dir"
        )


@contextmanager
def locked(folder: Path):
    """Keep other trainings out of a run's folder until the block ends, however it ends: the system
    lets go of it when a process dies. Some network drives have no locks; then a note is printed.

    Raises ValueError if another training has it.
    """
    folder = Path(folder).resolve()
    beside, handle = folder.with_name(f".{folder.name}.lock"), None
    try:
        try:
            import fcntl

            handle, made = os.open(folder, os.O_RDONLY), []
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows locks files only: one beside the folder
            import msvcrt

            handle, made = os.open(beside, os.O_RDWR | os.O_CREAT), [beside]
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except (ImportError, OSError) as e:
        if handle is not None:
            os.close(handle)
        if handle is not None and e.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise ValueError(
                f"another training is running in {folder}; wait for it, or name another --run-dir"
            ) from e
        print(f"note: {folder} cannot be locked here; start no other training in it",
              file=sys.stderr)
        handle, made = None, []
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
        for file in made:
            with suppress(OSError):  # another training has it by now
                file.unlink()


def _next_number(kind: str) -> Path:
    """Make the next numbered folder; two trainings that start together get different ones."""
    while True:
        before = folders(kind)
        folder = RUNS / kind / f"{int(before[-1].name) + 1 if before else 1:03d}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise


def write_json(path: Path, content: dict) -> None:
    """Write a dict as JSON, atomically, with each list of numbers on one line."""
    numbers = re.compile(r"\[\s+([-+.,eE\d\s]*?)\s+\]")
    text = numbers.sub(lambda m: f"[{' '.join(m[1].split())}]", json.dumps(content, indent=2))
    with atomic_write(path, text=True) as f:
        f.write(text + "\n")


def read_json(path: Path, cure="delete it") -> dict:
    """Read a dict from JSON. Raises ValueError, naming the file and the cure, if it holds anything
    else."""
    if not os.path.isfile(path):
        raise ValueError(f"there is no file {path}")
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is damaged: it is not JSON ({e}); {cure}") from e
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it is not a JSON object; {cure}")
    return found


def write_log(folder: Path, rows: list[dict]) -> None:
    """Replace a log, atomically; with no rows, just its header."""
    with atomic_write(folder / LOG, text=True) as f:
        writer = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def append_log(folder: Path, row: dict) -> None:
    """Add a row to a log, which begins again if the file was deleted or emptied meanwhile."""
    with open(folder / LOG, "a", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        if f.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def read_log(folder: Path) -> list[dict]:
    """Read a log: one dict per row, numbers as numbers; a row cut short by a kill is left out.

    A spreadsheet may have saved it, with semicolons and decimal commas. Raises ValueError, naming
    the file, for other columns and for a value that cannot be.
    """
    file = folder / LOG
    if not file.is_file():
        return []
    reader, found = csv.reader(_lines(file), strict=True), []
    try:
        header = next(reader, list(COLUMNS))
        if header not in (list(COLUMNS), list(COLUMNS)[:-1]):  # older ones have no validation
            raise ValueError("the columns are not those of a log")
        for row in reader:
            found.append({name: kind(v) for (name, kind), v in zip(COLUMNS.items(), row)})
            if len(row) != len(header) or not _possible(**found[-1]):
                raise ValueError("a value is missing or out of range")
    except (ValueError, TypeError, csv.Error) as e:
        line = max(1, reader.line_num)
        raise ValueError(f"{file} was changed, line {line}: {e}; restore it, or delete it, which "
                         "loses only the loss curve so far") from e
    return found


def _lines(file):
    """Yield the complete lines of a log, separated by commas."""
    with open(file, encoding="utf-8-sig") as f:
        first = next(f, "")
        for line in (first, *f):
            if line.endswith("\n"):
                yield line.replace(",", ".").replace(";", ",") if ";" in first else line


def _possible(step, epoch, loss, lr, images_per_second, validation=None):
    finite = all(map(math.isfinite, (loss, lr, images_per_second, validation or 0)))
    return finite and 0 < step < 10**12 and 0 < epoch < 10**9 and lr >= 0 < images_per_second


def seconds(rows: list[dict], batch_size: int) -> float:
    """Return how long the logged steps take at the run's median speed, in seconds, not counting
    checkpoints, figures, and the hours that a laptop was asleep."""
    return rows[-1]["step"] * batch_size / median(r["images_per_second"] for r in rows)


def loss_curves(rows: list[dict]) -> dict:
    """Return the curves of a log for `images.save_curves`: each record, each epoch's mean and, if
    it was computed, the loss on test images."""
    epochs = sorted({r["epoch"] for r in rows})
    losses = {e: [r["loss"] for r in rows if r["epoch"] == e] for e in epochs}
    ends = [max(r["step"] for r in rows if r["epoch"] == e) for e in epochs]
    tested = [(r["step"], r["validation"]) for r in rows if r.get("validation") is not None]
    validation = {"test images": tuple(map(list, zip(*tested)))} if tested else {}
    return {
        "every record": ([r["step"] for r in rows], [r["loss"] for r in rows]),
        "mean of the epoch": (ends, [sum(v) / len(v) for v in losses.values()]),
        **validation,
    }
