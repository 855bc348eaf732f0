"""Draw the sections of the page that are wanted and out of date, then build the page.

With --model deepfloyd it is part A as the course draws it (course.py), in a folder of its own.

A section is up to date if the package, its own script and what that imports, the weights, the
inputs and the data are what they were when it was drawn; `manifest.json` in the output folder
remembers. The page is built anew after each section, so whatever stops the drawing leaves a page.
"""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from figures.page.html import html
from figures.page.html.studio import INPUTS, Studio
from figures.part_a import course
from figures.part_a.deepfloyd import PROMPTS, CourseStudio
from minidiff.files import runs
from minidiff.files.photos import size_of
from minidiff.models import options, zoo
from minidiff.models.deepfloyd import hub, stages
from minidiff.system import cli, hardware

PART_A = ("generation", "forward", "blur", "one_step", "iterative", "sampling", "guidance",
          "sdedit", "drawn", "inpaint", "prompted", "anagram", "hybrid", "logo")
PART_B = ("denoiser", "uncond", "class", "sweep", "upsampler", "flow", "health")
SECTIONS = PART_A + PART_B  # in the page's order
FILES = {"class": "class_cond"}  # "class" is a keyword
MEASURED = ("sweep.json", "versus.json")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class FigureFlags(options.SampleOptions):
    """What to draw and where."""

    out: str = cli.flag("", "folder for the page; default: figures/out, or figures/out/deepfloyd")
    only: str = cli.flag("", f"sections to draw, of: {' '.join(SECTIONS)}; default: all")
    fresh: bool = cli.flag(False, "draw what is up to date, too")
    data_dir: str = cli.flag("", "where the data sets lie; default: $MINIDIFF_DATA, else data")
    model: str = cli.flag("", "deepfloyd: part A with it; default: digit models", ("deepfloyd",))
    photo: str = cli.flag("", "deepfloyd: your test photo; default: the one matplotlib installs")
    device: str = cli.flag("auto", "deepfloyd: auto, cuda, mps or cpu", hardware.DEVICES)


def module(name, model=""):
    """Return the script of a section."""
    if model:
        return course.PAGE[name]
    return import_module(f"figures.{FILES.get(name, name)}")


def scripts(name):
    """Return the files in figures/ that a section is drawn by: its own, and what that imports."""
    own = ROOT / "figures" / f"{FILES.get(name, name)}.py"
    found = re.findall(r"^from figures\.(\w+) import", own.read_text(encoding="utf-8"), re.M)
    return {own}.union(*map(scripts, found))


def outside(data_dir, files=()):
    """Return a sum over all that every section depends on. files: further ones."""
    found = hashlib.md5(usedforsecurity=False)
    weights = [*sorted(Path("runs").glob("*/*/*.pt")), *sorted(zoo.WEIGHTS.glob("*"))]
    code = sorted((ROOT / "minidiff").glob("*.py"))
    more = map(Path, (*files, *MEASURED))
    for file in [*code, *sorted(INPUTS.glob("*")), *more, *weights]:
        if file.is_file():
            found.update(file.name.encode() + file.read_bytes())
    raw = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data") / "MNIST" / "raw"
    found.update(str([(f.name, f.stat().st_size) for f in sorted(raw.glob("*ubyte"))]).encode())
    return found.hexdigest()


def fingerprint(name, common, model=""):
    """Return a sum over all that a section's pictures depend on. common: from `outside`."""
    found = hashlib.md5(common.encode(), usedforsecurity=False)
    for file in sorted(scripts(model or name)):
        found.update(file.read_bytes())
    return found.hexdigest()


def up_to_date(known, key, out):
    """Tell whether a section's entry in the manifest still holds, pictures and all."""
    return known.get("key") == key and all((out / name).is_file() for name in known["files"])


def run(argv=None):
    """Draw the sections asked for and build the page. Raises ValueError if nothing could be."""
    given = cli.parse([FigureFlags], argv, "python -m figures", "draw the page's figures")
    flags = FigureFlags(**given[0])
    sections = PART_A if flags.model else SECTIONS
    wanted = flags.only.split() or sections
    for name in wanted:
        if name not in sections:
            raise ValueError(f"unknown section {name!r}; choose from: {' '.join(sections)}")
    studio, missing = studio_for(flags), []
    out = Path(flags.out or Path("figures/out") / flags.model)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "manifest.json"
    manifest = runs.read_json(file) if file.is_file() else {}
    common = outside(flags.data_dir, filter(None, (flags.photo, flags.embeddings)))
    common += hub.identity(flags.model_dir, "unet") if flags.model else ""
    bar = tqdm(wanted, unit="section")
    for name in bar:
        bar.set_postfix_str(name)
        key = fingerprint(name, common, flags.model)
        if not flags.fresh and up_to_date(manifest.get(name, {}), key, out):
            tqdm.write(f"up to date: {name}")
            continue
        try:
            drawn = []
            for path in module(name, flags.model).draw(out, studio):
                tqdm.write(f"drew {path}")
                drawn.append(path.name)
            manifest[name] = {"key": key, "files": drawn}
            runs.write_json(file, manifest)
            build(out, manifest, flags.model)
        except ValueError as e:
            missing.append(name)
            tqdm.write(f"missing: {name}: {e}", file=sys.stderr)
    if set(missing) == set(wanted):
        raise ValueError(f"nothing could be drawn of: {' '.join(missing)}; see above for the cure")
    if left_out := build(out, manifest, flags.model):
        told = " ".join(left_out)
        again = f" MODEL={flags.model}" if flags.model else ""
        again += f" MODEL_DIR={flags.model_dir}" if flags.model_dir else ""
        print(f'not on the page yet: {told}; draw them with: make figures{again} ONLY="{told}"')
    print(f"wrote {out / 'index.html'}; open it in a browser")


def studio_for(flags):
    """Return what is drawn from: the digit models, or DeepFloyd's two stages."""
    if not flags.model:
        if any(flags.large().values()) or flags.photo:
            raise ValueError("--photo, --model-dir, --embeddings, --offload and --download go with "
                             "--model deepfloyd; add it, or drop them")
        return Studio(flags.data_dir)
    if flags.photo:
        size_of(flags.photo)  # refused now rather than later
    device = hardware.pick_device(flags.device)
    first = stages.load(**flags.large(), device=device)
    second = stages.load(stage=2, **flags.large(), device=device, texts=first.texts)
    if not flags.embeddings:
        first.embed(PROMPTS)  # T5 reads all of them at once
    return CourseStudio(first, second, flags.photo)


def build(out, manifest, model=""):
    """Build the page of the sections whose pictures are there; return the names of the others."""
    sections = PART_A if model else SECTIONS
    there = [name for name in sections if name in manifest
             and all((out / file).is_file() for file in manifest[name]["files"])]
    drawn = [(module(name, model).SECTION, name, manifest[name]["files"]) for name in there]
    html.build(out, drawn, PART_B, course.INTRO if model else html.INTRO)
    return [name for name in sections if name not in there]
