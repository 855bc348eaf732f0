"""Measure samples: is it the digit asked for, how far from real digits, is it copied.

    python -m sample.evaluate                                 the class-conditioned model
    python -m sample.evaluate --checkpoint runs/uncond/001    any model with time
    python -m sample.evaluate --npz digits.npz                any pictures
    python -m sample.evaluate --score                         can one learn to read from them?

Prints a table and writes JSON that tells seed, n, steps, guidance, weights and hardware.
"""

import dataclasses
import zipfile

import numpy as np
import torch

from minidiff import checkpoint, config, data, machine, models, runs
from minidiff.data import Dataset
from minidiff.evaluate import Measure, score
from sample.run import announced, walked

SCORE_N = 20_000
TOLD = {
    "accuracy": "read as the digit asked for",
    "confident": "read with more than 90% certainty",
    "distance": "Frechet distance to the test set",
    "floor": "the same of n real training digits",
    "ratio": "distance / floor",
    "copying": "nearest training digit, against test digits'",
    "score": "real test digits read after training on samples only",
    "score_real": "the same after training on as many real digits",
}


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    how, guidance, flags = config.parse(
        [config.WalkFlags, config.GuidanceFlags, config.MeasureFlags], argv,
        "python -m sample.evaluate", "measure samples",
    )
    how, flags = config.WalkFlags(**how), config.MeasureFlags(**flags)
    guidance = config.GuidanceFlags(**guidance)
    out = config.writable(flags.out, ".json")
    device = machine.pick_device(how.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    wanted = max(flags.n, SCORE_N) if flags.score else flags.n
    if flags.npz:
        x, labels, about = *read_npz(flags.npz), {"npz": flags.npz}
    else:
        x, labels, about = draw(how, guidance, wanted)
    x, labels = x.to(device), None if labels is None else labels.to(device)
    few = slice(0, flags.n)
    found = measure(x[few], None if labels is None else labels[few])
    if flags.score:
        found.update(scores(measure, x, labels))
    for name, value in found.items():
        print(f"{name:10} {value:>9.4g}   {TOLD.get(name, 'samples measured')}")
    hardware = machine.describe(device)
    runs.write_json(out, {**about, "judge": judged, "hardware": hardware, "measures": found})
    print(f"wrote {out}")


def load_measure(place, data_dir, device):
    """Return the Measure with the judge meant by `place`, and which judge that is, told to all."""
    file = models.find("classifier", place)
    found = models.load_kind("classifier", file)
    judged = f"{models.origin(file)} ({checkpoint.summary(found)})"
    print(f"judge:   {judged}", flush=True)
    sets = [data.load(found["dataset"], split, data_dir).to(device) for split in ("train", "test")]
    return Measure(checkpoint.rebuild(found).to(device), *sets), judged


def draw(how, guidance, n):
    """Draw n samples, as evenly of each digit as n allows, or of nothing where a model has none.

    Returns pictures (n,1,28,28) in [0, 1], labels or None, and what led to them.
    """
    place = models.find("class", how.checkpoint)
    kind = checkpoint.load(place)["kind"]
    model, summary = announced(kind, how)
    asked = model.embed([""]) is not None
    guidance = guidance if asked else config.NO_GUIDANCE
    labels = torch.arange(n) % 10 if asked else None
    prompts = [str(k) for k in labels.tolist()] if asked else [""] * n
    for state in walked(model, how, guidance, prompts):
        x = state.x_t
    about = {
        "weights": f"{models.origin(place)} ({summary})", "kind": kind, "drawn": n,
        **dataclasses.asdict(how), **dataclasses.asdict(guidance),
    }
    return x.clamp(0, 1), labels, about


def read_npz(path):
    """Return `images` (N,1,28,28) and, if there, `labels` of an npz. ValueError for another."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        images = torch.from_numpy(arrays["images"]).float()
        labels = torch.from_numpy(arrays["labels"]).long() if "labels" in arrays else None
    except FileNotFoundError as e:
        raise ValueError(f"there is no file {path}; sample one with --npz") from e
    except (KeyError, AttributeError, TypeError, ValueError, OSError, zipfile.BadZipFile) as e:
        raise ValueError(f"{path} is no npz with `images`, as the sampling scripts write") from e
    if images.shape[1:] != (1, 28, 28) or not 0 <= images.min() <= images.max() <= 1:
        raise ValueError(f"{path}: wanted images (N,1,28,28) in [0, 1], got {tuple(images.shape)}")
    if labels is not None and labels.shape != images.shape[:1]:
        raise ValueError(f"{path}: wanted one label per image, got {tuple(labels.shape)}")
    return images, labels


def scores(measure, x, labels):
    """Return the classification accuracy score, and the same of as many real digits."""
    if labels is None:
        raise ValueError("the score needs labels: samples of a model that is asked for digits")
    real = torch.arange(len(x), device=x.device) % len(measure.train)
    sets = {
        "score": Dataset("samples", (x * 255).round().byte(), labels),
        "score_real": Dataset("real", measure.train.images[real], measure.train.labels[real]),
    }
    recipe = config.RECIPES["classifier"]["laptop"]
    return {name: score(found, measure.test, **recipe) for name, found in sets.items()}


if __name__ == "__main__":
    config.main(main)
