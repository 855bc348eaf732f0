"""Measure what a model is worth, by the kind it is of.

    python -m sample.evaluate                                 the class-conditioned model
    python -m sample.evaluate --model runs/uncond/001    any other: a run or a checkpoint
    python -m sample.evaluate --npz digits.npz                any pictures
    python -m sample.evaluate --score                         can one learn to read from them?

Samples are measured by a judge: is it the digit asked for, how far are they from real digits, are
they copied. A denoiser is measured by its loss, a classifier by what it reads. Prints a table and
writes JSON that tells seed, n, steps, guidance, weights and hardware.
"""

import dataclasses
import zipfile

import numpy as np
import torch

from minidiff import checkpoint, cli, config, data, machine, models, runs, settings
from minidiff.classifier import read
from minidiff.data import Dataset
from minidiff.diffusion import denoising_loss
from minidiff.evaluate import Measure, score
from sample import upsampled
from sample.run import announced, guidance_for, walk, watched

SCORE_N = 20_000
TOLD = {
    "n": "pictures measured",
    "accuracy": "read as the digit asked for",
    "confident": "read with more than 90% certainty",
    "distance": "Frechet distance to the test set",
    "floor": "the same of n real training digits",
    "ratio": "distance / floor",
    "copying": "nearest training digit, against test digits'",
    "score": "real test digits read after training on samples only",
    "score_n": "samples trained on",
    "score_real": "the same after training on as many real digits",
    **upsampled.TOLD,
    "loss": "squared error per pixel on the test set, as in training",
}


@dataclasses.dataclass(frozen=True)
class MeasureFlags:
    """What to measure, and where it goes. Raises ValueError for values out of range."""

    n: int = cli.flag(2000, "how many samples to draw")
    npz: str = cli.flag("", "measure all of this file's `images` and `labels` instead")
    score: bool = cli.flag(False, "also the classification accuracy score, of 20,000 samples or n")
    out: str = cli.flag("evaluation.json", "JSON of the results, and of all that led to them")
    judge: str = cli.flag("", "classifier: a run or a checkpoint; default: newest, or shipped")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        config.at_least("n", self.n, 10)


def main(argv=None):
    """Measure as the flags say; print the table, write the JSON."""
    how, guidance, flags = cli.parse(
        [settings.WalkFlags, settings.GuidanceFlags, MeasureFlags], argv,
        "python -m sample.evaluate", "measure what a model is worth",
    )
    flags, given = MeasureFlags(**flags), how
    how, _ = settings.WalkFlags(**how), settings.GuidanceFlags(**guidance)  # refused now, not later
    out = cli.writable(flags.out, ".json")
    device = machine.pick_device(how.device)
    if how.model == "deepfloyd":
        raise ValueError("the judge reads digits, and cannot measure deepfloyd; name a digit model")
    if flags.npz:
        x, labels = read_npz(flags.npz)
        about = {"kind": "npz", "npz": flags.npz}
        about["measures"] = measure_samples(x, labels, flags, device, about)
    else:
        file = models.find("class", how.model)
        kind = checkpoint.load(file)["kind"]
        about = {"kind": kind, "weights": models.origin(file)}
        if kind in ALONE:
            print(f"weights: {about['weights']}", flush=True)
            about["measures"] = ALONE[kind](file, flags, device)
        elif kind == "upsampler":
            about.update(upsampled.measure(file, how, flags))
        else:
            if flags.score and kind not in ("class", "flow"):
                raise ValueError("the score needs labels: take a model that is asked for digits")
            n = max(flags.n, SCORE_N) if flags.score else flags.n
            x, labels, drawn = draw(file, flags_of(kind, given), guidance, n)
            about.update(drawn)
            about["measures"] = measure_samples(x, labels, flags, device, about, few=flags.n)
    for name, value in about["measures"].items():
        print(f"{name:29} {value:>9.4g}   {TOLD.get(name, '')}")
    runs.write_json(out, {**about, "hardware": machine.describe(device)})
    print(f"wrote {out}")


def flags_of(kind: str, given: dict):
    """Return the flags of a walk with a model of this kind, EulerFlags for a flow: those given, and
    defaults. Raises ValueError where a flow is given what it has no use for."""
    if kind not in models.FLOWS:
        return settings.WalkFlags(**given)
    if unused := given.keys() - settings.EulerFlags.__dataclass_fields__.keys():
        told = ", ".join("--" + name for name in sorted(unused))
        raise ValueError(f"a flow is walked by Euler steps and has no use for {told}; drop it")
    return settings.EulerFlags(**given)


