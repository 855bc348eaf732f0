"""Draw the sections of the page that are out of date, then build the page.

Part A is drawn from one model that can be prompted, --model: from sentences with the doodles or
DeepFloyd, or from digits. Part B, training, is on the page of the default model alone.

A section is up to date if everything it depends on is what it was when it was drawn: the package,
its own script and what that imports, the studio, the weights, the inputs and the data;
`manifest.json` in the output folder remembers. The page is rebuilt after each section, so a run
that is stopped leaves a page.
"""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from figures.page import html
from figures.page.studio import INPUTS
from figures.part_a.deepfloyd import DeepFloydStudio
from figures.part_a.digits import DigitStudio
from figures.part_a.doodles import DoodleStudio
from minidiff.files import photos, runs, validate
from minidiff.models import options, zoo
from minidiff.models.deepfloyd import hub
from minidiff.system import cli, hardware

PART_A = ("generation", "forward", "blur", "one_step", "iterative", "sampling", "guidance",
          "sdedit", "drawn", "inpaint", "prompted", "anagram", "hybrid", "logo")
PART_B = ("denoiser", "uncond", "class", "sweep", "upsampler", "flow", "health")
SECTIONS = PART_A + PART_B  # in the page's order
FILES = {"class": "class_cond"}  # "class" is a keyword
STUDIOS = {  # --model: what part A is drawn from
    "doodles": DoodleStudio, "class": DigitStudio, "deepfloyd": DeepFloydStudio,
}
DEFAULT = "doodles"
MEASURED = ("sweep.json", "versus.json", "illusions.json")
ENTRY = {  # of a section in manifest.json: the rules of its fields
    "key": validate.Rule("a checksum", lambda v: type(v) is str),
    "files": validate.Rule("a list of names of figures", lambda v: type(v) is list and all(
        type(f) is str and f.endswith((".png", ".gif")) and f == Path(f).name for f in v)),
}
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class FigureOptions:
    """What to draw and where."""

    out: str = cli.flag("", "folder for the page; default: figures/out, or figures/out/<model>")
    only: str = cli.flag("", f"sections to draw, of: {' '.join(SECTIONS)}; default: all")
    fresh: bool = cli.flag(False, "draw what is up to date, too")
    data_dir: str = cli.flag("", "folder of the data sets; default: $MINIDIFF_DATA, else data")
    model: str = cli.flag(DEFAULT, "of part A: doodles, class (digits) or deepfloyd", [*STUDIOS])
    photo: str = cli.flag("", "not for digits: your photo; default: the one matplotlib installs")
    device: str = cli.flag("auto", "not for digits: auto, cuda, mps or cpu", hardware.DEVICES)
    model_dir: str = cli.flag(
        "", "deepfloyd: folder of both stages, or a hub name", needs=options.LARGE_ONLY)
    embeddings: str = cli.flag(
        "", "deepfloyd: .pth dictionary, prompt to embedding", needs=options.LARGE_ONLY)
    offload: bool = cli.flag(
        False, "deepfloyd: for a GPU too small to hold it; slower", needs=options.LARGE_ONLY)
    download: bool = cli.flag(
        False, "deepfloyd: fetch what is missing here", needs=options.LARGE_ONLY)

    @property
    def large(self) -> dict:
        """The keyword arguments of `deepfloyd.stages.load`."""
        return {name: getattr(self, name) for name in options.LARGE}


def sections_of(model=DEFAULT):
    """Return the names of the sections of a model's page, in order."""
    return SECTIONS if model == DEFAULT else PART_A


def module(name):
    """Return the script of a section."""
    part = "part_a" if name in PART_A else "part_b"
    return import_module(f"figures.{part}.{FILES.get(name, name)}")


def words(name, model=DEFAULT):
    """Return the Section of a script, with the words of the studio it is drawn from."""
    return module(name).SECTION._replace(**STUDIOS[model].words.get(name, {}))


def studio_of(name, model=DEFAULT):
    """Return the class of studio that a section is drawn from: part B is trained on digits."""
    return STUDIOS[model] if name in PART_A else DigitStudio


def imported(file):
    """Return a file of figures/ together with all files of figures/ that it imports."""
    found = re.findall(r"^from (figures\.[\w.]+) import", file.read_text(encoding="utf-8"), re.M)
    return {file}.union(*(imported(ROOT.joinpath(*name.split(".")).with_suffix(".py"))
                          for name in found))


def scripts(name, model=DEFAULT):
    """Return the files in figures/ that a section is drawn by: its own, the studio's, and all that
    these import."""
    studio = import_module(studio_of(name, model).__module__)
    return imported(Path(module(name).__file__)) | imported(Path(studio.__file__))


