"""Draw every section there are weights for, and say what is missing and which target makes it."""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from minidiff import checkpoint, cli, gallery, runs, shipped
from minidiff.images import save_curves
from minidiff.models import from_checkpoint

SECTIONS = ("denoiser", "uncond", "class", "sweep")  # in the page's order
FILES = {"class": "class_cond"}  # "class" is a keyword


@dataclass(frozen=True)
class FigureFlags:
    """What to draw and where."""

    out: str = cli.flag("figures/out", "folder for the pictures")
    only: str = cli.flag("", f"sections to draw, of: {' '.join(SECTIONS)}; default: all")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")


def newest_marks(kind):
    """Return the checkpoints of the newest run's marks, early to late, and the run's loss curves.

    Where no run of the kind has reached its early epoch, the shipped ones; and say which they are.
    Raises ValueError where there are neither.
    """
    try:
        folder = runs.newest(kind, "weights-epoch-*.pt")
        files = list(folder.glob("weights-epoch-*.pt"))
        curves, place = runs.loss_curves(runs.read_log(folder)), str(folder)
    except ValueError:
        files = shipped.marks(kind)
        if not files:
            raise
        curves, place = shipped.loss_curves(kind), "shipped with the project"
    print(f"weights of {kind}: {place}", flush=True)
    return sorted(map(checkpoint.load, files), key=lambda found: found["epoch"]), curves


def draw_loss(path, curves, caption):
    """Draw a run's loss to `path` and return it."""
    save_curves(path, curves, f"training loss: {caption}", "step", "loss")
    return path


def draw_marks(out, marks, curves, guidance):
    """Draw what both diffusion models have in common: loss, samples and frames at each mark, and a
    film. marks, curves: from `newest_marks`. guidance: GuidanceFlags. Yields each path."""
    kind = marks[-1]["kind"]
    yield draw_loss(out / f"{kind}-loss.png", curves, checkpoint.summary(marks[-1]))
    for mark in marks:
        paths = {
            name: out / f"{kind}-{name}-epoch-{mark['epoch']:02d}.png"
            for name in ("samples", "frames")
        }
        model = from_checkpoint(mark)
        states, caption = gallery.draw_model(
            paths.get, model, mark["config"]["sample_steps"], model.summary, guidance
        )
        yield from paths.values()
    path = out / f"{kind}.gif"
    gallery.draw_gif(path, states, caption)
    yield path


def run(argv=None):
    """Draw the sections asked for. Raises ValueError if not one of them could be drawn."""
    given = cli.parse([FigureFlags], argv, "python -m figures", "draw the page's figures")
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
            for path in import_module(f"figures.{FILES.get(name, name)}").draw(out, flags.data_dir):
                print(f"drew {path}", flush=True)
                drawn += 1
        except ValueError as e:
            missing.append(name)
            print(f"missing: {name}: {e}", file=sys.stderr)
    if not drawn:
        raise ValueError(f"nothing could be drawn of: {' '.join(missing)}; see above for the cure")
