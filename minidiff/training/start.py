"""What a training starts from: its data, perhaps only some of it; the network that follows them,
and perhaps given weights; and what a checkpoint keeps of all that."""

import dataclasses
import sys
from functools import partial

import torch

from minidiff.data import catalog
from minidiff.data.folder import part
from minidiff.files import checkpoint, validate
from minidiff.models import zoo
from minidiff.network.registry import build
from minidiff.system import hardware
from minidiff.training import parallel
from minidiff.training.loop import Training


def load_sets(cfg, device, data_dir="", scale=1, judged=False) -> dict:
    """Return the training set and the test set that a recipe names, on the device. scale: side of
    the images, over the recipe's. judged: of a judge."""
    if device.index is not None and parallel.size() > 1:
        raise ValueError(f"{parallel.size()} processes take a GPU each; say --device cuda")
    split, name = "all" if judged else "train", catalog.named(cfg.dataset, cfg.size, cfg.colour)
    size = 0 if scale == 1 else scale * catalog.size_of(name)
    with parallel.writer_first():
        train = catalog.load(name, split, data_dir, size, cfg.limit).to(device)
    if train.name != (first := parallel.agreed(train.name)):
        raise ValueError(f"one process found {first}, another {train.name}; give all the same data")
    test = catalog.load(train.name, "test", data_dir, size, cfg.limit).to(device)
    sets = {"train": dataclasses.replace(train, flips=cfg.flip), "test": test}
    sets = {k: v.judged() for k, v in sets.items()} if judged else sets
    return {**sets, "train": limited(sets["train"], cfg.limit)}


def limited(dataset, n: int):
    """Return n images of a set, evenly spread over it; all of them for 0, or if it has no more."""
    if not n or n >= len(dataset):
        return dataset
    index = torch.arange(n, device=dataset.labels.device) * len(dataset) // n
    renewed = dataset.renewed and (lambda k: limited(dataset.renewed(k), n))
    return dataclasses.replace(part(dataset, index), renewed=renewed)


def begin(kind, arguments, loss, cfg, data, description=None) -> Training:
    """Return a training whose network has fresh weights, from the recipe's seed. kind, arguments,
    loss: see kinds.py. data: the training set. description: of the model, from a checkpoint."""
    torch.backends.cudnn.deterministic = True  # resuming bit for bit needs it
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.seed)
        network = build(kind, cfg.arguments(arguments(data)))
    network = network.to(data.images.device,
                         memory_format=hardware.memory_format(data.images.device))
    data_range = (0.0, 1.0) if kind == "classifier" else data.data_range
    model = zoo.MODELS[kind](network, **(description or {
        "T": cfg.T, "schedule": cfg.schedule, "predict": cfg.predict, "words": data.words,
        "data_range": data_range}), precision=cfg.precision)
    return Training(model, partial(loss, cfg=cfg), cfg)


def content(training, kind, arguments, data) -> dict:
    """Return what a checkpoint of a training holds. Arguments: of `begin`."""
    now, device = training, training.device
    return {
        "kind": kind, "network": now.cfg.arguments(arguments(data)),
        "weights": now.final.state_dict(), "model": now.model.description(),
        "config": dataclasses.asdict(now.cfg), "dataset": now.cfg.dataset, "epoch": now.epoch,
        "step": now.step, "device": device.type, "data": catalog.about(data),
        "hardware": parallel.named(hardware.describe(device)),
    }


def restore(training, found) -> None:
    """Continue from a loaded checkpoint, bit for bit. Raises ValueError for one that cannot be
    continued from, or not by this training."""
    try:
        training.final.load_state_dict(found["weights"])
        shapes = [p.shape for p in training.network.parameters()]
        validate.check_training(found["training"], training.state_dict(), shapes, found["step"])
        training.load_state_dict(found["training"], found["epoch"], found["step"])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as e:
        raise ValueError(
            f"{found.file} cannot be resumed on {training.device.type}: {e}") from e


def initialise(training, kind: str, network: dict) -> None:
    """Give a training the weights that its recipe's `init` names, and nothing else of them: Adam
    starts afresh. kind: of the training. network: arguments of its network.

    Raises ValueError for weights of another network, and of a model that uses it in another way.
    """
    file = zoo.find(kind, training.cfg.init)
    found = checkpoint.load(file)
    theirs, ours = {"predict": "eps", **zoo.description(found, file)}, training.model.description()
    same_class = zoo.MODELS.get(found["kind"]) is type(training.model)
    for name, value in ours.items() if same_class else ():
        known = validate.list_of(theirs.get(name, value))
        if name != "words" and known != validate.list_of(value):
            cure = "" if name == "data_range" else f"add --{name} {theirs[name]}, or "
            raise ValueError(f"--init {file} was trained with {name} {theirs[name]}, this training "
                             f"has {value}; {cure}name other weights")
    shapes = [{k: v.shape for k, v in w.items()}
              for w in (found["weights"], training.network.state_dict())]
    if not same_class or shapes[0] != shapes[1]:
        cure = _flags(found, training.cfg, network) if found["kind"] == kind else ""
        raise ValueError(f"--init {file} holds a {found['kind']!r} network {found['network']}, "
                         f"this training has a {kind!r} one, {network}; {cure}name other weights")
    if [*theirs.get("words", ours["words"])] != ours["words"]:
        new = [(a, b) for a, b in zip(theirs["words"], ours["words"]) if a != b]
        print(f"note: {file} knows other words; {new[0][1]!r} starts from what it learned for "
              f"{new[0][0]!r}" + f", and {len(new) - 1} more like it" * (len(new) > 1),
              file=sys.stderr)
    for each in (training.network, training.average):
        if each is not None:
            each.load_state_dict(found["weights"])
    print(f"weights   start from {zoo.origin(file)} ({checkpoint.summary(found)})")


def _flags(found, cfg, network) -> str:
    """Return which flags make a training's network that of a checkpoint: "add --width 4, or "; ""
    if they would not be enough."""
    if any(validate.list_of(found["network"].get(k)) != validate.list_of(v)
           for k, v in network.items() if k not in ("width", "mults", "film")):
        return ""
    theirs = {"network": "course", **found["config"], "width": found["network"]["width"]}
    flags = [f"--{k} {theirs[k]}" for k in ("width", "network") if theirs[k] != getattr(cfg, k)]
    return f"add {' '.join(flags)}, or " if flags else ""
