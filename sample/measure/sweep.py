"""Measure the class-conditioned model at many settings: guidance, steps, samplers, clipping.

    python -m sample.measure.sweep --n 500          then: make figures ONLY=sweep

Each point is written to the JSON as soon as it is measured; started again with the same weights,
judge and n, only what is missing is measured.
"""

import dataclasses
import hashlib
from pathlib import Path

from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.options import SampleOptions
from minidiff.system import cli, hardware
from sample.measure.evaluate import load_measure, make

GAMMAS = (0, 1, 1.5, 2, 3, 5, 7, 10)
STEPS = (5, 10, 20, 50, 100, 300)
NAMES = ("steps", "sampler", "variance", "eta", "clip", "seed", "gamma", "guide_until")


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """What to measure at every point, and where it goes. Raises ValueError for n below 10."""

    n: int = cli.flag(500, "samples at each point")
    out: str = cli.flag("sweep.json", "JSON of all points; finished ones are kept")
    model: str = cli.flag("", "class-conditioned; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)

    def __post_init__(self):
        cli.at_least("n", self.n, 10)


def points(T, best):
    """Return every setting as (group, curve, SampleOptions), cheap ones first.

    A setting may belong to two groups. T: of the model; no setting takes more steps. best: the
    SampleOptions whose guidance is used where steps and samplers are compared.
    """
    found, few = [], dataclasses.replace(best, steps=min(best.steps, T))
    for gamma in GAMMAS:
        everywhere = dataclasses.replace(few, gamma=gamma, guide_until=0.0)
        found.append(("gamma", "at every step", everywhere))
        if gamma > 1:
            name = f"until t/T = {best.guide_until:g}"
            found.append(("gamma", name, dataclasses.replace(few, gamma=gamma)))
        if gamma in (1, 3, 10):
            free = dataclasses.replace(everywhere, clip="none")
            found += [("clip", "clipped", everywhere), ("clip", "not clipped", free)]
    for steps in sorted({min(steps, T) for steps in STEPS}):
        for name in ("beta_tilde", "beta"):
            setting = dataclasses.replace(best, steps=steps, variance=name)
            found.append(("steps", f"ddpm, {name}", setting))
        found.append(("steps", "ddim", dataclasses.replace(best, steps=steps, sampler="ddim")))
    return found


def main(argv=None):
    """Measure every point that is not in the file yet."""
    about = "measure many settings"
    (flags,), _ = cli.parse([SweepOptions], argv, "python -m sample.measure.sweep", about)
    out = cli.writable(flags.out, ".json")
    file = zoo.find("class", flags.model)
    found = zoo.load_kind("class", file)
    device = hardware.pick_device(flags.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    about = {
        "weights": f"{zoo.origin(file)} ({checkpoint.summary(found)})",
        "md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(),
        "judge": judged, "n": flags.n, "hardware": hardware.describe(device),
    }
    before = runs.read_json(out) if Path(out).is_file() else {}
    same = all(before.get(name) == about[name] for name in ("md5", "judge", "n"))
    known = {key(p): p for p in before["points"]} if same else {}
    done, best = [], SampleOptions(device=device.type, **found.get("guidance", {}))
    for group, curve, options in points(zoo.description(found)["T"], best):
        point = dataclasses.asdict(options)
        if key(point) not in known:
            print(f"{curve}: {options.steps} steps, {options.describe_guidance()}", flush=True)
            x, labels, _ = make(file, options, flags.n)
            known[key(point)] = {**point, **measure(x, labels)}
        done.append({**known[key(point)], "group": group, "curve": curve})
        rest = [p for k, p in known.items() if k not in set(map(key, done))]
        runs.write_json(out, {**about, "points": done + rest})
    print(f"wrote {out}; draw it with: make figures ARGS='--only sweep'")


def key(point):
    """Return the settings that make a point differ from another."""
    return tuple((name, point[name]) for name in sorted(NAMES))


if __name__ == "__main__":
    with cli.program():
        main()
