"""Measure the class-conditioned model at many settings: guidance, steps, samplers, clipping.

    python -m sample.measure.sweep --n 500          then: make figures ONLY=sweep

Each point is written to the JSON as soon as it is measured. Started again with the same weights,
judge and n, only what is missing is measured; with others, the old file becomes sweep-1.json.
"""

import dataclasses
import hashlib
from functools import partial

from minidiff.evaluation import judge
from minidiff.evaluation.points import FLOOR, Points
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.models.options import SampleOptions
from minidiff.system import cli, hardware
from sample.generate import load
from sample.measure.evaluate import load_measure, make
from sample.measure.npz import MOST

GAMMAS = (0, 1, 1.5, 2, 3, 5, 7, 10)
STEPS = (5, 10, 20, 50, 100, 300)
NAMES = ("steps", "sampler", "variance", "eta", "clip", "seed", "gamma", "guide_until")


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """What to measure at every point, and where it goes. Raises ValueError for n out of range."""

    n: int = cli.flag(500, "samples at each point", least=10, most=MOST)
    out: str = cli.flag("sweep.json", "JSON of all points; finished ones are kept")
    model: str = cli.flag("", "class-conditioned; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", hardware.DEVICES)

    def __post_init__(self):
        cli.check(self)


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
    best = SampleOptions(device=device.type, **found.get("guidance", {}))
    points_file = Points(out, {
        "weights": f"{zoo.origin(file)} ({checkpoint.summary(found)})",
        "md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(),
        "judge": judge.find(flags.judge, found["dataset"])[1], "n": flags.n, "floor": FLOOR,
        "hardware": hardware.describe(device),
    }, NAMES)
    measure, judged = load_measure(flags.judge, flags.data_dir, device, found["dataset"])
    print(f"judge:   {judged}", flush=True)
    model = load(best, ("class",), place=str(file))

    def measured(curve, options):
        print(f"{curve}: {options.steps} steps, {options.describe_guidance()}", flush=True)
        x, labels, _ = make(model, options, flags.n, measure.test)
        return measure(x, labels)

    for group, curve, options in points(zoo.description(found)["T"], best):
        point = {**dataclasses.asdict(options), "group": group, "curve": curve}
        points_file.add(point, partial(measured, curve, options))
    print(f"wrote {out}; draw it with: make figures ONLY=sweep")


if __name__ == "__main__":
    with cli.program():
        main()
