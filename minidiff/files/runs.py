"""A run's folder and its log.

Every training writes one folder, runs/<kind>/<number>, and everything that uses a run reads it from
there: figures, curves, sampling, resuming. The log, metrics.csv, has one row for every few steps.
"""

import csv
import json
import re
from pathlib import Path
from statistics import median

from minidiff.files.atomic import atomic_write

RUNS = Path("runs")
LAST = "last.pt"
CONFIG = "config.json"
LOG = "metrics.csv"
COLUMNS = {"step": int, "epoch": int, "loss": float, "lr": float, "images_per_second": float}


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
    folder = Path(place)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} is not empty; continue it with --resume, or name another --run-dir"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def read_json(path: Path) -> dict:
    """Read a dict from JSON. Raises ValueError, naming the file, if it holds anything else."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as e:
        raise ValueError(f"{path} is damaged: it is not JSON ({e}); delete it") from e
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it is not a JSON object; delete it")
    return found


def write_log(folder: Path, rows: list[dict]) -> None:
    """Replace a log, atomically; with no rows, just its header."""
    with atomic_write(folder / LOG, text=True) as f:
        writer = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_log(folder: Path) -> list[dict]:
    """Read a log: one dict per row, numbers as numbers; a row cut short by a kill is left out."""
    if not (folder / LOG).is_file():
        return []
    with open(folder / LOG, newline="") as f:
        rows = csv.DictReader([line for line in f if line.endswith("\n")])
    return [{name: kind(row[name]) for name, kind in COLUMNS.items()} for row in rows]


def seconds(rows: list[dict], batch_size: int) -> float:
    """Return how long the logged steps take at the run's median speed, in seconds, not counting
    checkpoints, figures, and the hours that a laptop was asleep."""
    return rows[-1]["step"] * batch_size / median(r["images_per_second"] for r in rows)


def loss_curves(rows: list[dict]) -> dict:
    """Return the curves of a log for `images.save_curves`: each record and each epoch's mean."""
    epochs = sorted({r["epoch"] for r in rows})
    losses = {e: [r["loss"] for r in rows if r["epoch"] == e] for e in epochs}
    ends = [max(r["step"] for r in rows if r["epoch"] == e) for e in epochs]
    return {
        "every record": ([r["step"] for r in rows], [r["loss"] for r in rows]),
        "mean of the epoch": (ends, [sum(v) / len(v) for v in losses.values()]),
    }
