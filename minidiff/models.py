"""A network becomes a model that a sampler can use; a name or a file becomes a network.

A sampler wants to know nothing of UNets. The contract between the two halves of this project:

    eps_hat = model(x_t, t, cond)     x_t (B,C,H,W) float; t (B,) int64 in 1..T
    model.schedule                    how much signal is left at each t
    model.image_shape                 (C, H, W)
    model.data_range                  (low, high) of a clean picture
    cond = model.embed(prompts)       prompts: list of str; "" is the null prompt

The digit models' prompts are "0".."9" and "". A model without classes takes only "". A flow
returns a velocity, t is a float, 0 .. 1, and there is no schedule. `walk` puts model, guidance and
sampler together: from prompts to pictures.

Where does a network come from? `find` knows: a file, a run's folder, the newest run of a kind, or,
where none was trained yet, the weights that are shipped with the project.

Exercises
1. Hand the network t in place of t/T. Nothing fails; why are the digits noise?
   test_models.py: test_the_network_hears_t_over_T
2. Clip x_t as well as x_0_hat. How much of the first x_t is cut off?
   test_models.py: test_what_the_network_is_fed_is_never_clipped
3. Ask for "7" twice with one seed, each time with other prompts beside it. Is it the same 7?
   test_models.py: test_a_walk_gives_each_picture_what_it_was_asked_for
Next: evaluate.py
"""

from functools import partial
from pathlib import Path

import torch

from minidiff import checkpoint, deepfloyd, machine, runs, schedule, shipped
from minidiff.blocks import folded
from minidiff.config import RECIPES
from minidiff.flow_sampler import flow_path
from minidiff.guidance import guided, until
from minidiff.samplers import Diffusion
from minidiff.settings import EulerFlags, WalkFlags

DIFFUSIONS, FLOWS = ("uncond", "class"), ("flow", "flow-uncond")  # that can be sampled from
CHUNK = 256  # pictures per network call: bounds its memory, not the result


class DigitModel(Diffusion):
    """A UNet under the contract. network: UNet with time. T: steps of its linear schedule.
    precision: the network's number format, "float32" or "bfloat16"; all else is float32.

    The network is used in whatever mode it is in; `load_model` hands it over in eval mode.
    """

    image_shape = (1, 28, 28)
    data_range = (0.0, 1.0)
    clips = {"range": data_range, "none": None}  # what may be done to x_0_hat at each step
    habits = {}  # flags' values that suit it, where they are not the defaults
    guidance = {}  # fields of GuidanceFlags it is best used with, if others than the defaults
    file = kind = summary = None  # filled in by `load_model`

    def __init__(self, network, T: int, precision: str = "float32"):
        self.network, self.bfloat16 = network, precision == "bfloat16"
        self.device = next(network.parameters()).device
        self.schedule = schedule.linear(T).to(self.device) if T else None

    @property
    def conditional(self) -> bool:
        """Whether it can be asked for anything."""
        return bool(self.network.classes)

    def __call__(self, x_t, t, cond=None):
        """Return eps_hat, like x_t (B,1,28,28). t: (B,) int64 in 1..T. cond: from `embed`."""
        return self.ask(x_t, t / self.schedule.T, cond)

    def ask(self, *inputs):
        """Return what the network answers, computed in its number format, as float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.network(*inputs).float()

    def flags(self, steps) -> WalkFlags:
        """Return the flags of a walk of so many steps, or of T if that is less."""
        return WalkFlags(steps=min(steps, self.schedule.T))

    def embed(self, prompts: list[str]):
        """Turn prompts into a condition: one-hot rows, zeros for ""; None for a model without
        classes.

        Returns float32 (len(prompts), classes) or None. Raises ValueError for a prompt it does
        not know.
        """
        allowed = ["", *map(str, range(self.network.classes))]
        for prompt in prompts:
            if prompt not in allowed:
                known = " ".join(repr(p) for p in allowed)
                raise ValueError(f"unknown prompt {prompt!r}; this model knows: {known}")
        if not self.network.classes:
            return None
        index = torch.tensor([allowed.index(p) for p in prompts], device=self.device)
        eye = torch.eye(len(allowed), device=self.device)[:, 1:]  # row 0, the null prompt: zeros
        return eye[index]


class FlowModel(DigitModel):
    """A UNet that returns the velocity of a flow. network: UNet with time, told t in 0 .. 1. T: of
    no use to a flow, whatever its recipe says."""

    guidance = {"gamma": 2.0, "guide_until": 0.5}  # measured: a flow needs less than a diffusion

    def __init__(self, network, T=None, precision: str = "float32"):
        super().__init__(network, None, precision)

    def __call__(self, x_t, t, cond=None):
        """Return v_hat, like x_t (B,1,28,28). t: (B,) float in 0 .. 1, 1 the data. cond: from
        `embed`."""
        return self.ask(x_t, t, cond)

    def path(self, velocity_fn, x, steps, *, generator=None):
        """Return the walk along the flow, see `flow_sampler.flow_path`. It draws no noise, so the
        generator stays as it is."""
        return flow_path(velocity_fn, x, steps)

    def early(self, share, early_fn, late_fn):
        """As `DigitModel.early`; but here t rises to 1, so what is left is 1 - t."""
        return until(1 - share, late_fn, early_fn)

    def flags(self, steps) -> EulerFlags:
        """Return the flags of a walk of so many steps."""
        return EulerFlags(steps=steps)


def walk(model, prompts, steps, seed, *, gamma=1.0, guide_until=0.0, **options):
    """Return every State of a walk from noise N(0, 1) to a picture per prompt.

    model: under the contract above. prompts: list of str. steps: network calls, for a diffusion
    1..T. seed: of all noise, drawn on the CPU so that every device starts alike. gamma: of guidance
    (6); above 1 it holds only while more than the share guide_until of the way is left, t >
    guide_until T, and is 1 from there on. options: of the model's `path`. Raises ValueError for a
    prompt the model does not know, for guidance of a model without prompts, and for steps out of
    range.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(prompts), *model.image_shape, generator=generator).to(model.device)
    fn = prompted(model, prompts, gamma, guide_until)
    return model.path(fn, x, steps, **{"generator": generator, **options})


