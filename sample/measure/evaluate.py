"""Measure how good a model is, depending on its kind.

    python -m sample.measure.evaluate                             the class-conditioned model
    python -m sample.measure.evaluate --model runs/uncond/001     another: a run or a checkpoint
    python -m sample.measure.evaluate --npz digits.npz            any images
    python -m sample.measure.evaluate --score                     can a classifier learn from them?

Samples are measured by a judge, a classifier: do they show what was prompted, how far is their
distribution from that of real images, are they copies? Doodles are prompted with the captions of
the test set, and with combinations that no model has seen in training. A denoiser is measured by
its loss, a classifier by its accuracy. Prints a table and writes JSON with seed, n, steps,
guidance, weights and hardware.
"""

import dataclasses
import math

import torch

from minidiff.api.measuring import held_out, load_measure, prompted_samples
from minidiff.api.pipeline import Pipeline
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.evaluation import judge
from minidiff.evaluation.metrics import score
from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.options import LARGE, SampleOptions
from minidiff.network.registry import rebuild
from minidiff.system import cli, hardware
from minidiff.theory.diffusion import denoising_loss
from minidiff.training.recipe import RECIPES
from sample.generate import load
from sample.measure import enlargement
from sample.measure.npz import MOST, read_npz

SCORE_N = 20_000
DESCRIPTIONS = {
    "n": "images measured",
    "accuracy": "read as the digit of the prompt",
    "subject": "read as the subject of the prompt; likewise for what follows, where it names one",
    "all": "read as everything that the prompt asks for",
    "held_out": "the same, for combinations that never occur in training",
    "confident": "read with more than 90% certainty",
    "distance": "Frechet distance to the test set",
    "floor": "the same of n real training images with the same labels",
    "ratio": "distance / floor",
    "copying": "distance to the nearest training image, over that of test images",
    "score": "accuracy on real test digits after training on samples only",
    "score_n": "samples trained on",
    "score_real": "the same after training on as many real digits",
    **enlargement.DESCRIPTIONS,
    "loss": "squared error per pixel on the test set, as in training",
}


@dataclasses.dataclass(frozen=True)
class MeasureOptions:
    """What to measure, and where it goes. Raises ValueError for values out of range."""

    n: int = cli.flag(2000, "how many samples to generate", least=10, most=MOST)
    npz: str = cli.flag("", "measure all of this file's `images` and `labels` instead")
    score: bool = cli.flag(False, "also the classification accuracy score, of 20,000 samples or n")
    out: str = cli.flag("evaluation.json", "JSON of the results, and of all settings")
    judge: str = cli.flag("", "classifier: a run or a checkpoint; default: newest, or shipped")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Measure as the options say; print the table, write the JSON."""
    about = "measure how good a model is"
    (options, flags), typed = cli.parse(
        [SampleOptions, MeasureOptions], argv, "python -m sample.measure.evaluate", about, _brought
    )
    out = cli.writable(flags.out, ".json")
    device = hardware.pick_device(options.device)
    if options.model == "deepfloyd":
        raise ValueError("the judge reads digits, and cannot measure deepfloyd; name a digit model")
    file = None if flags.npz else zoo.find("class", options.model)
    found = {"kind": "npz", "dataset": None} if flags.npz else checkpoint.load(file)
    refuse_unused(found["kind"], typed)
    if found["kind"] in ALONE:
        about = {"kind": found["kind"], "weights": zoo.origin(file)}
        print(f"weights: {about['weights']}", flush=True)
        about["measures"] = ALONE[found["kind"]](file, flags, device)
    elif found["kind"] in enlargement.UPSAMPLERS:
        about = {"kind": found["kind"], "weights": zoo.origin(file),
                 **enlargement.measure(file, found["dataset"], options, flags)}
    else:
        about = measure_samples(file, found, options, flags, typed)
    if bad := [name for name, value in about["measures"].items() if math.isnan(value)]:
        raise ValueError(f"not a number: {', '.join(bad)}; nothing is written, since the weights "
                         "are damaged; name others")
    for name, value in about["measures"].items():
        print(f"{name:29} {value:>9.4g}   {DESCRIPTIONS.get(name, '')}")
    runs.write_json(out, {**about, "hardware": hardware.describe(device)})
    print(f"wrote {out}")


def _brought(typed):
    """Return the model's defaults; none where only an npz is measured."""
    return {} if typed.get("npz") else zoo.defaults_of("class", typed.get("model", ""))


def refuse_unused(kind, typed):
    """Raise ValueError for typed options that measuring this kind has no use for."""
    if unused := sorted(typed - USED.get(kind, typed)):
        what = "an npz" if kind == "npz" else f"measuring a {kind}"
        raise ValueError(f"{what} has no use for {cli.flags(unused)}; leave it out")


