"""What a file of tensors may contain: one table of rules, applied before anything in it is used.

A file can be damaged on its way, edited by hand, or made by a stranger. `weights_only` (in
checkpoint.py) keeps it from running code; the rules here keep it from being wrong in silence. Bits
that flipped are found by the checksums of the zip archive that torch writes.
"""

import os
import reprlib
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import torch

MOST_T = 10_000  # steps of a schedule


class Rule(NamedTuple):
    """What a value has to be, in words and as a function value -> bool."""

    words: str
    holds: Callable


def _number(low, high, types=(int,)) -> Rule:
    noun = "a number" if float in types else "an integer"
    return Rule(f"{noun} in {low:g}..{high:g}",
                lambda v: type(v) in types and low <= v <= high)  # NaN is in no range


def _several(rule, least, most) -> Rule:
    count = f"{least} to {most}" if least < most else f"{least}"
    return Rule(f"{count} values in a list, each {rule.words}",
                lambda v: type(v) in (list, tuple) and least <= len(v) <= most
                and all(map(rule.holds, v)))


def _real(low, high) -> Rule:
    return _number(low, high, (int, float))


TEXT = Rule("a line of 1..200 characters",
            lambda v: type(v) is str and 1 <= len(v) <= 200 and v.isprintable())
FLAG = Rule("true or false", lambda v: type(v) is bool)
PLAIN = Rule("a finite number or a line of text",
             lambda v: TEXT.holds(v) or FLAG.holds(v) or _real(-2**63, 2**63).holds(v))
RANGE = Rule("two finite numbers, the first below the second",
             lambda v: _several(_real(-1e6, 1e6), 2, 2).holds(v) and v[0] < v[1])
T = _number(2, MOST_T)
OTHER = "other names"  # in a table: the rule for every name that is not in it

GUIDANCE = {"gamma": _real(-1000, 1000), "guide_until": _real(0, 1)}
MODEL = {"words": _several(TEXT, 0, 10_000), "data_range": RANGE, "schedule": TEXT, "T": T,
         "predict": TEXT}
DATA = {"examples": _several(TEXT, 0, 10_000), "light_on_dark": FLAG}
NETWORK = {
    "width": _number(1, 4096), "time": _number(0, 16, (int, bool)), "classes": _number(0, 10_000),
    "size": _number(4, 1024), "scaled": FLAG, "film": FLAG,
    "mults": _several(_number(1, 64), 3, 3), "channels": Rule(
        "a number in 1..64, or two", lambda v: _several(_number(1, 64), 2, 2).holds(
            v if type(v) in (list, tuple) else [v, v])),
    "answers": _several(_number(1, 10_000), 1, 64),
}
PATH = Rule("a path of at most 4,096 characters", lambda v: type(v) is str and len(v) <= 4096)
CONFIG = {
    "init": PATH, "T": T, "sigma": _real(1e-9, 1e6), "epochs": _number(1, 10**9), OTHER: PLAIN,
}
CHECKPOINT = {
    "kind": TEXT, "dataset": TEXT, "device": TEXT, "hardware": TEXT, "epoch": _number(0, 10**9),
    "step": _number(0, 10**12), "network": NETWORK, "model": MODEL, "config": CONFIG,
    "guidance": GUIDANCE, "data": DATA, OTHER: Rule("anything", lambda v: True),
}

LOSSES = _several(_real(0, 1e9), 1, 10**6)
MEASURE = Rule(PLAIN.words, lambda v: v == "" or PLAIN.holds(v))
CARD = {
    **{name: CHECKPOINT[name] for name in ("kind", "network", "dataset", "hardware", "config")},
    "torch": TEXT, "seconds": _real(0, 1e9), "epochs_loss": LOSSES,
    "loss": {"step": _several(_number(1, 10**12), 1, 10**6), "loss": LOSSES},
    "measures": {"measures": {OTHER: MEASURE}, OTHER: MEASURE},
}


def check(found, rules: dict, place="") -> None:
    """Raise ValueError for the first value in a dict that breaks its rule. place: of the dict, for
    the error, such as "network."."""
    if not isinstance(found, dict):
        raise ValueError(f"its {place.rstrip('.')} should be a dict, got {reprlib.repr(found)}")
    for name, value in found.items():
        rule = rules.get(name, rules.get(OTHER))
        if rule is None:
            raise ValueError(f"its {place}{reprlib.repr(name)} is not known; update minidiff")
        if isinstance(rule, dict):
            check(value, rule, f"{place}{name}.")
        elif not rule.holds(value):
            raise ValueError(f"its {place}{name} should be {rule.words}, got {reprlib.repr(value)}")


