"""The models of the playground: which there are, and each loaded once."""

import importlib.util
from functools import lru_cache
from pathlib import Path

import minidiff
from minidiff.files import runs
from minidiff.models import zoo

KINDS = {"doodles": "sentences, in colour", "class": "digits", "flow": "digits, by a flow",
         "uncond": "digits, without a prompt"}
MOST = 5  # newest runs of a kind that are offered


def choices() -> list[tuple[str, str]]:
    """Return (what to show, place) of every model: the shipped ones, own runs, and DeepFloyd where
    its packages are installed. place: for `minidiff.load`."""
    found = []
    for kind, about in KINDS.items():
        own = [f for f in reversed(runs.folders(kind)) if (f / runs.LAST).is_file()]
        shipped = zoo.snapshots(kind)[-1:]
        found += [(f"{kind}: {about}", kind if not own else relative(file)) for file in shipped]
        found += [(f"{kind}: {folder}", str(folder)) for folder in own[:MOST]]
    if all(map(importlib.util.find_spec, ("transformers", "diffusers"))):
        found.append(("deepfloyd: sentences, 64 x 64 (needs its weights)", "deepfloyd"))
    return found


def relative(file) -> str:
    """Return a file's path, from the current folder where it is inside."""
    file = Path(file).resolve()
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def load(place, device="auto"):
    """Return the Pipeline of a place; the last few stay in memory, and all visitors share them. A
    run that has gone on is loaded anew."""
    if place not in [known for _, known in choices()]:
        raise ValueError(f"there is no model {place!r}; choose one from the list")
    file = zoo.find("class", place)
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    return _loaded(place, device, changed)


@lru_cache(4)
def _loaded(place, device, changed):
    return minidiff.load(place, device)


def kind_of(model) -> str:
    """Return the key of a model in sample/examples.py: "digits", "doodles", "deepfloyd"; "other"
    for a model of the user's own images."""
    if model.kind == "deepfloyd":
        return "deepfloyd"
    names = {"doodles": "doodles", "mnist": "digits", "strokes": "digits"}
    return names.get(model.dataset, "other")