def outside(data_dir, files=()):
    """Return a checksum of all that every section depends on. files: further ones."""
    found = hashlib.md5(usedforsecurity=False)
    weights = [*sorted(Path("runs").glob("*/*/*.pt")), *sorted(zoo.WEIGHTS.glob("*"))]
    code = sorted((ROOT / "minidiff").rglob("*.py"))
    more = map(Path, (*files, *MEASURED))
    for file in [*code, *sorted(INPUTS.glob("*")), *more, *weights]:
        if file.is_file():
            found.update(f"{file.parent.name}/{file.name}".encode() + file.read_bytes())
    raw = Path(data_dir or os.environ.get("MINIDIFF_DATA") or "data") / "MNIST" / "raw"
    found.update(str([(f.name, f.stat().st_size) for f in sorted(raw.glob("*ubyte"))]).encode())
    return found.hexdigest()


def fingerprint(name, common, model=DEFAULT):
    """Return a checksum of all that a section's figures depend on. common: from `outside`."""
    found = hashlib.md5(common.encode(), usedforsecurity=False)
    for file in sorted(scripts(name, model)):
        found.update(file.read_bytes())
    return found.hexdigest()


def read_manifest(out):
    """Return {section: {"key": checksum, "files": names of its figures}} as it was written to the
    folder, {} for a new one. Raises ValueError, naming the file, if it is damaged."""
    file = out / "manifest.json"
    found = runs.read_json(file) if file.is_file() else {}
    try:
        for name in (name for name in SECTIONS if name in found):
            validate.check({name: found[name]}, {name: ENTRY})
            if lacking := sorted(ENTRY.keys() - found[name].keys()):
                raise ValueError(f"its {name} lacks {lacking[0]}")
    except ValueError as e:
        raise ValueError(f"{file} is damaged: {e}; delete it, and draw all figures again") from e
    return found


def up_to_date(known, key, out):
    """Return whether a section's entry in the manifest is still valid and its figures are there."""
    return known.get("key") == key and all((out / name).is_file() for name in known["files"])


def run(argv=None):
    """Draw the given sections and build the page. Raises ValueError if none could be drawn."""
    (flags,), _ = cli.parse([FigureOptions], argv, "python -m figures", "draw the page's figures")
    sections = sections_of(flags.model)
    chosen = flags.only.split() or sections
    for name in chosen:
        if name not in sections:
            raise ValueError(f"unknown section {name!r}; choose from: {' '.join(sections)}")
    if flags.photo:
        photos.size_of(flags.photo)  # refused now rather than later
    studios = {True: STUDIOS[flags.model].open(flags), False: DigitStudio(flags.data_dir)}
    out = Path(flags.out or Path("figures/out") / flags.model.removeprefix(DEFAULT))
    out.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(out)
    missing = draw(chosen, studios, flags, out, manifest)
    if set(missing) == set(chosen):
        raise ValueError(f"could not draw any of: {' '.join(missing)}; see above for what to do")
    if left_out := build(out, manifest, flags.model):
        names = " ".join(left_out)
        again = f" MODEL={flags.model}" if flags.model != DEFAULT else ""
        again += f" MODEL_DIR={flags.model_dir}" if flags.model_dir else ""
        print(f'not on the page yet: {names}; draw them with: make figures{again} ONLY="{names}"')
    print(f"wrote {out / 'index.html'}; open it in a browser")


def draw(chosen, studios, flags, out, manifest):
    """Draw the chosen sections unless they are up to date, keep the manifest and the page current;
    return the names of those for which something is missing. studios: {True: of part A, False: of
    part B}."""
    common = outside(flags.data_dir, filter(None, (flags.photo, flags.embeddings)))
    common += hub.identity(flags.model_dir, "unet") if flags.model == "deepfloyd" else ""
    missing, bar = [], tqdm(chosen, unit="section")
    for name in bar:
        bar.set_postfix_str(name)
        key = fingerprint(name, common, flags.model)
        if not flags.fresh and up_to_date(manifest.get(name, {}), key, out):
            tqdm.write(f"up to date: {name}")
            continue
        try:
            drawn = []
            for path in module(name).draw(out, studios[name in PART_A]):
                tqdm.write(f"drew {path}")
                drawn.append(path.name)
            manifest[name] = {"key": key, "files": drawn}
            runs.write_json(out / "manifest.json", manifest)
            build(out, manifest, flags.model)
        except ValueError as e:
            missing.append(name)
            tqdm.write(f"missing: {name}: {e}", file=sys.stderr)
    return missing


def build(out, manifest, model=DEFAULT):
    """Build the page of the sections whose figures are there; return the names of the others."""
    there = [name for name in sections_of(model) if name in manifest
             and all((out / file).is_file() for file in manifest[name]["files"])]
    drawn = [(words(name, model), name, manifest[name]["files"]) for name in there]
    html.build(out, drawn, PART_B, STUDIOS[model].intro, model.removeprefix(DEFAULT))
    return [name for name in sections_of(model) if name not in there]
