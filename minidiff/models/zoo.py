"""Where models come from: a name or a file becomes a model that can be prompted.

`find` accepts a file, a run's folder, or a kind: its newest run or, if none was trained yet, the
weights that ship with the project:

    weights/<kind>-epoch-05.pt     a snapshot of a training run, in half precision
    weights/<kind>.json            its card: recipe, data, seed, hardware, time, loss, results
    weights/sweep.json             the class-conditioned model measured at many settings
    weights/versus.json            a flow measured against a diffusion model

A *snapshot* is the network after an early epoch, or after the last. Half precision is for the file
only: rounding a weight to 11 bits changes it by at most 0.05%, and it becomes float32 again when
the network is built. `python -m train.ship` makes these files from a finished run.
"""

import os
from pathlib import Path

import torch

from minidiff.files import checkpoint, runs, validate
from minidiff.models.flow_model import FlowModel
from minidiff.models.model import PREDICTIONS, UNGUIDED, Model, NoiseModel
from minidiff.models.upsampler import Upsampler
from minidiff.network.blocks import folded
from minidiff.network.registry import rebuild
from minidiff.system import hardware
from minidiff.theory.schedule import SCHEDULES

DIFFUSIONS = ("uncond", "class", "doodles")  # kinds of models with a schedule
FLOWS = ("flow", "flow-uncond")
SECOND = {"doodles": "doodles-upsampler"}  # data of a first stage: its second, if not "upsampler"
MODELS = {  # every kind of training, and the model that uses its network
    **dict.fromkeys(DIFFUSIONS, NoiseModel), **dict.fromkeys(FLOWS, FlowModel),
    "upsampler": Upsampler, "doodles-upsampler": Upsampler, "denoiser": Model, "classifier": Model,
}
WEIGHTS = Path(__file__).parent.parent / "weights"


def snapshots(kind: str) -> list[Path]:
    """Return the shipped checkpoints of a kind, early to late; none if there are none."""
    return sorted(WEIGHTS.glob(f"{kind}-epoch-*.pt"), key=lambda f: int(f.stem.split("-")[-1]))


def card(kind: str) -> dict:
    """Return the card of a kind's shipped weights. Raises ValueError if there is none, or if it is
    damaged."""
    file = WEIGHTS / f"{kind}.json"
    if not file.is_file():
        raise ValueError(f"no {kind} weights are shipped: there is no {file}")
    return validate.check_card(runs.read_json(file, "use another copy of it"), file)


def loss_curves(kind: str) -> dict:
    """Return a card's loss in the form of `runs.loss_curves`, for `images.save_curves`."""
    found, means = card(kind)["loss"], card(kind)["epochs_loss"]
    ends = [found["step"][-1] * (k + 1) / len(means) for k in range(len(means))]
    return {
        "every so many records": (found["step"], found["loss"]), "mean of the epoch": (ends, means),
    }


def find(kind: str, place: str = "") -> Path:
    """Return the checkpoint that `place` means: a file, a run's folder, or a kind; "" is the given
    kind. Of a kind it is the newest run or, if there is none, the last shipped snapshot.

    Raises ValueError if there is neither.
    """
    if place == "deepfloyd":
        return Path(place)
    if place in MODELS:
        kind, place = place, ""
    place = os.path.expanduser(place)
    if place:
        return Path(place) / runs.LAST if Path(place).is_dir() else Path(place)
    try:
        return runs.newest(kind) / runs.LAST
    except ValueError:
        if files := snapshots(kind):
            return files[-1]
        raise


def origin(file: Path) -> str:
    """Return where a checkpoint comes from, in words."""
    return f"shipped with the project, {file.name}" if file.parent == WEIGHTS else str(file)


def load_kind(kind: str, place: str = "") -> dict:
    """Return the checkpoint that `place` means, loaded. Raises ValueError for another kind."""
    file = find(kind, place)
    found = checkpoint.load(file)
    if found["kind"] != kind:
        raise ValueError(f"{file} holds a {found['kind']!r} model, but {kind!r} is needed here")
    return found


def load_model(place: str, device="cpu", precision="float32", kinds=DIFFUSIONS + FLOWS, **large):
    """Return a model, in eval mode, with its BatchNorms folded (blocks.py).

    place: as in `find`: "class", "flow" ..., a checkpoint, or a run's folder; "" for the first of
    `kinds`; or "deepfloyd". large: of `deepfloyd.stages.load`. The model's `.file`, `.kind` and
    `.summary` say where it came from, its `.defaults` how to sample from it. Raises ValueError for
    a checkpoint of another kind than `kinds`.
    """
    if place == "deepfloyd":
        from minidiff.models.deepfloyd.stages import load  # the one place that needs it

        return load(**large, device=device)
    file = find(kinds[0], place)
    model = from_checkpoint(checkpoint.load(file), file, device, precision, kinds)
    model.file = file
    return model


def from_checkpoint(
    found: dict, name="this checkpoint", device="cpu", precision="float32",
    kinds=DIFFUSIONS + FLOWS, made=None,
):
    """Return the model that a loaded checkpoint holds; see `load_model`. name: for the errors.
    made: its class, in place of the kind's own."""
    if found["kind"] not in kinds:
        raise ValueError(
            f"{name} holds a {found['kind']!r} model, but {' or '.join(map(repr, kinds))} is needed"
        )
    device, about = torch.device(device), description(found, name)
    network = folded(rebuild(found))
    network = network.to(device, memory_format=hardware.memory_format(device))
    model = (made or MODELS[found["kind"]])(network, **about, precision=precision)
    model.kind, model.summary = found["kind"], checkpoint.summary(found)
    model.dataset = found["dataset"]
    vars(model).update(found.get("data", {}))
    model.defaults = {**model.defaults, **found.get("guidance", {})}
    return model


def description(found: dict, name="this checkpoint") -> dict:
    """Return what a loaded checkpoint says about its model, as arguments of the model's class. An
    older file says only T, in its recipe; its schedule is linear, its data in [0, 1]."""
    about = found.get("model", {"T": found["config"].get("T"), "schedule": "linear"})
    if (schedule := about.get("schedule", "linear")) not in SCHEDULES:
        raise ValueError(f"{name} has the unknown schedule {schedule!r}; update minidiff")
    if (predict := about.get("predict", "eps")) not in PREDICTIONS:
        raise ValueError(f"{name} has the unknown prediction {predict!r}; update minidiff")
    if MODELS.get(found["kind"]) in (NoiseModel, Upsampler) and not about.get("T"):
        raise ValueError(f"{name} does not say how many steps T its model has")
    return about


def data_of(kind: str, place: str = "") -> str:
    """Return the name of the set that the model was trained on, or "deepfloyd"."""
    file = find(kind, place)
    return str(file) if str(file) == "deepfloyd" else checkpoint.load(file)["dataset"]


def defaults_of(kind: str, place: str = "") -> dict:
    """Return the `defaults` of the model that `place` means, without building it."""
    file = find(kind, place)
    if str(file) == "deepfloyd":
        from minidiff.models.deepfloyd.defaults import DEFAULTS

        return DEFAULTS
    found = checkpoint.load(file)
    kind_defaults = MODELS[found["kind"]].defaults if found["kind"] in MODELS else {}
    guided = found["network"].get("classes")
    return {**kind_defaults, **({} if guided else UNGUIDED), **found.get("guidance", {})}
