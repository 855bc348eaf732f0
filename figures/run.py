"""Draw every section there are weights for, and say what is missing and which target makes it."""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from minidiff import checkpoint, config, runs
from minidiff.images import save_curves

SECTIONS = ("denoiser", "uncond")  # in the page's order


@dataclass(frozen=True)
class FigureFlags:
    """What to draw and where."""

    out: str = config.flag("figures/out", "folder for the pictures")
    only: str = config.flag("", f"sections to draw, of: {' '.join(SECTIONS)}; default: all")
    data_dir: str = config.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")


def newest_marks(kind):
    """Return the checkpoints of the newest run's marks, early to late, and the run's folder.

    Raises ValueError where no run has reached its early epoch.
    """
    folder = runs.newest(kind, "weights-epoch-*.pt")
    marks = [checkpoint.load(f) for f in folder.glob("weights-epoch-*.pt")]
    return sorted(marks, key=lambda found: found["epoch"]), folder


def draw_loss(path, folder, caption):
    """Draw a run's loss to `path` and return it."""
    curves = runs.loss_curves(runs.read_log(folder))
    save_curves(path, curves, f"training loss: {caption}", "step", "loss")
    return path


def run(argv=None):
    """Draw the sections asked for. Raises ValueError if not one of them could be drawn."""
    given = config.parse([FigureFlags], argv, "python -m figures", "draw the page's figures")
    flags = FigureFlags(**given[0])
    wanted = flags.only.split() or SECTIONS
    for name in wanted:
        if name not in SECTIONS:
            raise ValueError(f"unknown section {name!r}; choose from: {' '.join(SECTIONS)}")
    out = Path(flags.out)
    out.mkdir(parents=True, exist_ok=True)
    drawn, missing = 0, []
    for name in wanted:
        try:
            for path in import_module(f"figures.{name}").draw(out, flags.data_dir):
                print(f"drew {path}", flush=True)
                drawn += 1
        except ValueError as e:
            missing.append(name)
            print(f"missing: {name}: {e}", file=sys.stderr)
    if not drawn:
        raise ValueError(f"nothing could be drawn of: {' '.join(missing)}; see above for the cure")