def prompted(model, prompts, gamma=1.0, guide_until=0.0):
    """Return the eps_fn(x_t, t) of a model that is asked for these prompts, one for each picture.

    Arguments and errors: those of `walk`.
    """
    cond = model.embed(prompts)
    chunked = partial(_in_chunks, model)
    if not model.conditional:
        if gamma != 1:
            raise ValueError(f"this model knows no classes, so it can't be guided; gamma = {gamma}")
        return partial(chunked, cond=None)
    null = cond if gamma == 1 else model.embed([""] * len(prompts))
    strong, plain = (guided(chunked, cond, null, strength) for strength in (gamma, 1))
    return model.early(guide_until, strong, plain) if gamma > 1 else strong


def _in_chunks(model, x_t, t, cond):
    """Return the model's answer, eps_hat or (eps_hat, v), asked for CHUNK pictures at a time, fewer
    where they are larger."""
    size = max(1, CHUNK * 28 * 28 // x_t[0, 0].numel())
    parts = [slice(k, k + size) for k in range(0, len(x_t), size)]
    found = [model(x_t[p], t[p], None if cond is None else cond[p]) for p in parts]
    if isinstance(found[0], tuple):
        return tuple(torch.cat(each) for each in zip(*found))
    return torch.cat(found)


def find(kind: str, place: str = "") -> Path:
    """Return the checkpoint meant by `place`: a file, a run's folder, or a kind, "" for the one
    given: its newest own run and, where there is none, the last shipped mark.

    Raises ValueError where there is neither.
    """
    if place == "deepfloyd":
        return Path(place)
    if place in RECIPES:
        kind, place = place, ""
    if place:
        return Path(place) / runs.LAST if Path(place).is_dir() else Path(place)
    try:
        return runs.newest(kind) / runs.LAST
    except ValueError:
        if files := shipped.marks(kind):
            return files[-1]
        raise


def origin(file: Path) -> str:
    """Return how a checkpoint is told to people: its place, or that it is the project's own."""
    inside = file.parent == shipped.WEIGHTS
    return f"shipped with the project, {file.name}" if inside else str(file)


def load_model(place: str, device="cpu", precision="float32", **large):
    """Load a model that can be prompted, in eval mode, its norms folded (blocks.py).

    place: as in `find`: "class", "flow" ..., a checkpoint, or a run's folder; or "deepfloyd".
    large: of `deepfloyd.load`. The model tells where it came from, `.file`, `.kind`, `.summary`,
    and with which `.guidance` it is best used, fields of GuidanceFlags, and other `.habits`. Raises
    ValueError for a checkpoint of another kind.
    """
    if place == "deepfloyd":
        return deepfloyd.load(**large, device=device)
    file = find("class", place)
    model = from_checkpoint(checkpoint.load(file), file, device, precision)
    model.file = file
    return model


def from_checkpoint(
    found: dict, name="this checkpoint", device="cpu", precision="float32",
    kinds=DIFFUSIONS + FLOWS, made=None,
) -> DigitModel:
    """Return the model that a loaded checkpoint holds; see `load_model`. name: for the errors.
    kinds: those that are wanted. made: the model's class, called with network, T and precision."""
    if found["kind"] not in kinds:
        raise ValueError(
            f"{name} holds a {found['kind']!r} model, but {' or '.join(map(repr, kinds))} is wanted"
        )
    if not isinstance(found["config"], dict) or not isinstance(found["config"].get("T"), int):
        raise ValueError(f"{name} does not tell its model's number of steps T")
    device = torch.device(device)
    network = folded(checkpoint.rebuild(found))
    network = network.to(device, memory_format=machine.memory_format(device))
    made = made or (FlowModel if found["kind"] in FLOWS else DigitModel)
    model = made(network, found["config"]["T"], precision)
    model.kind, model.summary = found["kind"], checkpoint.summary(found)
    model.guidance = found.get("guidance", model.guidance)
    return model


def load_kind(kind: str, place: str = "") -> dict:
    """Load the checkpoint meant by `place`. Raises ValueError if it is of another kind."""
    file = find(kind, place)
    found = checkpoint.load(file)
    if found["kind"] != kind:
        raise ValueError(f"{file} holds a {found['kind']!r} model, but {kind!r} is wanted here")
    return found
