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


def weights(kind):
    """Return the checkpoints of the newest run's marks, early to late, and its folder.

    Raises ValueError where there is no run, or none that has reached its early epoch.
    """
    folder = runs.newest(kind)
    files = sorted(folder.glob("weights-epoch-*.pt"))
    if not files:
        raise ValueError(f"{folder} has not reached its first pictures; let it go on: "
                         f'make train-{kind} ARGS="--resume"')
    return [checkpoint.load(f) for f in files], folder


def curves(path, folder, mark):
    """Draw a run's loss to `path` and return it."""
    drawn = runs.loss_curves(runs.read_log(folder))
    save_curves(path, drawn, f"training loss: {checkpoint.summary(mark)}", "step", "loss")
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
    drawn = 0
    for name in wanted:
        section = import_module(f"figures.{name}")
        try:
            for path in section.draw(out, flags.data_dir):
                print(f"drew {path}", flush=True)
                drawn += 1
        except ValueError as e:
            print(f"missing: {name}: {e}", file=sys.stderr)
    if not drawn:
        raise ValueError(f"nothing to draw yet; start with {section.TARGET}")
