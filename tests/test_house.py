"""The house rules: floors, sizes, names, and papers that match the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = (
    {"strokes", "machine", "files", "blocks", "schedule", "guidance", "torchvision_ops",
     "classifier", "parallel", "photos", "views", "hub"},
    {"data", "cli", "images", "unet", "diffusion"},
    {"checkpoint", "runs", "config", "samplers", "embeddings", "flow"},
    {"shipped", "trainer", "editing", "deepfloyd", "flow_sampler", "settings"},
    {"models", "evaluate"},
    {"gallery", "upsampler"},
)
THEORY = {"schedule", "guidance", "diffusion", "samplers", "views", "editing", "flow",
          "flow_sampler"}
NETWORK = {"blocks", "unet", "classifier"}
ROOFS = ("train", "sample", "figures", "tests")
SOURCES = [p for folder in ("minidiff", *ROOFS) for p in sorted((ROOT / folder).glob("*.py"))]
PACKAGE = [p for p in SOURCES if p.parent.name == "minidiff" and p.stem != "__init__"]
PLUMBING = {  # rooms whose lectures need no exercises
    "torchvision_ops", "machine", "files", "cli", "config", "settings", "images", "runs", "shipped",
    "gallery", "hub", "embeddings"}


def tree(path):
    return ast.parse(path.read_text())


def imports(path):
    """Return every module a file imports, as dotted names."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms(path):
    """Return the minidiff modules a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("minidiff.")}


def test_every_module_has_its_floor():
    """A new room is entered into the plan above."""
    assert sorted(p.stem for p in PACKAGE) == sorted(set().union(*FLOORS))


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: p.stem)
def test_modules_import_only_from_lower_floors(path):
    """The one law; and nothing in the package imports a roof."""
    level = next(k for k, floor in enumerate(FLOORS) if path.stem in floor)
    below = set().union(*FLOORS[:level], set())
    assert rooms(path) & set().union(*FLOORS) <= below
    assert not {name.split(".")[0] for name in imports(path)} & set(ROOFS)


def test_theory_and_network_never_import_each_other():
    """They meet only in the contract eps_hat = model(x_t, t, cond)."""
    for path in PACKAGE:
        if path.stem in THEORY:
            assert not rooms(path) & NETWORK
        if path.stem in NETWORK:
            assert not rooms(path) & THEORY


def test_only_the_five_packages_are_imported():
    """torch, torchvision, numpy, matplotlib, tqdm, and Pillow, which torchvision brings; the
    tests have a referee, and the book three packages that set it."""
    ours = {"minidiff", *ROOFS}
    allowed = {"torch", "torchvision", "numpy", "matplotlib", "tqdm", "PIL"}
    large = {"accelerate", "diffusers", "google", "sentencepiece", "transformers"}
    extras = {"deepfloyd.py": large, "hub.py": {"huggingface_hub"}}  # imported only when used
    for path in SOURCES:
        outside = {n.split(".")[0] for n in imports(path)} - ours - set(sys.stdlib_module_names)
        extra = extras.get(path.name, set()) if path.parent.name == "minidiff" else set()
        extra |= {"pytest"} | large if path.parent.name == "tests" else set()
        extra |= {"jinja2", "markdown_it", "pygments"} if path.name == "book.py" else set()
        if path.name == "peers.py":  # in an environment of their own
            extra = {"diffusers", "denoising_diffusion_pytorch", "smalldiffusion"}
        assert outside <= allowed | extra, path


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_sizes(path):
    """250 lines a file, 50 a function, 6 positional parameters. (Ruff keeps the 100 columns.)"""
    assert len(path.read_text().splitlines()) <= 250
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name
            names = [a.arg for a in node.args.posonlyargs + node.args.args]
            assert len([n for n in names if n not in ("self", "cls")]) <= 6, node.name
    assert path.stem not in ("utils", "helpers", "common")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_everything_public_has_a_docstring(path):
    """Modules, classes and functions without a leading underscore; every test states its claim."""
    assert ast.get_docstring(tree(path))
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if path.parent.name == "tests" and not node.name.startswith("test_"):
                continue
            assert ast.get_docstring(node), node.name
            for method in ast.walk(node) if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    in_tests = path.parent.name == "tests"
                    assert in_tests or ast.get_docstring(method), f"{node.name}.{method.name}"


def test_every_lecture_leads_on_to_a_file_that_exists():
    """Following "Next:" from schedule.py visits rooms that are there, without a loop, in the order
    of the README's tree."""
    seen, name = [], "schedule.py"
    while name:
        assert name not in seen and (ROOT / "minidiff" / name).is_file(), (name, seen)
        seen.append(name)
        lecture = ast.get_docstring(tree(ROOT / "minidiff" / name))
        found = re.search(r"Next: (\w+\.py)", lecture)
        name = found.group(1) if found else None
    assert set(seen) == {f"{p.stem}.py" for p in PACKAGE}
    assert re.findall(r"^      (\w+\.py) ", (ROOT / "README.md").read_text(), re.M) == seen


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: p.stem)
def test_the_answers_to_exercises_exist(path):
    """A chapter's lecture ends with two or three exercises, before "Next:". Each is followed by its
    answers, a line each: a test that is there, or a script of the page of figures."""
    lecture = ast.get_docstring(tree(path))
    found = re.search(r"^Exercises\n(.*?)(?=^Next:|\n\n|\Z)", lecture, re.M | re.S)
    if path.stem in PLUMBING and not found:
        return
    assert found and lecture.count("Exercises\n") == 1, f"{path.name} has no exercises"
    numbers, *texts = re.split(r"^(?=\d\. )", found.group(1), flags=re.M)
    assert not numbers and [t[0] for t in texts] == ["1", "2", "3"][: max(2, len(texts))], texts
    for text in texts:
        answers = re.findall(r"^   ((?:test|figures)\S+\.py.*)$", text, re.M)
        assert answers and text.rstrip().endswith(answers[-1]), text
        for answer in answers:
            file, _, test = answer.partition(": ")
            there = ROOT / file if file.startswith("figures/") else ROOT / "tests" / file
            assert there.is_file(), answer
            names = {n.name for n in tree(there).body if isinstance(n, ast.FunctionDef)}
            assert (test or "draw") in names, answer


def test_every_module_has_its_test_file():
    """tests/test_<module>.py for each room."""
    there = {p.stem for p in (ROOT / "tests").glob("test_*.py")}
    assert {f"test_{p.stem}" for p in PACKAGE} <= there


def test_the_readme_names_only_targets_and_files_that_exist():
    """Commands and the file tree of the README are true, and help lists every target."""
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    assert set(re.findall(r"make ([a-z][a-z-]+)", readme)) <= targets
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", makefile, re.M), f"{target} has no help"
    for path in PACKAGE:
        assert path.name in readme, f"{path.name} is missing in the README's file tree"
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / link).exists(), link


def test_no_data_and_no_run_is_tracked():
    """MNIST and runs never enter the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    assert not re.search(r"ubyte|^runs/|^data/|campanile", files, re.M)
