"""The results of bench.py as a table, ratios first."""

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
    parts = [_limits(found["limits"]), _training(found), _sampling(found["sampling"]),
             _sentence(found["sentence"]), _processes(found["processes"])]
    if "libraries" in found:
        parts.append(_libraries(found["libraries"]))
    return f"{found['hardware']}, {found['data']}, medians ± spread\n\n" + "\n\n".join(parts)


def _row(name, *cells):
    return f"  {name:<44}" + "".join(f"{cell:>16}" for cell in cells)


def _pm(summary, scale=1.0, digits=3):
    """Return "340 ± 2%"."""
    return f"{summary['median'] / scale:.{digits}g} ± {summary['spread']:.0%}"


def _ratio(a, b):
    return f"{a['median'] / b['median']:.2f}x"


def share(found, name):
    """Return the share of its format's matrix-product rate that a training loop reaches."""
    training, limits = found["training"], found["limits"]
    precision = found["precision"] if name == "ours" else "float32"
    rate = training[name]["median"] * training["operations"]
    return f"{rate / limits[precision]['median']:.0%} of {precision}"


def _limits(limits):
    return "\n".join([
        "the machine's limits",
        _row("matrix product, float32, giga-operations/s", _pm(limits["float32"], GIGA)),
        _row("matrix product, bfloat16", _pm(limits["bfloat16"], GIGA)),
        _row("memory, read and written, GB/s", _pm(limits["memory"], GIGA)),
    ])


def _training(found):
    training = found["training"]
    both, parts = [training["ours"], training["baseline"]], training["parts"]
    whole = sum(parts.values())
    return "\n".join([
        _row(f"training, D = {training['width']}, batch {training['batch_size']}",
             "ours", "baseline", "ours / baseline"),
        _row("images per second", *map(_pm, both), _ratio(*both)),
        _row("share of the matrix product's rate", share(found, "ours"), share(found, "baseline")),
        _row("operations per image, giga", f"{training['operations'] / GIGA:.3f}"),
        *(_row(f"time of a step: {name}", f"{s / whole:.1%}") for name, s in parts.items()),
    ])


def _sampling(found):
    baseline = found["baseline"]
    n = f"of {baseline['n']}"
    rows = [_row(f"sampling {baseline['digits']} guided digits", "calls", "seconds",
                 "baseline / this", f"correct {n}", f"distance {n}")]
    for name, each in found.items():
        rows.append(_row(
            name, each["calls"], _pm(each["seconds"]),
            _ratio(baseline["seconds"], each["seconds"]),
            f"{each['accuracy']:.1%}", f"{each['ratio']:.2f}",
        ))
    return "\n".join(rows)


def _sentence(found):
    rows = [_row("one image of a sentence, first stage, guided", "seconds")]
    return "\n".join(rows + [_row(name, _pm(each)) for name, each in found.items()])


def _processes(found):
    memory = {k: f"{v / GIGA:.2f}" for k, v in found["memory"].items()}
    starts = [_row(f"seconds to {name}", _pm(found[name]))
              for name in ("import torch", "import minidiff", "first digit")]
    return "\n".join([
        _row("fresh processes", "ours", "baseline"), *starts,
        _row("peak memory of training, GB", memory["ours"], memory["baseline"]),
    ])


def _libraries(found):
    rows = [_row("libraries, training and sampling", "parameters", "Gop/image", "images/s",
                 "Gop/s", "20 steps, s")]
    for name, each in found.items():
        rate = each["images"]["median"] * each["operations"] / GIGA
        rows.append(_row(
            name, f"{each['parameters'] / 1e6:.2f} M", f"{each['operations'] / GIGA:.2f}",
            _pm(each["images"]), f"{rate:.0f}", _pm(each["sample"]),
        ))
    return "\n".join(rows)
