"""Measure a flow against a diffusion model at equal numbers of network calls.

    python -m sample.measure.compare --n 500          then: make figures ONLY=flow

Each model is measured twice: without guidance, at one network call a step, and with the guidance
that suits it, which makes two predictions in some of the steps. A point is written as soon as it is
measured.
"""

import dataclasses
import hashlib

from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.models.model import UNGUIDED
from minidiff.models.options import SampleOptions
from minidiff.system import cli, hardware
from sample.measure.evaluate import load_measure, make

STEPS = (5, 10, 20, 50)


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """What to compare, and where it goes. Raises ValueError for n below 10."""

    n: int = cli.flag(500, "samples at each point")
    out: str = cli.flag("versus.json", "JSON of all points")
    flow: str = cli.flag("", "class-conditioned flow; default: newest run, or shipped")
    model: str = cli.flag("", "class-conditioned diffusion; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)

    def __post_init__(self):
        cli.at_least("n", self.n, 10)


def points(files, device, steps):
    """Return every setting as (group, curve, file, SampleOptions), cheap ones first. files: {kind:
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
                found.append((group, curve, files[kind], SampleOptions(**options)))
    return found


def main(argv=None):
    """Measure every point."""
    about = "a flow against a diffusion model"
    (flags,), _ = cli.parse([CompareOptions], argv, "python -m sample.measure.compare", about)
    out, files, about = cli.writable(flags.out, ".json"), {}, {}
    for kind, place in (("flow", flags.flow), ("class", flags.model)):
        files[kind] = zoo.find(kind, place)
        found = zoo.load_kind(kind, place)
        about[kind] = {
            "weights": f"{zoo.origin(files[kind])} ({checkpoint.summary(found)})",
            "md5": hashlib.md5(files[kind].read_bytes(), usedforsecurity=False).hexdigest(),
        }
    T = zoo.description(found)["T"]  # of the diffusion model
    steps = [count for count in STEPS if count <= T]
    device = hardware.pick_device(flags.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    about.update(judge=judged, n=flags.n, hardware=hardware.describe(device), points=[])
    for group, curve, file, options in points(files, device.type, steps):
        print(f"{group}, {curve}: {options.steps} steps", flush=True)
        x, labels, made = make(file, options, flags.n)
        about["points"].append({"group": group, "curve": curve, **made, **measure(x, labels)})
        runs.write_json(out, about)
    print(f"wrote {out}; draw it with: make figures ONLY=flow")


if __name__ == "__main__":
    with cli.program():
        main()
