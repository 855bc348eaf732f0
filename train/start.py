"""What a training starts from: its data, perhaps only some of it, and perhaps given weights."""

import dataclasses

import torch

from minidiff.data import catalog
from minidiff.data.folder import part
from minidiff.files import checkpoint
from minidiff.files.validate import list_of
from minidiff.models import zoo
from minidiff.training import parallel


def load_sets(job, cfg, flags, device) -> dict:
    """Return the training set and the test set that a recipe names, on the device."""
    if device.index is not None and parallel.size() > 1:
        raise ValueError(f"{parallel.size()} processes take a GPU each; say --device cuda")
    split, name = "all" if job.judge else "train", catalog.named(cfg.dataset, cfg.size, cfg.colour)
    size = 0 if job.scale == 1 else job.scale * catalog.size_of(name)
    with parallel.writer_first():
        train = catalog.load(name, split, flags.data_dir, size).to(device)
    if train.name != (first := parallel.agreed(train.name)):
        raise ValueError(f"one process found {first}, another {train.name}; give all the same data")
    test = catalog.load(train.name, "test", flags.data_dir, size).to(device)
    sets = {"train": dataclasses.replace(train, flips=cfg.flip), "test": test}
    sets = {k: v.judged() for k, v in sets.items()} if job.judge else sets
    return {**sets, "train": limited(sets["train"], cfg.limit)}


def limited(dataset, n: int):
    """Return n images of a set, evenly spread over it; all of them for 0, or if it has no more."""
    if not n or n >= len(dataset):
        return dataset
    index = torch.arange(n, device=dataset.labels.device) * len(dataset) // n
    renewed = dataset.renewed and (lambda k: limited(dataset.renewed(k), n))
    return dataclasses.replace(part(dataset, index), renewed=renewed)


def initialise(training, kind: str, network: dict) -> None:
    """Give a training the weights that its recipe's `init` names, and nothing else of them: Adam
    starts afresh. kind: of the training. network: arguments of its network.

    Raises ValueError for weights of another network, and of a model that uses it in another way.
    """
    file = zoo.find(kind, training.cfg.init)
    found = checkpoint.load(file)
    theirs = {"predict": "eps", **zoo.description(found, file)}
    same_class = zoo.MODELS.get(found["kind"]) is type(training.model)
    for name, value in training.model.description().items() if same_class else ():
        if name != "words" and name in theirs and list_of(theirs[name]) != list_of(value):
            cure = "" if name == "data_range" else f"add --{name} {theirs[name]}, or "
            raise ValueError(f"--init {file} was trained with {name} {theirs[name]}, this training "
                             f"has {value}; {cure}name other weights")
    shapes = [{k: v.shape for k, v in w.items()}
              for w in (found["weights"], training.network.state_dict())]
    if not same_class or shapes[0] != shapes[1]:
        raise ValueError(f"--init {file} holds a {found['kind']!r} network {found['network']}, "
                         f"this training has a {kind!r} one, {network}; name other weights")
    for each in (training.network, training.average):
        if each is not None:
            each.load_state_dict(found["weights"])
    print(f"weights   start from {zoo.origin(file)} ({checkpoint.summary(found)})")
