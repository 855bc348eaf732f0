"""The bench's figures as a table that a person can read, ratios first."""

import platform

import numpy
import torch

GIGA = 1e9


def versions():
    """Return the versions that speed depends on."""
    return {"python": platform.python_version(), "torch": torch.__version__,
            "numpy": numpy.__version__}


def table(found):
    """Return the table of what bench.py found, as text."""
    parts = [_limits(found), _training(found), _sampling(found["sampling"]), _fresh(found["fresh"])]
    if "peers" in found:
        parts.append(_peers(found["peers"]))
    return f"{found['hardware']}, {found['data']}, medians ± spread\n\n" + "\n\n".join(parts)


def _told(name, *cells):
    return f"  {name:<44}" + "".join(f"{cell:>16}" for cell in cells)


def _pm(summary, scale=1.0, digits=3):
    """Return "340 ± 2%"."""
    return f"{summary['median'] / scale:.{digits}g} ± {summary['spread']:.0%}"


def _ratio(a, b):
    return f"{a['median'] / b['median']:.2f}x"


def share(found, name):
    """Return the share of a format's product rate that a training loop reaches."""
    training, limits = found["training"], found["limits"]
    precision = found["precision"] if name == "ours" else "float32"
    rate = training[name]["median"] * training["operations"]
    return f"{rate / limits[precision]['median']:.0%} of {precision}"


def _limits(found):
    limits = found["limits"]
    return "\n".join([
        "the machine's limits",
        _told("matrix product, float32, giga-operations/s", _pm(limits["float32"], GIGA)),
        _told("matrix product, bfloat16", _pm(limits["bfloat16"], GIGA)),
        _told("memory, read and written, GB/s", _pm(limits["memory"], GIGA)),
    ])


def _training(found):
    training = found["training"]
    ours, plain, parts = training["ours"], training["plain"], training["parts"]
    whole = sum(parts.values())
    return "\n".join([
        _told(f"training, D = {training['width']}, batch {training['batch_size']}",
              "ours", "plain", "ours / plain"),
        _told("images per second", _pm(ours), _pm(plain), _ratio(ours, plain)),
        _told("share of the matrix product's rate", share(found, "ours"), share(found, "plain")),
        _told("operations per image, giga", f"{training['operations'] / GIGA:.3f}"),
        *(_told(f"of which {name}", f"{s / whole:.1%}") for name, s in parts.items()),
    ])


def _sampling(found):
    plain = found["plain"]
    n = f"of {plain['n']}"
    rows = [_told(f"sampling {plain['digits']} guided digits", "calls", "seconds", "plain / this",
                  f"right {n}", f"distance {n}")]
    for name, way in found.items():
        rows.append(_told(
            name, way["calls"], _pm(way["seconds"]), _ratio(plain["seconds"], way["seconds"]),
            f"{way['accuracy']:.1%}", f"{way['ratio']:.2f}",
        ))
    return "\n".join(rows)


def _fresh(found):
    memory = {k: f"{v / GIGA:.2f}" for k, v in found["memory"].items()}
    starts = [_told(f"seconds to {name}", _pm(found[name]))
              for name in ("import torch", "import minidiff", "first digit")]
    return "\n".join([
        _told("fresh processes", "ours", "plain"), *starts,
        _told("peak memory of training, GB", memory["ours"], memory["plain"]),
    ])


def _peers(found):
    rows = [_told("peers, training and sampling", "parameters", "Gop/image", "images/s", "Gop/s",
                  "20 steps, s")]
    for name, peer in found.items():
        rate = peer["images"]["median"] * peer["operations"] / GIGA
        rows.append(_told(
            name, f"{peer['parameters'] / 1e6:.2f} M", f"{peer['operations'] / GIGA:.2f}",
            _pm(peer["images"]), f"{rate:.0f}", _pm(peer["sample"]),
        ))
    return "\n".join(rows)
