"""Measures from Python: how good are a model's images?

    minidiff.evaluate("class", n=2000)          # {"n": 2000, "accuracy": 0.99, "distance": ...}

Samples are compared with the data that the model was trained on, by a judge that can read those
(evaluation/metrics.py). Without classes there is no judge, and only copying can be measured.
"""

import sys

import torch

from minidiff.api.pipeline import Pipeline, as_pipeline, last
from minidiff.data import catalog
from minidiff.evaluation import judge as judging
from minidiff.evaluation.metrics import Measure
from minidiff.network.registry import rebuild

HELD_OUT = 500  # samples of combinations that no model is trained on


def evaluate(model, n=2000, *, judge="", data_dir="", progress=True, **options) -> dict:
    """Return the measures of n samples, {name: number}; see evaluation/metrics.py.

    model: a Pipeline, or what `load` takes. judge: a classifier's run or file; default: the newest
    that knows the data, or the shipped one. data_dir: of the data set. options: of sampling. Raises
    ValueError where the model's data or a judge of it is not there.
    """
    model = as_pipeline(model)
    if model.dataset not in catalog.SETS and not str(model.dataset).startswith("folder:"):
        raise ValueError(f"samples are measured against the data of the model, but {model.dataset} "
                         "has no name that can be loaded; train on a data set by name")
    measure, _ = load_measure(judge, data_dir, model.device, model.dataset)
    x, labels = prompted_samples(model, n, measure.test, progress, **options)
    return {**measure(x, labels),
            **held_out(measure, model, n, data_dir, progress=progress, **options)}


def load_measure(place, data_dir, device, data=None):
    """Return the Measure with the judge that `place` means, and a description of the judge; without
    one for data that has no classes. data: the set that the samples' model was trained on; the
    judge must know it."""
    if data and data.startswith("folder:"):
        sets = [catalog.load(data, split, data_dir).to(device) for split in ("train", "test")]
        if not sets[0].questions:
            print(f"note: {data} has no classes for a judge to read, so copying is all that is "
                  "measured", file=sys.stderr)
            return Measure(None, *sets), "none"
    found, description = judging.find(place, data)
    sets = [catalog.load(found["dataset"], split, data_dir) for split in ("train", "test")]
    return Measure(rebuild(found).to(device), *(each.to(device) for each in sets)), description


def prompted_samples(model: Pipeline, n, test, progress=True, **options):
    """Generate n samples of a model, with the captions of a test set, or as many of each class as n
    allows, or with null prompts where it knows no others. Returns images (n,C,H,W) in [0, 1], on
    the model's device, and labels or None."""
    prompts, labels = [""] * n, None
    if model.conditional and test.captions:
        labels = test.judged().labels if test.questions else None
        index = torch.arange(len(test))
        if labels is not None:
            index = (labels[:, 0] >= 0).nonzero().flatten().cpu()  # some captions name no subject
        index = index[torch.arange(n) % len(index)]
        prompts = test.prompts_at(index)
        labels = labels if labels is None else labels[index.to(labels.device)]
    elif model.conditional:
        labels = torch.arange(n) % len(test.words)
        prompts = [test.words[k] for k in labels.tolist()]
    x = last(model.states(prompts, **options), progress).to(model.device)
    return x, labels if labels is None else labels.to(model.device)


def held_out(measure, model, n, data_dir, **options) -> dict:
    """Return the accuracy on doodles of combinations that no model is trained on; {} for other
    data."""
    if measure.test.name != "doodles" or not model.conditional:
        return {}
    unseen = catalog.load("doodles", "held_out", data_dir)
    x, labels = prompted_samples(model, min(n, HELD_OUT), unseen, **options)
    return {"held_out_n": len(x), "held_out": measure.accuracy(x, labels)["all"]}
