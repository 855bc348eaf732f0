"""Measure the class-conditioned model at many settings: guidance, steps, samplers, clipping.

    python -m sample.sweep --n 500          then: python -m figures --only sweep

Each point is written to the JSON as soon as it is measured; started again, only what is missing is
measured. Points are told by their settings, so the same n, seed and weights share one file.
"""

import dataclasses
import json
from pathlib import Path

from minidiff import checkpoint, cli, config, machine, models, runs
from sample.evaluate import draw, load_measure

GAMMAS = (0, 1, 1.5, 2, 3, 5, 7, 10)
STEPS = (5, 10, 20, 50)


@dataclasses.dataclass(frozen=True)
class SweepFlags:
    """What to measure at every point, and where it goes."""

    n: int = cli.flag(500, "samples at each point")
    out: str = cli.flag("sweep.json", "JSON of all points; finished ones are kept")
    checkpoint: str = cli.flag("", "class-conditioned; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", machine.DEVICES)


def points():
    """Return every setting as (group, curve, WalkFlags, GuidanceFlags), each one once."""
    walk, best = config.WalkFlags, config.GuidanceFlags()
    found = []
    for gamma in GAMMAS:
        found.append(("gamma", "at every step", walk(), config.GuidanceFlags(gamma, 0.0)))
        if gamma not in (0, 1):
            told = f"until t/T = {best.guide_until:g}"
            found.append(("gamma", told, walk(), config.GuidanceFlags(gamma, best.guide_until)))
    for gamma in (best.gamma, 10.0):
        guidance = config.GuidanceFlags(gamma, 0.0)
        found.append(("clip", f"gamma {gamma:g}, not clipped", walk(clip=False), guidance))
        found.append(("clip", f"gamma {gamma:g}, clipped", walk(), guidance))
    found.append(("steps", "ddpm, beta_tilde", walk(steps=300, variance="beta_tilde"), best))
    for steps in STEPS:
        for name in ("beta_tilde", "beta"):
            found.append(("steps", f"ddpm, {name}", walk(steps=steps, variance=name), best))
        found.append(("steps", "ddim", walk(steps=steps, sampler="ddim"), best))
    return found


def main(argv=None):
    """Measure every point that is not in the file yet."""
    given = cli.parse([SweepFlags], argv, "python -m sample.sweep", "measure many settings")
    flags = SweepFlags(**given[0])
    out = cli.writable(flags.out, ".json")
    device = machine.pick_device(flags.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    file = models.find("class", flags.checkpoint)
    about = {
        "weights": f"{models.origin(file)} ({checkpoint.summary(checkpoint.load(file))})",
        "judge": judged, "hardware": machine.describe(device), "n": flags.n,
    }
    kept = read(out)
    known = {key(p): p for p in kept["points"]} if kept.get("n") == flags.n else {}
    found = []
    for group, curve, how, guidance in points():
        how = dataclasses.replace(how, checkpoint=str(file), device=device.type)
        settings = {**dataclasses.asdict(how), **dataclasses.asdict(guidance)}
        point = {"group": group, "curve": curve, **settings}
        if key(point) not in known:
            print(f"{curve}: {how}, {guidance}", flush=True)
            x, labels, _ = draw(how, guidance, flags.n)
            known[key(point)] = {**settings, **measure(x, labels.to(x.device))}
        found.append({**known[key(point)], "group": group, "curve": curve})
        rest = [p for p in kept["points"] if key(p) not in {key(q) for q in found}]
        runs.write_json(out, {**about, "points": found + rest})
    print(f"wrote {out}; draw it with: python -m figures --only sweep")


def key(point):
    """Return what tells one point's settings from another's."""
    names = {f.name for cls in (config.WalkFlags, config.GuidanceFlags)
             for f in dataclasses.fields(cls)} - {"device"}
    return tuple(sorted((name, float(v) if isinstance(v, int) else v)
                        for name, v in point.items() if name in names))


def read(path):
    """Return a sweep's JSON, or an empty one where there is none."""
    if not Path(path).is_file():
        return {"points": []}
    return json.loads(Path(path).read_text())


if __name__ == "__main__":
    cli.main(main)
