"""All options of sampling, defined once, with their units.

Each field is a command-line flag, and captions print its value: both come from the object that the
sampler is called with. The defaults suit the laptop recipes; a model may bring others, its
`defaults`, and what is typed takes precedence over both (system/cli.py).
"""

import inspect
from dataclasses import dataclass, fields

from minidiff.models.model import UNGUIDED
from minidiff.system.cli import SEED, check, flag
from minidiff.system.hardware import DEVICES, PRECISIONS
from minidiff.theory.samplers import VARIANCES
from minidiff.theory.schedule import evenly
from minidiff.theory.solvers import SAMPLERS, network_calls

MIXED = {"gamma": 6.0, "guide_until": 0.0}  # two prompts share an image: each needs more guidance
BETWEEN = {**UNGUIDED, "sampler": "ddim", "steps": 50}  # two images: without noise, and back again
CLIPS = {"range": "", "none": ", not clipped", "dynamic": ", thresholded"}  # name: in a caption
LARGE = ("model_dir", "embeddings", "offload", "download")  # options that only DeepFloyd has
LARGE_ONLY, UPSAMPLING = {"model": "deepfloyd"}, {"upsample": True}  # what some options need


@dataclass(frozen=True)
class SampleOptions:
    """How to sample: model, steps, guidance. Raises ValueError for values out of range."""

    model: str = flag(
        "", "a kind, a run's folder, a checkpoint or deepfloyd; default: newest run, or shipped"
    )
    steps: int = flag(20, "sampling steps from noise to image", least=1, most=10_000)
    gamma: float = flag(
        3.0, "guidance: 0 ignores the prompt, 1 only conditions on it", least=-1000, most=1000
    )
    guide_until: float = flag(
        0.3, "gamma above 1 applies until this share of the steps is left", least=0, most=1
    )
    negative: str = flag("", "prompt to guide away from, in place of none")
    sampler: str = flag("ddpm", "ddpm (ancestral), ddim, heun, dpm2m (second order)", SAMPLERS)
    variance: str = flag(
        "beta_tilde", "ddpm: noise of a step", (*VARIANCES, "learned"), needs={"sampler": "ddpm"}
    )
    eta: float = flag(
        0.0, "ddim: share of fresh noise", least=0, most=1, needs={"sampler": "ddim"}
    )
    clip: str = flag("range", "each step's x_0_hat is clipped to the data range", tuple(CLIPS))
    seed: int = flag(0, "seed of all noise", least=0, most=SEED)
    device: str = flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", DEVICES)
    precision: str = flag("float32", "number format; auto: the faster; pixels differ", PRECISIONS)
    model_dir: str = flag(
        "", "deepfloyd: folder of both stages, or a hub name; default: the hub's", needs=LARGE_ONLY
    )
    embeddings: str = flag(
        "", "deepfloyd: .pth dictionary, prompt to embedding, in place of T5", needs=LARGE_ONLY
    )
    offload: bool = flag(
        False, "deepfloyd: for a GPU too small to hold the model; slower", needs=LARGE_ONLY
    )
    download: bool = flag(
        False, "deepfloyd: fetch what is missing here; it prints the size first", needs=LARGE_ONLY
    )

    def __post_init__(self):
        check(self)
        if self.negative and self.gamma == 1:
            raise ValueError("negative has no effect without guidance; give a gamma above 1")

    def sampling(self, model) -> dict:
        """Return the keyword arguments of the model's `trajectory`; none for a flow. Raises
        ValueError for a variance or a clip that is not for this model."""
        if not model.schedule:
            return {}
        for name, known in (("variance", model.variances or VARIANCES), ("clip", model.clips)):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ValueError(f"{name} {value!r} is not for this model; use {', '.join(known)}")
        step = self.sampler == "ddpm" and model.step or SAMPLERS[self.sampler]
        own = {"kind": self.variance, "eta": self.eta}
        own = {k: v for k, v in own.items() if k in inspect.signature(step).parameters}
        return {"step": step, **own, "clip": model.clips[self.clip]}

    def calls(self, model) -> int:
        """Return how many network calls an image takes; some samplers make several a step."""
        if not model.schedule:
            return self.steps
        return network_calls(evenly(model.schedule.T, self.steps), SAMPLERS[self.sampler])

    @property
    def guidance(self) -> dict:
        """The keyword arguments of `generate.prompted`."""
        away = {"negative": self.negative} if self.negative else {}
        return {"gamma": self.gamma, "guide_until": self.guide_until, **away}

    def describe(self, model) -> str:
        """Return a caption: sampler, steps, seed and, for a model with prompts, guidance."""
        own = {"ddpm": self.variance, "ddim": f"eta {self.eta:g}"}.get(self.sampler, "")
        how = (own + CLIPS[self.clip]).removeprefix(", ")
        step = self.sampler + (f" ({how})" if how else "") if model.schedule else "Euler"
        calls = self.calls(model)
        calls = "" if calls == self.steps else f" of {calls} network calls"
        rough = "" if self.precision == "float32" else f", {self.precision}"
        guidance = f", {self.describe_guidance()}" if model.conditional else ""
        return f"{step}, {self.steps} steps{calls}, seed {self.seed}{rough}{guidance}"

    def describe_guidance(self) -> str:
        """Return a caption of the guidance alone."""
        early = self.guide_until and self.gamma > 1
        return f"gamma {self.gamma:g}" + (
            f" until {100 * self.guide_until:g}% of the steps are left" if early else ""
        ) + (f", away from {self.negative!r}" if self.negative else "")


def options_for(model, suited=None, **given) -> SampleOptions:
    """Return the options for a model: the given ones, else those that suit the task, else the
    model's defaults, else the general ones; never more steps than its schedule has, unless they are
    given."""
    names = {field.name for field in fields(SampleOptions)}
    found = {name: value for name, value in model.defaults.items() if name in names}
    found |= suited or {}
    if model.schedule:
        found["steps"] = min(found.get("steps", SampleOptions.steps), model.schedule.T)
    return SampleOptions(**{**found, **given})


@dataclass(frozen=True)
class OutputOptions:
    """Where images go, and whether the second stage enlarges them. Raises ValueError for values out
    of range."""

    out: str = flag("grid.png", "PNG of all images; a folder, images/: a PNG of each")
    gif: str = flag("", "GIF of sampling, from noise to image (first stage)", bare="way.gif")
    npz: str = flag(
        "", "npz with `images`, float32 (N,C,H,W) in [0, 1], and `labels` of digits",
        bare="samples.npz",
    )
    upsample: bool = flag(False, "enlarge with the second stage: newest upsampler run, or shipped")
    upsample_steps: int = flag(
        20, "sampling steps of the second stage", least=1, most=10_000, needs=UPSAMPLING
    )
    upsample_level: float = flag(
        0.1, "noise on the image it is given, share of T", least=0, most=0.5, needs=UPSAMPLING
    )
    upsample_gamma: float = flag(1.0, "its guidance", least=-1000, most=1000, needs=UPSAMPLING)
    upsample_held: bool = flag(
        True, "make the large image, shrunk back, equal the small one", needs=UPSAMPLING
    )

    def __post_init__(self):
        check(self)
