"""All options of training, defined once, with their units.

A recipe is a frozen dataclass: its values decide the final weights, so it is stored with the run
and printed at its start. The flags of the command line are its fields (system/cli.py).

Each model has two recipes. *full* is the course's (the upsampler, which the course does not have,
borrows one); *laptop* is narrower and shorter, chosen by measurement so that it ends within 12
minutes on two CPU cores, doodles within an hour on one. `RECIPES` holds only what differs from the
defaults.

A finished run may go on: `--resume --epochs 20`. From there on its learning rate is that of a run
of 20 epochs, which is higher again than where the shorter run ended, unless it is constant.
"""

import dataclasses
from dataclasses import dataclass

from minidiff.data.folder import COLOURS
from minidiff.models.model import PREDICTIONS, SCHEDULE
from minidiff.system.cli import SEED, check, flag
from minidiff.system.hardware import DEVICES
from minidiff.theory.schedule import SCHEDULES

WHOLE = 60_000  # images of MNIST, which the recipes were chosen on
CHOSEN_ON = ("mnist", "fashion", "strokes", "doodles")  # sets that the recipes suit as they are
FORMATS = ("auto", "float32", "bfloat16")  # small gradients would be 0 in float16
NETWORKS = {"course": {}, "wide": {"mults": (1, 3, 6), "film": True}}  # arguments of a UNet
DECAYS = ("constant", "exponential", "linear")


@dataclass(frozen=True)
class Recipe:
    """A training recipe: all that decides the final weights.

    Raises ValueError for values out of range.
    """

    recipe: str = flag("auto", "auto: full on a cuda GPU, else laptop", ("auto", "full", "laptop"))
    dataset: str = flag("auto", "auto, mnist, fashion, strokes, doodles, cifar10, or folder:PATH; "
                        "auto: MNIST, else strokes")
    size: int = flag(0, "side of a folder's images, pixels, a multiple of 4; 0: 32", least=0,
                     most=1024)
    colour: str = flag("auto", "of a folder's images; auto: as they are", COLOURS)
    flip: bool = flag(False, "mirror half of the training images, chosen at random")
    limit: int = flag(0, "images to train on; 0: all", least=0, most=1_000_000_000)
    init: str = flag("", "weights to start from: a kind, a run or a checkpoint; default: random")
    width: int = flag(64, "D, the UNet's channels at full size", least=1, most=4096)
    network: str = flag(
        "course", "the UNet: course, or wide: D, 3D, 6D channels, time and words at every level",
        tuple(NETWORKS),
    )
    batch_size: int = flag(128, "images per step", least=2, most=100_000)
    epochs: int = flag(20, "passes over the training set", least=1, most=10_000)
    early_epoch: int = flag(
        5, "samples and weights are kept after this epoch and the last", least=1, most=10_000,
        within="epochs",
    )
    lr: float = flag(1e-3, "peak learning rate of Adam", least=1e-9, most=100)
    ema: float = flag(
        0.0, "decay of a moving average of the weights, to sample from; often 0.999; 0: none",
        least=0, most=0.999999,
    )
    decay: str = flag(
        "exponential", "constant; exponential: by 0.1^(1/epochs) an epoch; linear: to 0", DECAYS
    )
    warmup: int = flag(
        0, "steps over which the learning rate rises from 0", least=0, most=1_000_000_000
    )
    schedule: str = flag(SCHEDULE, "of the noise; linear is the course's", SCHEDULES)
    predict: str = flag("eps", "what the network predicts: noise, or v (velocity.py)", PREDICTIONS)
    T: int = flag(300, "noising steps of the schedule", least=2, most=10_000)
    sample_steps: int = flag(
        300, "sampling steps for the samples kept with the weights", least=1, most=10_000
    )
    p_uncond: float = flag(0.1, "probability of hiding the prompt", least=0, most=1)
    sigma: float = flag(
        0.5, "standard deviation of the denoiser's noise; pixels are in [0, 1]",
        least=1e-6, most=100,
    )
    seed: int = flag(0, "seed of the weights, the data's order and the noise", least=0, most=SEED)
    precision: str = flag("auto", "number format of training; auto: the faster one", FORMATS)

    def __post_init__(self):
        check(self)

    def arguments(self, network) -> dict:
        """Return the arguments of the network to train. network: those that its kind gives it."""
        return {"width": self.width, **NETWORKS[self.network], **network}

    @classmethod
    def stored(cls, config: dict, place) -> "Recipe":
        """Return the recipe that a run stored; a field that it lacks gets its default.

        Raises ValueError, naming `place`, for a field that is not known.
        """
        if unknown := config.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise ValueError(f"{place}: unknown in the recipe: {', '.join(sorted(unknown))}")
        return cls(**config)


