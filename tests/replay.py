"""Make an image again from its caption alone: the oracle for captions and labels.

A caption is parsed for its numbers, not for its sentences, and the image is sampled again by the
formulas of theory/: guidance is written out here, and nothing of models/generate.py is used.
"""

import re
from dataclasses import asdict

import pytest
import torch

from minidiff.data import prompts
from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.network import registry
from minidiff.theory import samplers, schedule, solvers
from minidiff.training.recipe import Recipe

T = 40  # of the models here


def options_of(caption):
    """Return what a caption says about sampling: sampler, kind or eta, clip, steps, seed, gamma and
    share, the share of the steps that are left when guidance ends; None where it says nothing."""
    text = caption[re.search(r"\b(ddpm|ddim|heun|dpm2m)\b[ ,]|Euler", caption).start():]
    method, _, inside = re.match(r"(\w+)( \(([^)]*)\))?", text).groups("")

    def number(pattern, default=None):
        found = re.search(pattern, text)
        return float(found.group(1)) if found else default

    kind = re.match(r"\w+", inside)
    return {
        "sampler": method, "kind": kind and kind.group(),
        "eta": number(r"eta ([\d.]+)"), "clip": "not clipped" not in inside,
        "steps": int(number(r"(\d+) steps")), "seed": int(number(r"seed (\d+)")),
        "gamma": number(r"gamma (-?[\d.]+)"), "share": number(r"until ([\d.]+)%", 0) / 100,
    }


def eps_fn(model, prompts, gamma, share=0.0):
    """Return the eps_fn, or the velocity, of prompts guided by gamma while t/T is above share."""
    if not model.conditional:
        return lambda x, t: model(x, t, None)
    cond, null = model.embed(list(prompts)), model.embed([""] * len(prompts))

    def fn(x, t):
        with torch.no_grad():
            c, u = model(x, t, cond), model(x, t, null)
        ended = t[0] <= share * model.schedule.T if model.schedule else t[0] >= 1 - share
        return u + (1 if gamma > 1 and ended else gamma) * (c - u)

    return fn


def noise(model, n, seed):
    """Return (x_T, generators): n images of noise from a seed, and the generators after them."""
    found = sources(seed, n)
    return torch.stack([torch.randn(model.image_shape, generator=g) for g in found]), found


def sources(seed, n):
    """Return the generators of n images: their seeds are 2⁶⁴ divided by the golden ratio apart."""
    golden = 0x9E3779B97F4A7C15
    return [torch.Generator().manual_seed((seed + k * golden) % 2**63) for k in range(n)]


def step_options(model, said):
    """Return the options of `trajectory` that parsed options mean."""
    step = {"ddpm": samplers.ddpm_step, "ddim": samplers.ddim_step, "heun": solvers.heun_step,
            "dpm2m": solvers.dpm2m_step}[said["sampler"]]
    name = {"ddim": "eta", "ddpm": "kind"}.get(said["sampler"])
    how = {name: said[name]} if name else {}
    return {"step": step, "clip": model.data_range if said["clip"] else None, **how}


def sampled(model, said, prompts, fn=None):
    """Return every x_t of sampling as parsed options say, a list, noise first. fn: in place of the
    eps_fn of the prompts."""
    x, generator = noise(model, len(prompts), said["seed"])
    fn = fn or eps_fn(model, prompts, said["gamma"], said["share"])
    if said["sampler"] == "Euler":
        found, steps = [x], said["steps"]
        for k in range(steps):
            with torch.no_grad():
                found.append(found[-1] + fn(found[-1], torch.full((len(x),), k / steps)) / steps)
        return found
    timesteps = schedule.evenly(model.schedule.T, said["steps"])
    states = samplers.trajectory(fn, model.schedule, x, timesteps, generator=generator,
                                 **step_options(model, said))
    return [state.x_t for state in states]


def close(a, b):
    """Return whether images are equal up to the rounding of batches of different sizes."""
    return a.shape == b.shape and torch.allclose(a, b, atol=2e-3)


def shown(x):
    """Return images as they are in a file."""
    return x.clamp(0, 1)


def attentive_checkpoint(path, kind, epoch=2, seed=0):
    """Write a checkpoint with random weights whose output depends on t and on the class; return
    the path."""
    network = NETWORKS[kind]
    arguments = {"width": 4, **network}
    torch.manual_seed(seed)
    made = registry.build(kind, arguments)
    side, (c_in, _) = made.size, made.channels
    t = torch.rand(16, made.time).squeeze(1) if made.time else None
    c = torch.eye(made.classes)[torch.arange(16) % made.classes] if made.classes else None
    x = torch.randn(16, c_in, side, side)
    with torch.no_grad():
        for name, p in made.named_parameters():
            if name.startswith("class"):
                p.mul_(3)
            if name.startswith("film") and name.endswith("2.weight"):  # a new one changes nothing
                p.normal_(std=0.03)
        for norm in made.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.momentum = None  # the statistics of all batches so far
        for _ in range(3):
            made(x, t, c)
        made.leave[-1].weight.div_(made.eval()(x, t, c).std())
    model = zoo.MODELS[kind](made, T, **DOODLES if kind.startswith("doodles") else {})
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(T=T, dataset="strokes", sample_steps=6)
    checkpoint.save(path, {
        "kind": kind, "network": arguments, "weights": made.state_dict(),
        "model": model.description(), "config": asdict(recipe),
        "dataset": "strokes", "epoch": epoch, "step": 10,
    })
    return path


NETWORKS = {  # kind: arguments of its network
    "class": {"time": 1, "classes": 10}, "uncond": {"time": 1}, "denoiser": {},
    "flow": {"time": 1, "classes": 10}, "flow-uncond": {"time": 1, "scaled": True},
    "upsampler": {"time": 2, "classes": 10, "size": 56, "channels": (2, 1)},
    "doodles": {"time": 1, "classes": len(prompts.DOODLES.words), "size": 32, "channels": (3, 3),
                "film": True},
    "doodles-upsampler": {"time": 2, "classes": len(prompts.DOODLES.words), "size": 64,
                          "channels": (6, 3)},
}
DOODLES = {"schedule": "cosine", "words": prompts.DOODLES.words, "data_range": (-1.0, 1.0)}


def attentive_models(folder):
    """Write a run of every kind below folder/runs, each with a log and two snapshots, of epochs 1
    and 2; the last is also last.pt."""
    for kind in NETWORKS:
        place = folder / "runs" / kind / "001"
        place.mkdir(parents=True)
        first = ord(kind[0]) / 100
        runs.write_log(place, [
            {"step": 5 * k, "epoch": 1 + (k > 2), "loss": first / k, "lr": 1e-3,
             "images_per_second": 9.0} for k in (1, 2, 3, 4)])
        for seed, (epoch, name) in enumerate([(1, "weights-epoch-01"), (2, "weights-epoch-02")]):
            attentive_checkpoint(place / f"{name}.pt", kind, epoch, seed)
        attentive_checkpoint(place / "last.pt", kind, 2, 1)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory, made=[]):  # noqa: B006  made once, though several modules import it
    """A folder with a run of each kind, with random weights that depend on the class."""
    if not made:
        made.append(attentive_models(tmp_path_factory.mktemp("models")))
    return made[0]
