"""The laws of the house: folders, sizes, names, and documents that match the code."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (  # of minidiff, from the bottom; each imports from lower ones only
    {"system"}, {"files"}, {"theory", "network"}, {"data"}, {"editing"}, {"models"}, {"training"},
    {"evaluation"}, {"api"},
)
ALONE = {"theory", "network"}  # import nothing of ours but themselves
ROOFS = ("train", "sample", "figures", "tests")
SOURCES = [p for folder in ("minidiff", *ROOFS) for p in sorted((ROOT / folder).rglob("*.py"))]
FACES = [p for p in SOURCES if p.name == "__init__.py"]
PACKAGE = [p for p in SOURCES if p.parts[-2] != "tests" and (ROOT / "minidiff") in p.parents
           and p not in FACES and p.name != "__main__.py"]
SPINE = ["train/first.py", *(f"minidiff/{name}.py" for name in (
    "theory/schedule", "theory/diffusion", "network/blocks", "network/unet", "models/model",
    "training/loop", "theory/samplers", "theory/guidance", "models/generate"))]
SECOND = [f"minidiff/{name}.py" for name in (
    "editing/views", "editing/image_to_image", "editing/inpainting", "editing/illusions",
    "theory/solvers", "theory/flow", "theory/velocity", "models/upsampler", "data/strokes",
    "evaluation/metrics")]
CORE = [*SPINE[1:], "train/uncond.py", "minidiff/data/dataset.py", "minidiff/theory/flow.py"]
DERIVATION = re.compile(  # from the blank line before its heading to the tests it names
    r"\n( *)Derivation: .*?(?:\n\1   test_\w+\.py: test_\w+)+(?=\n)", re.S)


def ids(path):
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path):
    """Return every module a file imports, as dotted names."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def neighbours(path):
    """Return the source files that a file imports."""
    places = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in imports(path)]
    return {p for p in places if p.is_file()}


def folder(path):
    """Return the folder of minidiff that a file is in."""
    return path.relative_to(ROOT / "minidiff").parts[0]


def test_the_folders_are_those_of_the_plan():
    """A new folder is entered into LAYERS; only __init__.py is outside all of them."""
    assert {folder(p) for p in PACKAGE} == set().union(*LAYERS)


@pytest.mark.parametrize("path", PACKAGE, ids=ids)
def test_imports_run_from_upper_folders_to_lower_ones(path):
    """Nothing in a folder imports from one above it or beside it, nor any script; theory and
    network import nothing of ours but themselves."""
    level = next(k for k, layer in enumerate(LAYERS) if folder(path) in layer)
    below = set() if folder(path) in ALONE else set().union(*LAYERS[:level], set())
    used = {folder(p) for p in neighbours(path) if (ROOT / "minidiff") in p.parents}
    assert used <= below | {folder(path)}
    assert not {name.split(".")[0] for name in imports(path)} & set(ROOFS)


def test_no_imports_run_in_a_circle():
    """Starting anywhere and following imports never leads back."""
    def visit(path, above):
        assert path not in above, [ids(p) for p in (*above, path)]
        if path not in done:
            for other in neighbours(path):
                visit(other, (*above, path))
            done.add(path)

    done = set()
    for path in SOURCES:
        visit(path, ())


def test_nothing_that_trains_or_samples_imports_the_large_model():
    """DeepFloyd is imported where it is loaded, and a plain `import minidiff` does not even import
    torch."""
    modules = [f"train.{p.stem}" for p in sorted((ROOT / "train").glob("[a-z]*.py"))]
    code = f"""
import sys, minidiff
assert "torch" not in sys.modules
import {", ".join(modules)}, sample.class_cond, sample.anagram
print([name for name in sys.modules if "deepfloyd" in name])"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_only_the_five_packages_are_imported():
    """torch, torchvision, numpy, matplotlib, tqdm, and Pillow, which torchvision brings; the tests
    have diffusers as an oracle, the book three packages that typeset it, the playground gradio."""
    ours = {"minidiff", *ROOFS}
    allowed = {"torch", "torchvision", "numpy", "matplotlib", "tqdm", "PIL"}
    large = {"accelerate", "diffusers", "google", "sentencepiece", "transformers",
             "huggingface_hub"}
    extras = {"libraries.py": {"diffusers", "denoising_diffusion_pytorch", "smalldiffusion"},
              "book.py": {"jinja2", "markdown_it", "pygments"}}
    for path in SOURCES:
        outside = {n.split(".")[0] for n in imports(path)} - ours - set(sys.stdlib_module_names)
        extra = {"pytest"} | large if (ROOT / "tests") in path.parents else set()
        extra |= large if path.parent.name == "deepfloyd" else extras.get(path.name, set())
        extra |= {"gradio", "starlette"} if (ROOT / "sample" / "play") in path.parents else set()
        assert outside <= allowed | extra, ids(path)


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_sizes(path):
    """250 lines a file, 50 a function, 6 positional parameters. (Ruff checks the 100 columns.)"""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name
            names = [a.arg for a in node.args.posonlyargs + node.args.args]
            assert len([n for n in names if n not in ("self", "cls")]) <= 6, node.name
    assert path.stem not in ("utils", "helpers", "common")


def test_the_core_is_short():
    """What a learner reads is at most 1,500 lines, the package 7,850 without the drawn doodles. A
    derivation does not count."""
    def lines(paths):
        texts = [(ROOT / p).read_text(encoding="utf-8") for p in paths]
        return sum(len(DERIVATION.sub("", text).splitlines()) for text in texts)

    assert lines(dict.fromkeys(CORE)) <= 1500
    assert lines(p for p in PACKAGE if p.parent.name != "doodles") <= 7850


@pytest.mark.parametrize("path", FACES, ids=ids)
def test_package_faces_are_empty(path):
    """No code in __init__.py; minidiff's own says what the package has and imports it lazily."""
    if path.parent.name not in ("minidiff", *ROOFS):
        assert not path.read_text()