def for_images(cfg: Recipe, data, typed=()) -> Recipe:
    """Return a recipe scaled to a training set that it was not chosen on.

    Epochs: it sees as many images as in its epochs over WHOLE, unless epochs or a limit are among
    the names `typed`. Width: a third more for colour, as the recipe of doodles was found to need,
    and in proportion to the square root of the side above 32 pixels, rounded to a multiple of 8,
    unless it is typed.
    """
    if cfg.dataset in CHOSEN_ON:
        return cfg
    if "width" not in typed:
        channels, side, _ = data.shape
        width = cfg.width * (4 / 3 if channels == 3 else 1) * max(1, side / 32) ** 0.5
        cfg = dataclasses.replace(cfg, width=max(8, 8 * round(width / 8)))
    if {"epochs", "limit"} & {*typed}:
        return cfg
    epochs = max(1, min(10_000, round(cfg.epochs * WHOLE / len(data))))
    early = cfg.early_epoch if "early_epoch" in typed else max(1, epochs // 4)
    return dataclasses.replace(cfg, epochs=epochs, early_epoch=early)


def learning_rate(cfg: Recipe, step: int, per_epoch: int) -> float:
    """Return the learning rate of step 0, 1, ..., a pure function of the recipe (see loop.py)."""
    rise = min(1.0, (step + 1) / cfg.warmup) if cfg.warmup else 1.0
    if cfg.decay == "exponential":
        fall = 0.1 ** (step // per_epoch / cfg.epochs)
    elif cfg.decay == "linear":
        fall = 1 - step / (cfg.epochs * per_epoch)
    else:
        fall = 1.0
    return cfg.lr * rise * fall


@dataclass(frozen=True)
class RunOptions:
    """Where a training run computes and writes: nothing here changes the recipe."""

    device: str = flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", DEVICES)
    data_dir: str = flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    run_dir: str = flag("", "folder for this run; default: the next free runs/<model>/<number>")
    resume: bool = flag(False, "continue --run-dir, or the newest run of this model")


_LAPTOP = {
    "width": 24, "batch_size": 16, "epochs": 2, "early_epoch": 1,
    "lr": 3e-3, "decay": "linear", "warmup": 200, "sample_steps": 50,
}
_CLASSIFIER = {
    "width": 32, "epochs": 6, "early_epoch": 1, "lr": 3e-3, "decay": "linear", "warmup": 100,
}
_FLOW = {"batch_size": 64, "epochs": 10, "lr": 1e-2, "sample_steps": 50}
_DOODLES = {
    "dataset": "doodles", "schedule": "cosine", "early_epoch": 1, "lr": 3e-3, "decay": "linear",
    "warmup": 200, "sample_steps": 30,
}
RECIPES = {
    "denoiser": {
        "full": {
            "width": 128, "batch_size": 256, "epochs": 5, "early_epoch": 1,
            "lr": 1e-4, "decay": "constant",
        },
        "laptop": _LAPTOP,
    },
    "uncond": {
        "full": {},
        "laptop": {
            **_LAPTOP, "network": "wide", "width": 16, "schedule": "cosine", "predict": "v",
        },
    },
    "class": {"full": {}, "laptop": _LAPTOP},
    "flow": {"full": _FLOW, "laptop": _LAPTOP},
    "flow-uncond": {"full": _FLOW, "laptop": _LAPTOP},
    "upsampler": {
        "full": {"dataset": "strokes"},
        "laptop": {**_LAPTOP, "dataset": "strokes", "width": 16, "epochs": 1, "sample_steps": 20},
    },
    "doodles": {
        "full": {**_DOODLES, "width": 64, "batch_size": 32, "epochs": 40},
        "laptop": {**_DOODLES, "width": 32, "batch_size": 16, "epochs": 9, "early_epoch": 2},
    },
    "doodles-upsampler": {
        "full": {**_DOODLES, "width": 48, "batch_size": 32, "epochs": 12},
        "laptop": {**_DOODLES, "width": 24, "batch_size": 16, "epochs": 3},
    },
    "classifier": {"full": _CLASSIFIER, "laptop": _CLASSIFIER},
}
