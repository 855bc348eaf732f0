"""Measure a flow against a diffusion model at equal numbers of network calls.

    python -m sample.measure.compare --n 500          then: make figures ONLY=flow

Each model is measured twice: without guidance, at one network call a step, and with the guidance
that suits it, which makes two predictions in some of the steps.

Each point is written to the JSON as soon as it is measured. Started again with the same weights,
judge and n, only what is missing is measured; with others, the old file becomes versus-1.json.
"""

import dataclasses
import hashlib
from functools import partial

from minidiff.evaluation import judge
from minidiff.evaluation.points import FLOOR, Points
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.models.model import UNGUIDED
from minidiff.models.options import SampleOptions
from minidiff.system import cli, hardware
from sample.generate import load
from sample.measure.evaluate import load_measure, make
from sample.measure.npz import MOST

STEPS = (5, 10, 20, 50)
NAMES = ("group", "curve", "steps", "seed", "gamma", "guide_until")


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """What to compare, and where it goes. Raises ValueError for n out of range."""

    n: int = cli.flag(500, "samples at each point", least=10, most=MOST)
    out: str = cli.flag("versus.json", "JSON of all points")
    flow: str = cli.flag("", "class-conditioned flow; default: newest run, or shipped")
    model: str = cli.flag("", "class-conditioned diffusion; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", hardware.DEVICES)

    def __post_init__(self):
        cli.check(self)


def points(files, device, steps):
    """Return every setting as (group, curve, kind, SampleOptions), cheap ones first. files: {kind:
    file}."""
    found = []
    best = {kind: zoo.defaults_of(kind, str(file)) for kind, file in files.items()}
    for group, guidance in (("plain", UNGUIDED), ("guided", {})):
        for count in steps:
            for curve, kind, how in (
                ("flow, Euler", "flow", {}),
                ("ddim", "class", {"sampler": "ddim"}),
                ("ddpm, beta_tilde", "class", {}),
            ):
                options = {**best[kind], **guidance, **how, "steps": count, "device": device}
                found.append((group, curve, kind, SampleOptions(**options)))
    return found


def main(argv=None):
    """Measure every point that is not in the file yet."""
    about = "a flow against a diffusion model"
    (flags,), _ = cli.parse([CompareOptions], argv, "python -m sample.measure.compare", about)
    out, files, about = cli.writable(flags.out, ".json"), {}, {}
    for kind, place in (("flow", flags.flow), ("class", flags.model)):
        file = files[kind] = zoo.find(kind, place)
        found = zoo.load_kind(kind, place)
        judged = judge.find(flags.judge, found["dataset"])[1]
        about[kind] = {
            "weights": f"{zoo.origin(file)} ({checkpoint.summary(found)})",
            "md5": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest(),
        }
    T = zoo.description(found)["T"]  # of the diffusion model
    steps = [count for count in STEPS if count <= T]
    device = hardware.pick_device(flags.device)
    about.update(judge=judged, n=flags.n, floor=FLOOR, hardware=hardware.describe(device))
    points_file = Points(out, about, NAMES)
    measure, described = load_measure(flags.judge, flags.data_dir, device)
    print(f"judge:   {described}", flush=True)
    given = SampleOptions(device=device.type)
    models = {kind: load(given, (kind,), place=str(file)) for kind, file in files.items()}

    def measured(curve, model, options):
        print(f"{curve}: {options.steps} steps, {options.describe_guidance()}", flush=True)
        x, labels, made = make(model, options, flags.n, measure.test)
        return {**made, **measure(x, labels)}

    for group, curve, kind, options in points(files, device.type, steps):
        point = {"group": group, "curve": curve, **dataclasses.asdict(options)}
        points_file.add(point, partial(measured, curve, models[kind], options))
    print(f"wrote {out}; draw it with: make figures ONLY=flow")


if __name__ == "__main__":
    with cli.program():
        main()
