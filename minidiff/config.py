"""Every knob once, with its unit.

A recipe is a frozen dataclass: what it says decides the weights that come out, so it is stored
with the run and printed at its start. The flags of the command line are its fields (cli.py), so a
knob is written down once.

Each model has two recipes. *full* is the course's; *laptop* is narrower and shorter, made by
measurement so that it ends within 12 minutes on two CPU cores. `RECIPES` holds only what
differs from the defaults. The defaults of sampling were measured too (see the README).

Next: trainer.py
"""

from dataclasses import dataclass
from typing import ClassVar

from minidiff.cli import flag
from minidiff.machine import DEVICES, PRECISIONS
from minidiff.photos import FITS

DECAYS = ("constant", "exponential", "linear")


@dataclass(frozen=True)
class TrainConfig:
    """A training recipe: all that decides the final weights.

    Raises ValueError for values out of range.
    """

    DEFAULT: ClassVar[str] = "the recipe's"  # told by --help in place of the fields' own

    recipe: str = flag("auto", "auto: full on a cuda GPU, else laptop", ("auto", "full", "laptop"))
    dataset: str = flag("auto", "auto, mnist, fashion or strokes; auto: MNIST, else strokes")
    width: int = flag(64, "D, the UNet's channels at full size")
    batch_size: int = flag(128, "pictures per step")
    epochs: int = flag(20, "passes over the training set")
    early_epoch: int = flag(5, "pictures and weights are kept after this epoch and the last")
    lr: float = flag(1e-3, "learning rate of Adam at its peak")
    decay: str = flag(
        "exponential", "constant; exponential: 0.1^(1/epochs) a step an epoch; linear: to 0", DECAYS
    )
    warmup: int = flag(0, "steps over which the learning rate rises from 0")
    T: int = flag(300, "noising steps of the schedule")
    sample_steps: int = flag(300, "network calls for the samples drawn with the pictures")
    p_uncond: float = flag(0.1, "class only: probability of hiding the digit, 0 .. 1")
    sigma: float = flag(0.5, "denoiser only: deviation of the noise, pixel range 1")
    seed: int = flag(0, "of the weights, the data's order and the noise")
    precision: str = flag("auto", "number format of training; auto: the faster", PRECISIONS)

    def __post_init__(self):
        for name in ("width", "epochs", "early_epoch", "sample_steps"):
            at_least(name, getattr(self, name), 1)
        at_least("batch_size", self.batch_size, 2)
        at_least("T", self.T, 2)
        at_least("warmup", self.warmup, 0)
        _check_seed(self.seed)
        for name in ("lr", "sigma"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.p_uncond <= 1:
            raise ValueError(f"p-uncond must lie in 0..1, got {self.p_uncond}")
        if self.decay not in DECAYS:
            raise ValueError(f"unknown decay {self.decay!r}; choose from: {', '.join(DECAYS)}")


@dataclass(frozen=True)
class RunFlags:
    """Where a training runs and writes: nothing here changes the recipe."""

    device: str = flag("auto", "auto: cuda, else mps, else cpu", DEVICES)
    data_dir: str = flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")
    run_dir: str = flag("", "folder for this run; default: the next free runs/<model>/<number>")
    resume: bool = flag(False, "go on with --run-dir, or with the newest run of this model")


@dataclass(frozen=True)
class WalkFlags:
    """How to walk from noise to pictures. Raises ValueError for values out of range."""

    steps: int = flag(20, "network calls from noise to picture")
    sampler: str = flag("ddpm", "ddpm (ancestral) or ddim", ("ddpm", "ddim"))
    variance: str = flag("beta_tilde", "ddpm only: noise of a step", ("beta_tilde", "beta"))
    eta: float = flag(0.0, "ddim only: share of fresh noise, 0 .. 1")
    clip: bool = flag(True, "clip x_0_hat to the data's range at each step")
    seed: int = flag(0, "of all noise")
    model: str = flag("", "a kind, a run's folder or a checkpoint; default: newest, or shipped")
    device: str = flag("auto", "auto: cuda, else mps, else cpu", DEVICES)
    precision: str = flag("float32", "of the network; auto: the faster, other pixels", PRECISIONS)

    def __post_init__(self):
        at_least("steps", self.steps, 1)
        _check_seed(self.seed)
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in 0..1, got {self.eta}")

    def options(self) -> dict:
        """Return these as keyword arguments of `models.walk`; without clip, its default stays."""
        how = {"kind": self.variance} if self.sampler == "ddpm" else {"eta": self.eta}
        return {"step": self.sampler, **how, **({} if self.clip else {"clip": None})}

    def __str__(self):
        """Return how it is told in a caption."""
        how = self.variance if self.sampler == "ddpm" else f"eta {self.eta:g}"
        clip = "" if self.clip else ", not clipped"
        rough = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.sampler} ({how}{clip}), {self.steps} steps, seed {self.seed}{rough}"


