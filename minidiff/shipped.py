"""The weights that come with the project, each with its card.

    weights/<kind>-epoch-05.pt     a mark of a training: half precision, a third of the size
    weights/<kind>.json            its card: recipe, data, seed, hardware, time, loss, measures

Half precision is for the file only. Rounding a weight to 11 bits changes it by at most 0.05%,
which no measure here can tell, and it is turned back into float32 when the network is built.
A file is made by the project's own trainings and nothing else; the measures are what `make
evaluate` wrote into the run's folder:

    python -m sample.evaluate --checkpoint runs/class/001 --out runs/class/001/evaluation.json
    python -m minidiff.shipped runs/class/001

Next: models.py
"""

import json
import sys
from pathlib import Path

import torch

from minidiff import checkpoint, cli, runs

WEIGHTS = Path(__file__).parent / "weights"
POINTS = 100  # of the loss curve kept in a card


def marks(kind: str) -> list[Path]:
    """Return the shipped checkpoints of a kind, early to late; none if there are none."""
    return sorted(WEIGHTS.glob(f"{kind}-epoch-*.pt"))


def card(kind: str) -> dict:
    """Return the card of a kind's shipped weights. Raises ValueError where there is none."""
    file = WEIGHTS / f"{kind}.json"
    if not file.is_file():
        raise ValueError(f"no {kind} weights are shipped: there is no {file}")
    return json.loads(file.read_text())


def loss_curves(kind: str) -> dict:
    """Return a card's loss as `images.save_curves` wants it."""
    found = card(kind)["loss"]
    return {"every so many records": (found["step"], found["loss"])}


def halved(found: dict) -> dict:
    """Return a checkpoint with its floating-point weights in float16, without what resumes it."""
    weights = {
        name: w.half() if w.is_floating_point() else w for name, w in found["weights"].items()
    }
    return {**{k: v for k, v in found.items() if k != "training"}, "weights": weights}


def ship(folder) -> list[Path]:
    """Copy a finished run's marks into the project, and write their card. Returns the files."""
    folder = Path(folder)
    files = sorted(folder.glob("weights-epoch-*.pt"))
    found = [checkpoint.load(file) for file in files]
    if not found or found[-1]["epoch"] != found[-1]["config"]["epochs"]:
        raise ValueError(f"{folder} holds no finished training; finish it with --resume")
    kind, rows = found[-1]["kind"], runs.read_log(folder)
    measures = _measures(folder)
    for old in marks(kind):
        old.unlink()
    WEIGHTS.mkdir(exist_ok=True)
    made = []
    for file, content in zip(files, found):
        made.append(WEIGHTS / file.name.replace("weights", kind))
        checkpoint.save(made[-1], halved(content))
    curve = rows[:: max(1, len(rows) // POINTS)]
    about = {
        **{name: found[-1][name] for name in ("kind", "network", "dataset", "hardware", "config")},
        "torch": torch.__version__,
        "seconds": round(runs.seconds(rows, found[-1]["config"]["batch_size"])),
        "epochs_loss": [round(v, 5) for v in runs.loss_curves(rows)["mean of the epoch"][1]],
        "loss": {
            "step": [r["step"] for r in curve], "loss": [round(r["loss"], 5) for r in curve],
        },
        "measures": measures,
    }
    made.append(WEIGHTS / f"{kind}.json")
    runs.write_json(made[-1], about)
    return made


def _measures(folder):
    file = folder / "evaluation.json"
    if not file.is_file():
        raise ValueError(f"{folder} was not measured; measure it with: make evaluate "
                         f'ARGS="--checkpoint {folder} --out {file}"')
    return json.loads(file.read_text())


def _main():
    if not sys.argv[1:]:
        raise ValueError("name the runs to ship, such as: python -m minidiff.shipped runs/class/1")
    for folder in sys.argv[1:]:
        for path in ship(folder):
            print(f"{path.stat().st_size / 1e6:.2f} MB  {path}")


if __name__ == "__main__":
    cli.main(_main)
