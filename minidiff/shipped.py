"""The weights that come with the project, each with its card.

    weights/<kind>-epoch-05.pt     a mark of a training, in half precision
    weights/<kind>.json            its card: recipe, data, seed, hardware, time, loss, measures
    weights/sweep.json             many settings of the class-conditioned model, measured
    weights/versus.json            a flow against a diffusion, measured

A *mark* is the network as it was after an early epoch, or after the last. Half precision is for the
file only: rounding a weight to 11 bits changes it by at most 0.05%, and it is turned back into
float32 when the network is built. A file is made by the project's own trainings and nothing else;
the measures are what `make evaluate` wrote into the run's folder:

    python -m sample.evaluate --model runs/class/001 --out runs/class/001/evaluation.json
    python -m minidiff.shipped runs/class/001 sweep.json

Next: models.py
"""

import sys
from pathlib import Path

import torch

from minidiff import checkpoint, cli, runs

WEIGHTS = Path(__file__).parent / "weights"
POINTS = 100  # of the loss curve kept in a card


def marks(kind: str) -> list[Path]:
    """Return the shipped checkpoints of a kind, early to late; none if there are none."""
    return sorted(WEIGHTS.glob(f"{kind}-epoch-*.pt"), key=_epoch)


def _epoch(file):
    return int(file.stem.rsplit("-", 1)[1])


def card(kind: str) -> dict:
    """Return the card of a kind's shipped weights. Raises ValueError where there is none."""
    file = WEIGHTS / f"{kind}.json"
    if not file.is_file():
        raise ValueError(f"no {kind} weights are shipped: there is no {file}")
    return runs.read_json(file)


def loss_curves(kind: str) -> dict:
    """Return a card's loss as `images.save_curves` wants it, as `runs.loss_curves` does."""
    found, means = card(kind)["loss"], card(kind)["epochs_loss"]
    ends = [found["step"][-1] * (k + 1) / len(means) for k in range(len(means))]
    return {
        "every so many records": (found["step"], found["loss"]), "mean of the epoch": (ends, means),
    }


def halved(found: dict) -> dict:
    """Return a checkpoint with its floating-point weights in float16, without what resumes it."""
    weights = {
        name: w.half() if w.is_floating_point() else w for name, w in found["weights"].items()
    }
    return {**{k: v for k, v in found.items() if k != "training"}, "weights": weights}


def ship(folder) -> list[Path]:
    """Copy a finished and measured run's marks into the project, with their card, in place of
    those of its kind. Returns the files. Raises ValueError for a run that is not both."""
    folder = Path(folder)
    files = sorted(folder.glob("weights-epoch-*.pt"), key=_epoch)
    found = [checkpoint.load(file) for file in files]
    if not found or found[-1]["epoch"] != found[-1]["config"]["epochs"]:
        raise ValueError(f"{folder} holds no finished training; finish it with --resume")
    about, kind = _card(folder, found[-1]), found[-1]["kind"]
    if kind in ("class", "flow"):  # what it was measured with is what it should be used with
        guidance = {name: about["measures"][name] for name in ("gamma", "guide_until")}
        found = [{**content, "guidance": guidance} for content in found]
    WEIGHTS.mkdir(exist_ok=True)
    made = [WEIGHTS / file.name.replace("weights", kind) for file in files]
    for file, content in zip(made, found):
        checkpoint.save(file, halved(content))
    runs.write_json(WEIGHTS / f"{kind}.json", about)
    for old in set(marks(kind)) - set(made):
        old.unlink()
    return [*made, WEIGHTS / f"{kind}.json"]


def _card(folder, last):
    """Return what a run's card tells."""
    kind, rows = last["kind"], runs.read_log(folder)
    measured = folder / "evaluation.json"
    measures = runs.read_json(measured) if measured.is_file() else {}
    if measures.get("kind") != kind or not rows:
        raise ValueError(
            f"{folder} was not measured, or its log is gone; measure it with: make evaluate "
            f'ARGS="--model {folder} --out {measured}"'
        )
    curve = rows[:: max(1, len(rows) // POINTS)]
    return {
        **{name: last[name] for name in ("kind", "network", "dataset", "hardware", "config")},
        "torch": torch.__version__,
        "seconds": round(runs.seconds(rows, last["config"]["batch_size"])),
        "epochs_loss": [round(v, 5) for v in runs.loss_curves(rows)["mean of the epoch"][1]],
        "loss": {
            "step": [r["step"] for r in curve], "loss": [round(r["loss"], 5) for r in curve],
        },
        "measures": measures,
    }


def _main():
    if not sys.argv[1:]:
        raise ValueError("name the runs to ship, such as: python -m minidiff.shipped runs/class/1")
    for place in map(Path, sys.argv[1:]):
        if place.suffix == ".json":
            runs.write_json(WEIGHTS / place.name, runs.read_json(place))
            continue
        for path in ship(place):
            print(f"{path.stat().st_size / 1e6:.2f} MB  {path}")


if __name__ == "__main__":
    cli.main(_main)