@dataclass(frozen=True)
class OutputFlags:
    """Where samples go, and how large. Raises ValueError for values out of range."""

    out: str = flag("grid.png", "PNG of all samples")
    gif: str = flag("", "GIF of the way from noise to picture", bare="way.gif")
    npz: str = flag(
        "", "npz with `images`, float32 (N,1,28,28) in [0, 1], and `labels` if asked for digits",
        bare="samples.npz",
    )
    upsample: bool = flag(False, "let the second stage draw the result again, twice as large")
    upsample_steps: int = flag(20, "network calls of the second stage")
    upsample_level: float = flag(0.1, "noise on what it is shown, share of T, 0 .. 0.5")
    upsample_gamma: float = flag(1.0, "its guidance")
    upsample_held: bool = flag(True, "shrunk back, the large picture must be the small one")

    def __post_init__(self):
        at_least("upsample_steps", self.upsample_steps, 1)
        if not 0 <= self.upsample_level <= 0.5:
            raise ValueError(f"upsample-level must lie in 0..0.5, got {self.upsample_level}")
        if not abs(self.upsample_gamma) <= 1000:
            raise ValueError(f"upsample-gamma must lie in -1000..1000, got {self.upsample_gamma}")


@dataclass(frozen=True)
class PictureFlags:
    """A person's own picture. Raises ValueError for values out of range."""

    image: str = flag("figures/inputs/drawn-3.png", "picture file of any size and kind")
    invert: bool = flag(True, "turn dark ink on light into light on dark, for the digit models")
    fit: str = flag("crop", "crop the middle, or pad what is not square", FITS)


@dataclass(frozen=True)
class MeasureFlags:
    """What to measure, and where it goes. Raises ValueError for values out of range."""

    n: int = flag(2000, "how many samples to draw")
    npz: str = flag("", "measure all of this file's `images` and `labels` instead")
    score: bool = flag(False, "also the classification accuracy score, of 20,000 samples or n")
    out: str = flag("evaluation.json", "JSON of the results, and of all that led to them")
    judge: str = flag("", "classifier: a run's folder or checkpoint; default: newest, or shipped")
    data_dir: str = flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")

    def __post_init__(self):
        at_least("n", self.n, 10)


@dataclass(frozen=True)
class UncondFlags:
    """How many samples of a model that is asked for nothing. Raises ValueError below 1."""

    n: int = flag(40, "how many pictures")

    def __post_init__(self):
        at_least("n", self.n, 1)


@dataclass(frozen=True)
class GuidanceFlags:
    """How strictly a model keeps to what is asked. Raises ValueError for values out of range.

    The defaults suit the laptop recipe. The better a model, the less it needs: shipped weights
    bring their own.
    """

    gamma: float = flag(3.0, "0 ignores the digit, 1 only conditions; shipped weights: their own")
    guide_until: float = flag(0.3, "gamma above 1 holds from t/T = 1 down to this, 0 .. 1")

    def __post_init__(self):
        if not abs(self.gamma) <= 1000:
            raise ValueError(f"gamma must lie in -1000..1000, got {self.gamma}")
        if not 0 <= self.guide_until <= 1:
            raise ValueError(f"guide-until must lie in 0..1, got {self.guide_until}")

    def options(self) -> dict:
        """Return these as keyword arguments of `models.walk`."""
        return {"gamma": self.gamma, "guide_until": self.guide_until}

    def __str__(self):
        """Return how it is told in a caption."""
        return f"gamma {self.gamma:g}" + (
            f" until t/T = {self.guide_until:g}" if self.guide_until and self.gamma > 1 else ""
        )


NO_GUIDANCE = GuidanceFlags(gamma=1.0, guide_until=0.0)


@dataclass(frozen=True)
class DigitFlags:
    """Which digits. Raises ValueError for anything else than digits."""

    digits: str = flag("0123456789", "the digits to draw, a column each")
    per_digit: int = flag(4, "pictures of each, the rows")

    def __post_init__(self):
        if not self.digits or not set(self.digits) <= set("0123456789"):
            raise ValueError(f"digits must be some of 0123456789, got {self.digits!r}")
        at_least("per_digit", self.per_digit, 1)


def _check_seed(seed):
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must lie in 0..2^63-1, got {seed}")


def at_least(name, value, least):
    """Raise ValueError for a flag's value below `least`."""
    if value < least:
        raise ValueError(f"{name.replace('_', '-')} must be at least {least}, got {value}")


_LAPTOP = {
    "width": 24, "batch_size": 16, "epochs": 2, "early_epoch": 1,
    "lr": 3e-3, "decay": "linear", "warmup": 200, "sample_steps": 50,
}
_CLASSIFIER = {
    "width": 32, "epochs": 6, "early_epoch": 1, "lr": 3e-3, "decay": "linear", "warmup": 100,
}
RECIPES = {
    "denoiser": {
        "full": {
            "width": 128, "batch_size": 256, "epochs": 5, "early_epoch": 1,
            "lr": 1e-4, "decay": "constant",
        },
        "laptop": _LAPTOP,
    },
    "uncond": {"full": {}, "laptop": _LAPTOP},
    "class": {"full": {}, "laptop": _LAPTOP},
    "upsampler": {
        "full": {"dataset": "strokes"},
        "laptop": {**_LAPTOP, "dataset": "strokes", "width": 16, "epochs": 1, "sample_steps": 20},
    },
    "classifier": {"full": _CLASSIFIER, "laptop": _CLASSIFIER},
}
