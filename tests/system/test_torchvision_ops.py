"""torchvision_ops.py: torchvision imports beside any torch, and nothing is declared needlessly."""

import subprocess
import sys

import torch

from minidiff.system import torchvision_ops


def test_a_fresh_interpreter_imports_the_datasets():
    """The import that fails on its own beside CPU torch works through our door, transforms too."""
    code = (
        "from minidiff.torchvision_ops import torchvision_datasets as d; d().MNIST;"
        "from minidiff.torchvision_ops import torchvision_functional as f; f().gaussian_blur;"
        "import torchvision; torchvision.transforms.ToTensor; torchvision.utils.make_grid"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_where_the_compiled_operators_load(monkeypatch):
    """With a matching torchvision this file must do nothing at all."""
    monkeypatch.setattr(torchvision_ops, "_declared", [])
    monkeypatch.setattr(torchvision_ops, "_compiled_operators_load", lambda: True)

    def forbidden(*args):
        raise AssertionError("declared an operator although the real ones are there")

    monkeypatch.setattr(torch.library, "Library", forbidden)
    assert torchvision_ops.torchvision_datasets().MNIST
