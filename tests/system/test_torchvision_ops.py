"""torchvision_ops.py: torchvision imports with any torch; no operator is declared needlessly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minidiff.system import torchvision_ops

ROOT = Path(__file__).parents[2]
IMPORTS = """
from minidiff.system import torchvision_ops as ops
for _ in range(2):
    assert ops.torchvision_datasets().MNIST and ops.torchvision_functional().gaussian_blur
print("declared", len(ops._declared))
"""
STAND_INS = {  # what torchvision/__init__.py does: (its code, what the program above prints)
    "the operators load, from a library of any name": ("""
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
""", "declared 0"),
    "they do not": ("""
from torchvision import extension
@torch.library.register_fake("torchvision::nms")
def fake(dets, scores, iou_threshold): ...
@torch.library.register_fake("torchvision::qnms")
def fake(dets, scores, iou_threshold): ...
""", "declared 1"),
    "another fault": ("raise RuntimeError('another fault')", "RuntimeError: another fault"),
    "a missing module": ("import no_such_module", "No module named 'no_such_module'"),
}


def run(code, *path):
    """Run a program with these folders before all others in its path; return its exit status, and
    what it printed on both streams."""
    place = os.pathsep.join(map(str, (*path, ROOT)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": place})
    return done.returncode, done.stdout + done.stderr


def test_a_fresh_interpreter_imports_the_datasets():
    """The installed torchvision imports through this module and can then be used as always."""
    status, out = run(IMPORTS + "import torchvision; torchvision.transforms.ToTensor")
    assert status == 0, out


@pytest.mark.parametrize("case", STAND_INS)
def test_operators_are_declared_only_where_the_import_fails_without_them(tmp_path, case):
    """A stand-in for torchvision, in a process of its own: its operators load, or not. Declaring
    one that loads would abort the process. Any other fault is raised as it is."""
    code, expected = STAND_INS[case]
    for name, content in (("", "import torch\n" + code), ("extension", ""),
                          ("datasets", "MNIST = 1"), ("transforms", ""), ("transforms/v2", ""),
                          ("transforms/v2/functional", "gaussian_blur = 1")):
        (tmp_path / "torchvision" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "torchvision" / name / "__init__.py").write_text(content)
    status, out = run(IMPORTS, tmp_path)
    assert expected in out and (status == 0) == expected.startswith("declared"), out


def test_a_missing_torchvision_is_one_sentence(monkeypatch):
    """It says what to run."""
    def missing(name):
        raise ModuleNotFoundError(name, name="torchvision")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ValueError, match="torchvision is not installed; run `make setup`"):
        torchvision_ops.torchvision_datasets()