def measure_samples(file, found, options, flags, typed):
    """Return the measures of samples, and what produced them, a dict. Everything that can be
    checked is checked before they are generated.

    file, found: the model's checkpoint and its contents; None and {"dataset": None} for an npz.
    """
    device = hardware.pick_device(options.device)
    if file:
        about = {"kind": found["kind"], "weights": zoo.origin(file)}
        model = load(options, zoo.DIFFUSIONS + zoo.FLOWS, typed, str(file))
        if flags.score and not model.conditional:
            raise ValueError("the score needs labels: use a model that is prompted with digits")
    else:
        about, (x, labels) = {"kind": "npz", "npz": flags.npz}, read_npz(flags.npz)
        if flags.score and (labels is None or len(x) < 1000):
            raise ValueError(
                f"the score needs labels and at least 1,000 images; there are {len(x)}")
    measure, about["judge"] = load_measure(flags.judge, flags.data_dir, device, found["dataset"])
    print(f"judge:   {about['judge']}", flush=True)
    if flags.score and not measure.judge:
        raise ValueError("the score needs classes, which this data set has not; leave out --score")
    if file:
        n = max(flags.n, SCORE_N) if flags.score else flags.n
        x, labels, made = make(model, options, n, measure.test)
        about.update(made)
    few = slice(flags.n if file else None)
    x, labels = x.to(device), None if labels is None else labels.to(device)
    about["measures"] = measure(x[few], None if labels is None else labels[few])
    if file:
        about["measures"].update(held_out(
            measure, Pipeline(model, None, options), flags.n, flags.data_dir))
    if flags.score:
        about["measures"].update(scores(measure, x, labels))
    return about


def make(model, options, n, test):
    """Generate n samples of a model; see `prompted_samples`. Returns images (n,C,H,W) in [0, 1],
    labels or None, and a dict of what produced them."""
    x, labels = prompted_samples(Pipeline(model, None, options), n, test)
    unused = {*model.ignored, *LARGE} if model.ignored else ()
    used = {k: v for k, v in dataclasses.asdict(options).items() if k not in unused}
    return x, labels, {"n": n, "summary": model.summary, **used}


def scores(measure, x, labels):
    """Return the classification accuracy score, and the same of as many real digits."""
    real = torch.arange(len(x), device=x.device) % len(measure.train)
    about = {"questions": measure.test.questions, "words": measure.test.words}
    sets = {name: Dataset(name, images, answers[:, :1], answers=answers[:, :1], **about)
            for name, images, answers in (
        ("score", (x * 255).round().byte(), labels.view(len(x), -1)),
        ("score_real", measure.train.images[real], measure.train.labels[real]))}
    recipe = RECIPES["classifier"]["laptop"]
    found = {name: score(each, measure.test, **recipe) for name, each in sets.items()}
    return {"score_n": len(x), **found}


@torch.no_grad()
def measure_denoiser(file, flags, device):
    """Return the loss of a denoiser on its test set, seed 0."""
    found = checkpoint.load(file)
    network = rebuild(found).to(device)
    test = catalog.load(found["dataset"], "test", flags.data_dir).to(device)
    g, sigma = torch.Generator().manual_seed(0), found["config"]["sigma"]
    parts = [slice(k, k + 500) for k in range(0, len(test), 500)]
    losses = [denoising_loss(network, test.images_at(p), sigma, g).item() for p in parts]
    return {"n": len(test), "loss": sum(losses) / len(losses)}


def measure_classifier(file, flags, device):
    """Return the accuracy of a classifier on its own test set and on another: strokes, if it reads
    digits; doodles that no model is trained on, if it reads those."""
    found = checkpoint.load(file)
    network, own = rebuild(found).to(device), found["dataset"]
    others = {"mnist": ("strokes", "test"), "doodles": ("doodles", "held_out")}
    measures = {}
    for name, split in {(own, "test"), others.get(own, (own, "test"))}:
        test = catalog.load(name, split, flags.data_dir).to(device).judged()
        for question, share in judge.accuracy(network, test).items():
            measures[name if len(test.questions) == 1 else f"{split}_{question}"] = share
    return dict(sorted(measures.items()))


ALONE = {"denoiser": measure_denoiser, "classifier": measure_classifier}  # kinds that need no judge
_BASIC = {"out", "data_dir", "device"}
USED = {  # options that are of use, where not all are
    **dict.fromkeys(ALONE, {"model", *_BASIC}),
    **dict.fromkeys(enlargement.UPSAMPLERS, {"model", "steps", "seed", "n", "judge", *_BASIC}),
    "npz": {"npz", "score", "judge", *_BASIC},
}

if __name__ == "__main__":
    with cli.program():
        main()