@pytest.mark.parametrize("path", [p for p in SOURCES if p not in FACES], ids=ids)
def test_everything_public_has_a_docstring(path):
    """Modules, classes and functions without a leading underscore; every test states its claim."""
    in_tests = (ROOT / "tests") in path.parents
    assert ast.get_docstring(tree(path))
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if in_tests and not node.name.startswith("test_"):
                continue
            assert ast.get_docstring(node), node.name
            for method in ast.walk(node) if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    assert in_tests or ast.get_docstring(method), f"{node.name}.{method.name}"


def following(path):
    """Return the file that a lecture names after "Next:", or None."""
    found = re.search(r"^Next: (\S+\.py)", ast.get_docstring(tree(path)) or "", re.M)
    return found and f"minidiff/{found.group(1)}"


def test_the_chapters_are_one_spine():
    """Following "Next:" from the first page visits the chapters and then the second part; the
    chapters are numbered 1 to 9, and nothing else names a next file."""
    seen = [SPINE[0]]
    while (name := following(ROOT / seen[-1])) is not None:
        assert name not in seen
        seen.append(name)
    assert seen == SPINE + SECOND
    assert {ids(p) for p in SOURCES if following(p)} == set(seen[:-1])
    titles = [ast.get_docstring(tree(ROOT / p)).partition(".")[0] for p in SPINE]
    assert titles == ["1", "2", "3", "4a", "4b", "5", "6", "7", "8", "9"]


@pytest.mark.parametrize("path", [ROOT / SPINE[0], *PACKAGE], ids=ids)
def test_the_answers_to_exercises_exist(path):
    """A chapter's lecture ends with three exercises, one of the second part with two or three. Each
    is followed by its answers, a line each: a test that exists, or a script of the page of
    figures."""
    lecture = ast.get_docstring(tree(path))
    found = re.search(r"^Exercises\n(.*?)(?=^Next:|\n\n|\Z)", lecture, re.M | re.S)
    if not found:
        assert ids(path) not in SPINE + SECOND, "a chapter without exercises"
        return
    numbers, *texts = re.split(r"^(?=\d\. )", found.group(1), flags=re.M)
    least = 3 if ids(path) in SPINE else 2
    assert not numbers and [t[0] for t in texts] == ["1", "2", "3"][: max(least, len(texts))], texts
    for text in texts:
        answers = re.findall(r"^   ((?:test|figures)\S+\.py.*)$", text, re.M)
        assert answers and text.rstrip().endswith(answers[-1]), text
        assert all(map(exists, answers)), answers


def exists(answer):
    """Return whether what a lecture names as an answer is there: a test, or a script of figures."""
    file, _, test = answer.partition(": ")
    there = [ROOT / file] if file.startswith("figures/") else [*(ROOT / "tests").rglob(file)]
    return bool(there) and there[0].is_file() and (test or "draw") in {
        n.name for n in tree(there[0]).body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("path", PACKAGE, ids=ids)
def test_every_module_has_its_test_file(path):
    """tests/<folder>/test_<module>.py for each module of minidiff/<folder>; a folder within it may
    have fewer files of tests, test_<folder>*.py."""
    inner, there = path.parent.name, ROOT / "tests" / folder(path)
    found = there / f"test_{path.stem}.py"
    assert found.is_file() or inner != folder(path) and [*there.glob(f"test_{inner}*.py")]