def check_card(found: dict, file) -> dict:
    """Return what was read in the card of shipped weights (zoo.py), once each field is what it has
    to be. Raises ValueError, naming the file, for another."""
    try:
        check(found, CARD)
        missing = CARD.keys() - found.keys() or CARD["loss"].keys() - found["loss"].keys()
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        if len(found["loss"]["step"]) != len(found["loss"]["loss"]):
            raise ValueError("its loss has not one value for each step")
    except ValueError as e:
        raise ValueError(f"{file} is damaged: {e}; use another copy of it") from e
    return found


def check_checkpoint(found: dict) -> None:
    """Raise ValueError for a checkpoint with a value of the wrong type or out of range, with
    weights that are not finite numbers, or with a network that is larger than its weights."""
    check(found, CHECKPOINT)
    network, weights = found["network"], found["weights"]
    if "width" not in network:
        raise ValueError("its network lacks width")
    if found["kind"] == "denoiser" and "sigma" not in found["config"]:
        raise ValueError("its config lacks sigma, the noise that the denoiser was trained on")
    words = found.get("model", {}).get("words")
    if words and len(words) < network.get("classes", 0):
        raise ValueError(f"it names {len(words)} words for {network['classes']} classes")
    check_weights(weights)
    D = network["width"] * max(network.get("mults", (1,)))
    count = sum(w.numel() for w in weights.values())
    widest = max(D, network.get("classes", 0), network.get("time", 0))
    if max(D * widest, (D * network.get("size", 4) // 4) ** 2) > count:  # some layer has that many
        raise ValueError(f"its network is too large for its {count:,} weights")


def check_weights(weights) -> None:
    """Raise ValueError for weights that are not finite numbers."""
    if not isinstance(weights, dict):
        raise ValueError("its weights should be a dict of tensors")
    for name, w in weights.items():
        if str(name).endswith("num_batches_tracked"):
            sound = dense(w, (torch.int64,)) and w.dim() == 0 and w >= 0
        else:
            sound = dense(w) and torch.isfinite(w.float()).all()
        if not sound:
            raise ValueError(f"its weight {reprlib.repr(name)} should be finite real numbers")


def dense(w, types=(torch.float16, torch.bfloat16, torch.float32, torch.float64)) -> bool:
    """Return whether w is an ordinary tensor of one of the types, with each value in memory."""
    return (isinstance(w, torch.Tensor) and w.dtype in types and w.device.type == "cpu"
            and w.layout is torch.strided and not w.is_nested
            and w.untyped_storage().nbytes() >= w.numel() * w.element_size())


def check_training(state, fresh: dict, shapes: list, step: int) -> None:
    """Raise ValueError for the state of a training run that cannot be resumed.

    state: what Training.state_dict returned, from a file. fresh: the same of a new Training.
    shapes: of all parameters, in order. step: how many steps Adam has done.
    """
    check_weights(state.get("weights", {}))
    adam, new = state["optimizer"], fresh["optimizer"]
    group, = adam["param_groups"]
    for name in ("params", "betas", "eps", "weight_decay", "amsgrad", "maximize"):
        if list_of(group[name]) != list_of(new["param_groups"][0][name]):
            raise ValueError(f"the optimiser's {name} is not the one of this training")
    if not _real(0, 1e9).holds(group["lr"]) or adam["state"].keys() != set(group["params"]):
        raise ValueError("the optimiser's state is not of these weights")
    for k, shape in enumerate(shapes):
        moments = adam["state"][k]
        done = moments["step"]
        if not dense(done) or done.dim() or done.item() != step:
            raise ValueError(f"the optimiser did not do the {step} steps of the run")
        for name in ("exp_avg", "exp_avg_sq"):
            m = moments[name]
            if not dense(m) or m.shape != shape or not torch.isfinite(m.float()).all():
                raise ValueError("the optimiser's moments do not fit the weights")
        if (moments["exp_avg_sq"] < 0).any():
            raise ValueError("the optimiser's moments do not fit the weights")
    if not dense(state["generator"], (torch.uint8,)):
        raise ValueError("the random state is not one")
    if state["generator"].shape != fresh["generator"].shape:
        raise ValueError("the random state is that of another device")


def list_of(value):
    """Return a tuple as a list, and anything else as it is: files mix the two."""
    return list(value) if isinstance(value, tuple) else value


def flaw_of_zip(path) -> str:
    """Return what is wrong with a zip archive, such as torch writes: a bit that flipped, or more in
    it than the file holds; "" if nothing is. Raises zipfile.BadZipFile for another file."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        packed = any(m.compress_type or m.file_size != m.compress_size for m in members)
        if packed or sum(m.file_size for m in members) > os.path.getsize(path):
            return "its parts are larger than the file"
        bad = archive.testzip()
    return f"the checksum of its part {reprlib.repr(bad)} is wrong" if bad else ""