def measure_samples(x, labels, flags, device, about, few=None):
    """Return the measures of pictures x, of the first `few` of them; note the judge in `about`."""
    if flags.score and (labels is None or len(x) < 1000):
        raise ValueError(f"the score needs labels and 1,000 pictures or more; there are {len(x)}")
    measure, about["judge"] = load_measure(flags.judge, flags.data_dir, device)
    x, labels = x.to(device), None if labels is None else labels.to(device)
    found = measure(x[:few], None if labels is None else labels[:few])
    if flags.score:
        found.update(scores(measure, x, labels))
    return found


def load_measure(place, data_dir, device):
    """Return the Measure with the judge meant by `place`, and which judge that is, told to all."""
    file = models.find("classifier", place)
    found = models.load_kind("classifier", file)
    judged = f"{models.origin(file)} ({checkpoint.summary(found)})"
    print(f"judge:   {judged}", flush=True)
    sets = [data.load(found["dataset"], split, data_dir).to(device) for split in ("train", "test")]
    return Measure(checkpoint.rebuild(found).to(device), *sets), judged


def draw(file, how, guidance, n):
    """Draw n samples of the model in `file`, as evenly of each digit as n allows, or of nothing
    where it knows none. how: WalkFlags, or EulerFlags for a flow. guidance: the fields of
    GuidanceFlags that were given.

    Returns pictures (n,1,28,28) in [0, 1], labels or None, and what led to them.
    """
    model = announced(file, how)
    asked = model.conditional
    guidance = guidance_for(model, guidance)
    labels = torch.arange(n) % 10 if asked else None
    prompts = [str(k) for k in labels.tolist()] if asked else [""] * n
    x, _ = watched(walk(model, how, guidance, prompts), how.steps + 1)
    about = {"n": n, "summary": model.summary, **dataclasses.asdict(how),
             **dataclasses.asdict(guidance)}
    return x.clamp(0, 1), labels, about


def read_npz(path):
    """Return `images` (N,1,28,28) and, if there, `labels` of an npz. ValueError for another."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        images = torch.from_numpy(arrays["images"]).float()
        labels = torch.from_numpy(arrays["labels"]) if "labels" in arrays else None
    except FileNotFoundError as e:
        raise ValueError(f"there is no file {path}; sample one with --npz") from e
    except (KeyError, AttributeError, TypeError, ValueError, OSError, zipfile.BadZipFile) as e:
        raise ValueError(f"{path} is no npz with `images`, as the sampling scripts write") from e
    if images.shape[1:] != (1, 28, 28) or len(images) < 2:
        raise ValueError(f"{path}: wanted images (N,1,28,28), N >= 2, got {tuple(images.shape)}")
    if not 0 <= images.min() <= images.max() <= 1:
        raise ValueError(f"{path}: wanted images in [0, 1], got {images.min()}..{images.max()}")
    if labels is None:
        return images, None
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{path}: wanted one label per image, got {tuple(labels.shape)}")
    if labels.is_floating_point() or not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"{path}: wanted whole labels in 0..9, got {labels.unique().tolist()}")
    return images, labels.long()


def scores(measure, x, labels):
    """Return the classification accuracy score, and the same of as many real digits."""
    real = torch.arange(len(x), device=x.device) % len(measure.train)
    sets = {
        "score": Dataset("samples", (x * 255).round().byte(), labels),
        "score_real": Dataset("real", measure.train.images[real], measure.train.labels[real]),
    }
    recipe = config.RECIPES["classifier"]["laptop"]
    found = {name: score(each, measure.test, **recipe) for name, each in sets.items()}
    return {"score_n": len(x), **found}


@torch.no_grad()
def measure_denoiser(file, flags, device):
    """Return the loss of a denoiser on its test set, seed 0."""
    found = checkpoint.load(file)
    network = checkpoint.rebuild(found).to(device)
    test = data.load(found["dataset"], "test", flags.data_dir).to(device)
    g, sigma = torch.Generator().manual_seed(0), found["config"]["sigma"]
    parts = [slice(k, k + 500) for k in range(0, len(test), 500)]
    losses = [denoising_loss(network, test.pictures(p), sigma, g).item() for p in parts]
    return {"n": len(test), "loss": sum(losses) / len(losses)}


def measure_classifier(file, flags, device):
    """Return the share of its own test set and of strokes that a classifier reads."""
    found = checkpoint.load(file)
    network, names = checkpoint.rebuild(found).to(device), {found["dataset"], "strokes"}
    sets = {name: data.load(name, "test", flags.data_dir).to(device) for name in sorted(names)}
    return {
        name: (read(network, test) == test.labels).float().mean().item()
        for name, test in sets.items()
    }


ALONE = {"denoiser": measure_denoiser, "classifier": measure_classifier}  # not by a judge

if __name__ == "__main__":
    cli.main(main)
