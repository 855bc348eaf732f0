"""Every knob of sampling once: how to walk, how strictly to keep to what is asked, where it goes.

As in config.py a flag of the command line is a field of a dataclass. A model may have habits of its
own, values that suit it better than the defaults: `suited` takes what a person typed, then the
model's habits, then the defaults, in this order. The defaults were measured (see the README).

Next: trainer.py
"""

import dataclasses
from dataclasses import dataclass

from minidiff.cli import flag
from minidiff.config import at_least, check_seed
from minidiff.machine import DEVICES, PRECISIONS
from minidiff.samplers import VARIANCES

CLIPS = {"range": "", "none": ", not clipped", "dynamic": ", thresholded"}  # name: in a caption


@dataclass(frozen=True)
class LargeFlags:
    """What only DeepFloyd wants to know."""

    model_dir: str = flag("", "deepfloyd: folder of both stages, or a hub name; default: the hub's")
    embeddings: str = flag("", "deepfloyd: .pth dictionary, prompt to embedding, in place of T5")
    offload: bool = flag(False, "deepfloyd: for a GPU too small to hold it; slower")
    download: bool = flag(False, "deepfloyd: fetch what this machine lacks; its size is told first")

    def large(self) -> dict:
        """Return these as keyword arguments of `models.load_model`."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(LargeFlags)}


@dataclass(frozen=True)
class EulerFlags:
    """How to walk a flow from noise to pictures. Raises ValueError for values out of range."""

    steps: int = flag(50, "network calls from noise to picture")
    seed: int = flag(0, "of all noise")
    model: str = flag("", "a kind, a run's folder or a checkpoint; default: newest, or shipped")
    device: str = flag("auto", "auto: cuda, else mps, else cpu", DEVICES)
    precision: str = flag("float32", "of the network; auto: the faster, other pixels", PRECISIONS)

    def __post_init__(self):
        at_least("steps", self.steps, 1)
        check_seed(self.seed)

    def options(self, model) -> dict:
        """Return these as keyword arguments of `models.walk`."""
        return {}

    def large(self) -> dict:
        """Return what DeepFloyd wants to know: nothing, as it is no flow."""
        return {}

    def __str__(self):
        """Return how it is told in a caption."""
        return f"Euler, {self.told()}"

    def told(self):
        """Return the end of a caption."""
        rough = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.steps} steps, seed {self.seed}{rough}"


@dataclass(frozen=True)
class WalkFlags(LargeFlags, EulerFlags):
    """How to walk a diffusion from noise to pictures. Raises ValueError as `EulerFlags`."""

    steps: int = flag(20, "network calls from noise to picture")
    model: str = flag(
        "", "a kind, a run's folder, a checkpoint or deepfloyd; default: newest, or shipped"
    )
    sampler: str = flag("ddpm", "ddpm (ancestral) or ddim", ("ddpm", "ddim"))
    variance: str = flag("beta_tilde", "ddpm only: noise of a step; learned: deepfloyd", VARIANCES)
    eta: float = flag(0.0, "ddim only: share of fresh noise, 0 .. 1")
    clip: str = flag("range", "each step's x_0_hat: to the data's range; dynamic: deepfloyd", CLIPS)

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must lie in 0..1, got {self.eta}")

    def options(self, model) -> dict:
        """Return these as keyword arguments of `models.walk`. Raises ValueError for a clip that the
        model does not know."""
        if self.clip not in model.clips:
            raise ValueError(f"clip {self.clip!r} is not for this model: {', '.join(model.clips)}")
        how = {"kind": self.variance} if self.sampler == "ddpm" else {"eta": self.eta}
        return {"step": self.sampler, **how, "clip": model.clips[self.clip]}

    def __str__(self):
        """Return how it is told in a caption."""
        how = self.variance if self.sampler == "ddpm" else f"eta {self.eta:g}"
        return f"{self.sampler} ({how}{CLIPS[self.clip]}), {self.told()}"


@dataclass(frozen=True)
class OutputFlags:
    """Where samples go, and how large. Raises ValueError for values out of range."""

    out: str = flag("grid.png", "PNG of all samples")
    gif: str = flag("", "GIF of the way from noise to picture, the first stage's", bare="way.gif")
    npz: str = flag(
        "", "npz with `images`, float32 (N,C,H,W) in [0, 1], and "
        "`labels` if asked for digits", bare="samples.npz",
    )
    upsample: bool = flag(False, "draw it again, twice as large: newest upsampler run, or shipped")
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
class UncondFlags:
    """How many samples of a model that is asked for nothing. Raises ValueError below 1."""

    n: int = flag(40, "how many pictures")

    def __post_init__(self):
        at_least("n", self.n, 1)

    def all(self) -> list:
        """Return a prompt for each picture."""
        return [""] * self.n

    def labels(self):
        """Return the digits that were asked for: None."""

    def columns(self):
        """Return how many stand in a row: None, as many as look well."""


@dataclass(frozen=True)
class GuidanceFlags:
    """How strictly a model keeps to what is asked. Raises ValueError for values out of range.

    The defaults suit the laptop recipe. The better a model, the less it needs: shipped weights
    bring their own.
    """

    gamma: float = flag(3.0, "0 ignores the digit, 1 only conditions; flows: 2; shipped: own")
    guide_until: float = flag(0.3, "gamma above 1 holds until this share of the way is left")

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
            f" until {self.guide_until:.0%} of the way are left"
            if self.guide_until and self.gamma > 1 else ""
        )


NO_GUIDANCE = GuidanceFlags(gamma=1.0, guide_until=0.0)


@dataclass(frozen=True)
class DigitFlags:
    """Which digits, or sentences. Raises ValueError for anything else than digits in `digits`."""

    digits: str = flag("0123456789", "the digits to draw, a column each")
    prompts: tuple[str, ...] = flag((), "what to draw in their place: sentences, for deepfloyd")
    per_digit: int = flag(4, "pictures of each, the rows")

    def __post_init__(self):
        if not self.digits or not set(self.digits) <= set("0123456789"):
            raise ValueError(f"digits must be some of 0123456789, got {self.digits!r}")
        at_least("per_digit", self.per_digit, 1)

    def all(self) -> list:
        """Return a prompt for each picture, row by row."""
        return list(self.prompts or self.digits) * self.per_digit

    def labels(self):
        """Return the digits that were asked for, None where they were sentences."""
        return None if self.prompts else [int(p) for p in self.all()]

    def columns(self):
        """Return how many stand in a row, None for as many as look well."""
        n = len(self.prompts or self.digits)
        return n if n <= 20 else None


def suited(cls, given, habits):
    """Return the flags `cls`: what was given, then a model's habits, then the defaults."""
    names = {field.name for field in dataclasses.fields(cls)}
    return cls(**{**{name: habits[name] for name in names & habits.keys()}, **given})
