"""Measure the class-conditioned model at many settings: guidance, steps, samplers, clipping.

    python -m sample.sweep --n 500          then: python -m figures --only sweep

Each point is written to the JSON as soon as it is measured; started again with the same weights,
judge and n, only what is missing is measured.
"""

import dataclasses
import hashlib
from pathlib import Path

from minidiff import checkpoint, cli, machine, models, runs, settings
from sample.evaluate import draw, load_measure

GAMMAS = (0, 1, 1.5, 2, 3, 5, 7, 10)
STEPS = (5, 10, 20, 50, 100, 300)


@dataclasses.dataclass(frozen=True)
class SweepFlags:
    """What to measure at every point, and where it goes. Raises ValueError for n below 10."""

    n: int = cli.flag(500, "samples at each point")
    out: str = cli.flag("sweep.json", "JSON of all points; finished ones are kept")
    model: str = cli.flag("", "class-conditioned; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", machine.DEVICES)

    def __post_init__(self):
        if self.n < 10:
            raise ValueError(f"n must be at least 10, got {self.n}")


def points(T, best):
    """Return every setting as (group, curve, WalkFlags, GuidanceFlags), cheap ones first.

    A setting may belong to two groups. T: of the model; no setting takes more steps. best: the
    guidance that steps and samplers are compared at.
    """
    walk, found = settings.WalkFlags, []
    base = min(walk().steps, T)
    for gamma in GAMMAS:
        everywhere = settings.GuidanceFlags(gamma, 0.0)
        found.append(("gamma", "at every step", walk(steps=base), everywhere))
        if gamma > 1:
            told = f"until t/T = {best.guide_until:g}"
            early = settings.GuidanceFlags(gamma, best.guide_until)
            found.append(("gamma", told, walk(steps=base), early))
        if gamma in (1, 3, 10):
            found.append(("clip", "clipped", walk(steps=base), everywhere))
            found.append(("clip", "not clipped", walk(steps=base, clip="none"), everywhere))
    for steps in sorted({min(steps, T) for steps in STEPS}):
        for name in ("beta_tilde", "beta"):
            found.append(("steps", f"ddpm, {name}", walk(steps=steps, variance=name), best))
        found.append(("steps", "ddim", walk(steps=steps, sampler="ddim"), best))
    return found


def main(argv=None):
    """Measure every point that is not in the file yet."""
    given = cli.parse([SweepFlags], argv, "python -m sample.sweep", "measure many settings")
    flags = SweepFlags(**given[0])
    out = cli.writable(flags.out, ".json")
    file = models.find("class", flags.model)
    found = models.load_kind("class", file)
    device = machine.pick_device(flags.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    about = {
        "weights": f"{models.origin(file)} ({checkpoint.summary(found)})",
        "md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(),
        "judge": judged, "n": flags.n, "hardware": machine.describe(device),
    }
    before = runs.read_json(out) if Path(out).is_file() else {}
    same = all(before.get(name) == about[name] for name in ("md5", "judge", "n"))
    known = {key(p): p for p in before["points"]} if same else {}
    done = []
    best = settings.GuidanceFlags(**found.get("guidance", {}))
    for group, curve, how, guidance in points(found["config"]["T"], best):
        how = dataclasses.replace(how, device=device.type)
        point = {**dataclasses.asdict(how), **dataclasses.asdict(guidance)}
        if key(point) not in known:
            print(f"{curve}: {how}, {guidance}", flush=True)
            x, labels, _ = draw(file, how, dataclasses.asdict(guidance), flags.n)
            known[key(point)] = {**point, **measure(x, labels)}
        done.append({**known[key(point)], "group": group, "curve": curve})
        rest = [p for k, p in known.items() if k not in set(map(key, done))]
        runs.write_json(out, {**about, "points": done + rest})
    print(f"wrote {out}; draw it with: make figures ARGS='--only sweep'")


def key(point):
    """Return what tells one point's settings from another's."""
    names = ("steps", "sampler", "variance", "eta", "clip", "seed", "gamma", "guide_until")
    return tuple((name, point[name]) for name in sorted(names))


if __name__ == "__main__":
    cli.main(main)
