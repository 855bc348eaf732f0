"""Measure a flow against a diffusion at equal numbers of network calls.

    python -m sample.versus --n 500          then: python -m figures --only flow

Each model is measured twice: plainly conditioned, one network call a step, and with the guidance
that suits it, which asks for both branches in some of the steps. A point is written as soon as it
is measured.
"""

import dataclasses
import hashlib

from minidiff import checkpoint, cli, config, machine, models, runs, settings
from sample.evaluate import draw, load_measure

STEPS = (5, 10, 20, 50)


@dataclasses.dataclass(frozen=True)
class VersusFlags:
    """What to compare, and where it goes. Raises ValueError for n below 10."""

    n: int = cli.flag(500, "samples at each point")
    out: str = cli.flag("versus.json", "JSON of all points")
    flow: str = cli.flag("", "class-conditioned flow; default: newest run, or shipped")
    model: str = cli.flag("", "class-conditioned diffusion; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", machine.DEVICES)

    def __post_init__(self):
        config.at_least("n", self.n, 10)


def points(files, device, steps):
    """Return every setting as (group, curve, file, flags of the walk, guidance), cheap ones first.
    files: {kind: file}."""
    found = []
    for group, guidance in (("plain", {"gamma": 1.0, "guide_until": 0.0}), ("guided", {})):
        for count in steps:
            how = {"steps": count, "device": device}
            for curve, kind, walk in (
                ("flow, Euler", "flow", settings.EulerFlags(**how)),
                ("ddim", "class", settings.WalkFlags(**how, sampler="ddim")),
                ("ddpm, beta_tilde", "class", settings.WalkFlags(**how)),
            ):
                found.append((group, curve, files[kind], walk, guidance))
    return found


def main(argv=None):
    """Measure every point."""
    given = cli.parse([VersusFlags], argv, "python -m sample.versus", "a flow against a diffusion")
    flags = VersusFlags(**given[0])
    out, files, about = cli.writable(flags.out, ".json"), {}, {}
    for kind, place in (("flow", flags.flow), ("class", flags.model)):
        files[kind] = models.find(kind, place)
        found = models.load_kind(kind, place)
        about[kind] = {
            "weights": f"{models.origin(files[kind])} ({checkpoint.summary(found)})",
            "md5": hashlib.md5(files[kind].read_bytes(), usedforsecurity=False).hexdigest(),
        }
    steps = [count for count in STEPS if count <= found["config"]["T"]]  # of the diffusion
    device = machine.pick_device(flags.device)
    measure, judged = load_measure(flags.judge, flags.data_dir, device)
    about.update(judge=judged, n=flags.n, hardware=machine.describe(device), points=[])
    for group, curve, file, how, guidance in points(files, device.type, steps):
        print(f"{group}, {curve}: {how}", flush=True)
        x, labels, told = draw(file, how, guidance, flags.n)
        about["points"].append({"group": group, "curve": curve, **told, **measure(x, labels)})
        runs.write_json(out, about)
    print(f"wrote {out}; draw it with: make figures ONLY=flow")


if __name__ == "__main__":
    cli.main(main)
