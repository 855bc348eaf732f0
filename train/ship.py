"""Copy finished and measured runs into the package, in half precision, each with its card.

    python -m sample.measure.evaluate --model runs/class/001 --out runs/class/001/evaluation.json
    python -m train.ship runs/class/001 sweep.json
"""

import sys
from pathlib import Path

import torch

from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.system import cli

POINTS = 100  # of the loss curve kept in a card


def halved(found: dict) -> dict:
    """Return a checkpoint with its weights in float16, without the state that resuming needs."""
    weights = {
        name: w.half() if w.is_floating_point() else w for name, w in found["weights"].items()
    }
    return {**{k: v for k, v in found.items() if k != "training"}, "weights": weights}


def ship(folder) -> list[Path]:
    """Copy a finished and measured run's snapshots into the package, with their card, replacing
    those of its kind. Returns the files. Raises ValueError for any other run."""
    folder = Path(folder)
    files = sorted(folder.glob("weights-epoch-*.pt"), key=lambda f: int(f.stem.split("-")[-1]))
    found = [checkpoint.load(file) for file in files]
    if not found or found[-1]["epoch"] != found[-1]["config"]["epochs"]:
        raise ValueError(f"{folder} holds no finished training; finish it with --resume")
    about, kind = _card(folder, found[-1]), found[-1]["kind"]
    if kind in ("class", "flow", "doodles"):  # it should be used as it was measured
        guidance = {name: about["measures"][name] for name in ("gamma", "guide_until")}
        found = [{**content, "guidance": guidance} for content in found]
    zoo.WEIGHTS.mkdir(exist_ok=True)
    name = "classifier-doodles" if (kind, about["dataset"]) == ("classifier", "doodles") else kind
    made = [zoo.WEIGHTS / file.name.replace("weights", name) for file in files]
    for file, content in zip(made, found):
        checkpoint.save(file, halved(content))
    runs.write_json(zoo.WEIGHTS / f"{name}.json", about)
    for old in set(zoo.snapshots(name)) - set(made):
        old.unlink()
    return [*made, zoo.WEIGHTS / f"{name}.json"]


def _card(folder, last):
    """Return the contents of a run's card."""
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


def main():
    """Ship the runs and JSON files that the command line names."""
    if not sys.argv[1:]:
        raise ValueError("name the runs to ship, such as: python -m train.ship runs/class/001")
    for place in map(Path, sys.argv[1:]):
        if place.suffix == ".json":
            runs.write_json(zoo.WEIGHTS / place.name, runs.read_json(place))
            continue
        for path in ship(place):
            print(f"{path.stat().st_size / 1e6:.2f} MB  {path}")


if __name__ == "__main__":
    with cli.program():
        main()
