"""A network becomes a model that a sampler can use; a name or a file becomes a network.

A sampler wants to know nothing of UNets. The contract between the two halves of this project:

    eps_hat = model(x_t, t, cond)     x_t (B,C,H,W) float; t (B,) int64 in 1..T
    model.schedule                    how much signal is left at each t
    model.image_shape                 (C, H, W)
    model.data_range                  (low, high) of a clean picture
    cond = model.embed(prompts)       prompts: list of str; "" is the null prompt

The digit models' prompts are "0".."9" and "". A model without classes takes only "". `walk` puts
model, guidance and sampler together: from prompts to pictures.

Where does a network come from? `find` knows: a file, a run's folder, the newest run of a kind, or,
where none was trained yet, the weights that are shipped with the project.

Next: evaluate.py
"""

from functools import partial
from pathlib import Path

import torch

from minidiff import checkpoint, machine, runs, schedule, shipped
from minidiff.blocks import folded
from minidiff.config import RECIPES
from minidiff.guidance import guided, until
from minidiff.samplers import sample_path

KINDS = ("uncond", "class")  # that can be sampled from
CHUNK = 256  # pictures per network call: bounds its memory, not the result


class DigitModel:
    """A UNet under the contract. network: UNet with time. T: steps of its linear schedule.
    precision: the network's number format, "float32" or "bfloat16"; all else is float32.

    The network is used in whatever mode it is in; `load_model` hands it over in eval mode.
    """

    image_shape = (1, 28, 28)
    data_range = (0.0, 1.0)

    file = kind = summary = guidance = None  # filled in by `load_model`

    def __init__(self, network, T: int, precision: str = "float32"):
        self.network, self.bfloat16 = network, precision == "bfloat16"
        self.device = next(network.parameters()).device
        self.schedule = schedule.linear(T).to(self.device)

    def __call__(self, x_t, t, cond=None):
        """Return eps_hat, like x_t (B,1,28,28). t: (B,) int64 in 1..T. cond: from `embed`."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.network(x_t, t / self.schedule.T, cond).float()

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


def walk(model, prompts, steps, seed, *, step="ddpm", gamma=1.0, guide_until=0.0, **options):
    """Return every State of a walk from noise to a picture per prompt, from N(0, 1) at t = T.

    model: under the contract above. prompts: list of str. steps: network calls, 1..T. seed: of all
    noise, drawn on the CPU so that every device starts alike. step: "ddpm" or "ddim". gamma: of
    guidance (6); above 1 it holds at t > guide_until T only, and is 1 from there down. options: of
    `sample_path`; clip defaults to the model's range. Raises ValueError for a prompt the model does
    not know, for guidance of a model without prompts, and for steps out of range.
    """
    T = model.schedule.T
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(prompts), *model.image_shape, generator=generator).to(model.device)
    timesteps = schedule.evenly(T, steps)
    options = {"clip": model.data_range, "generator": generator, **options}
    eps_fn = prompted(model, prompts, gamma, guide_until)
    return sample_path(eps_fn, model.schedule, x_T, timesteps, step=step, **options)


def prompted(model, prompts, gamma=1.0, guide_until=0.0):
    """Return the eps_fn(x_t, t) of a model that is asked for these prompts, one for each picture.

    Arguments and errors: those of `walk`.
    """
    cond = model.embed(prompts)
    chunked = partial(_in_chunks, model)
    if cond is None:
        if gamma != 1:
            raise ValueError(f"this model knows no classes, so it can't be guided; gamma = {gamma}")
        return partial(chunked, cond=None)
    null = model.embed([""] * len(prompts))
    t_end = guide_until * model.schedule.T if gamma > 1 else 0  # only exaggeration ends early
    return until(t_end, guided(chunked, cond, null, gamma), guided(chunked, cond, null, 1))


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


def load_model(place: str, device="cpu", precision="float32") -> DigitModel:
    """Load a model that can be prompted, in eval mode, its norms folded (blocks.py).

    place: as in `find`: "uncond" or "class", a checkpoint, or a run's folder. The model tells where
    it came from, `.file`, `.kind`, `.summary`, and with which `.guidance` it is best used, fields
    of GuidanceFlags. Raises ValueError for a checkpoint of another kind.
    """
    file = find("class", place)
    model = from_checkpoint(checkpoint.load(file), file, device, precision)
    model.file = file
    return model


def from_checkpoint(
    found: dict, name="this checkpoint", device="cpu", precision="float32"
) -> DigitModel:
    """Return the model that a loaded checkpoint holds; see `load_model`. name: for the errors."""
    if found["kind"] not in KINDS:
        raise ValueError(
            f"{name} holds a {found['kind']!r} model, but {' or '.join(map(repr, KINDS))} is wanted"
        )
    if not isinstance(found["config"], dict) or not isinstance(found["config"].get("T"), int):
        raise ValueError(f"{name} does not tell its model's number of steps T")
    device = torch.device(device)
    network = folded(checkpoint.rebuild(found))
    network = network.to(device, memory_format=machine.memory_format(device, precision))
    model = DigitModel(network, found["config"]["T"], precision)
    model.kind, model.summary = found["kind"], checkpoint.summary(found)
    model.guidance = found.get("guidance", {})
    return model


def load_kind(kind: str, place: str = "") -> dict:
    """Load the checkpoint meant by `place`. Raises ValueError if it is of another kind."""
    file = find(kind, place)
    found = checkpoint.load(file)
    if found["kind"] != kind:
        raise ValueError(f"{file} holds a {found['kind']!r} model, but {kind!r} is wanted here")
    return found
