"""Draw the sections of the page that are wanted and out of date, then build the page.

A section is up to date if the package, its own script, the weights, the inputs and the data are
what they were when it was drawn; `manifest.json` in the output folder remembers.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from figures import page
from figures.section import INPUTS, Studio
from minidiff import cli, runs, shipped

PART_A = ("generation", "forward", "blur", "one_step", "iterative", "sampling", "guidance",
          "sdedit", "drawn", "inpaint", "prompted", "anagram", "hybrid", "logo")
PART_B = ("denoiser", "uncond", "class", "sweep", "health")
SECTIONS = PART_A + PART_B  # in the page's order
FILES = {"class": "class_cond"}  # "class" is a keyword
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class FigureFlags:
    """What to draw and where."""

    out: str = cli.flag("figures/out", "folder for the page and its pictures")
    only: str = cli.flag("", f"sections to draw, of: {' '.join(SECTIONS)}; default: all")
    fresh: bool = cli.flag(False, "draw what is up to date, too")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")


def module(name):
    """Return the script of a section."""
    return import_module(f"figures.{FILES.get(name, name)}")


def fingerprint(name, data_dir):
    """Return a sum over all that a section's pictures depend on."""
    found = hashlib.md5(usedforsecurity=False)
    code = [*sorted((ROOT / "minidiff").glob("*.py")), ROOT / "figures" / "section.py",
            ROOT / "figures" / "marks.py", Path(module(name).__file__)]
    weights = [*sorted(Path("runs").glob("*/*/*.pt")), *sorted(shipped.WEIGHTS.glob("*"))]
    for file in [*code, *sorted(INPUTS.glob("*")), Path("sweep.json"), *weights]:
        if file.is_file():
            found.update(file.name.encode() + file.read_bytes())
    data = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data") / "MNIST" / "raw"
    found.update(f"{any(data.glob('*ubyte')) and data.resolve()}".encode())
    return found.hexdigest()


def up_to_date(known, key, out):
    """Tell whether a section's entry in the manifest still holds, pictures and all."""
    return known.get("key") == key and all((out / name).is_file() for name in known["files"])


def run(argv=None):
    """Draw the sections asked for and build the page. Raises ValueError if nothing could be."""
    given = cli.parse([FigureFlags], argv, "python -m figures", "draw the page's figures")
    flags = FigureFlags(**given[0])
    wanted = flags.only.split() or SECTIONS
    for name in wanted:
        if name not in SECTIONS:
            raise ValueError(f"unknown section {name!r}; choose from: {' '.join(SECTIONS)}")
    out, studio, missing = Path(flags.out), Studio(flags.data_dir), []
    out.mkdir(parents=True, exist_ok=True)
    file = out / "manifest.json"
    manifest = runs.read_json(file) if file.is_file() else {}
    bar = tqdm(wanted, unit="section")
    for name in bar:
        bar.set_postfix_str(name)
        key = fingerprint(name, flags.data_dir)
        if not flags.fresh and up_to_date(manifest.get(name, {}), key, out):
            tqdm.write(f"up to date: {name}")
            continue
        try:
            drawn = []
            for path in module(name).draw(out, studio):
                tqdm.write(f"drew {path}")
                drawn.append(path.name)
            manifest[name] = {"key": key, "files": drawn}
            runs.write_json(file, manifest)
        except ValueError as e:
            missing.append(name)
            tqdm.write(f"missing: {name}: {e}", file=sys.stderr)
    if set(missing) == set(wanted):
        raise ValueError(f"nothing could be drawn of: {' '.join(missing)}; see above for the cure")
    shown = [(module(name).SECTION, name, manifest[name]["files"])
             for name in SECTIONS if name in manifest]
    page.build(out, shown, part_b=PART_B)
    print(f"wrote {out / 'index.html'}; open it in a browser")
