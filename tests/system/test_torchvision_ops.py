"""torchvision_ops.py: torchvision imports with any torch; no operator is declared needlessly."""

import subprocess
import sys

import torch

from minidiff.system import torchvision_ops


def test_a_fresh_interpreter_imports_the_datasets():
    """The import that fails by itself with CPU torch works through this module, transforms too."""
    code = (
        "from minidiff.system import torchvision_ops as ops;"
        "ops.torchvision_datasets().MNIST; ops.torchvision_functional().gaussian_blur;"
        "import torchvision; torchvision.transforms.ToTensor; torchvision.utils.make_grid"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_where_the_compiled_operators_load(monkeypatch):
    """With a matching torchvision this module does nothing; without, it declares both, once."""
    torchvision_ops.torchvision_datasets()  # torchvision itself declares operators on its import
    monkeypatch.setattr(torchvision_ops, "_declared", [])
    monkeypatch.setattr(torchvision_ops, "_compiled_operators_load", lambda: True)

    def forbidden(*args):
        raise AssertionError("declared an operator although the compiled one is there")

    monkeypatch.setattr(torch.library, "Library", forbidden)
    assert torchvision_ops.torchvision_datasets().MNIST and not torchvision_ops._declared
    monkeypatch.setattr(torchvision_ops, "_compiled_operators_load", lambda: False)
    names = []

    class Library:
        def __init__(self, *_):
            pass

        def define(self, schema):
            names.append(schema.split("(")[0])

    monkeypatch.setattr(torch.library, "Library", Library)
    for _ in range(2):
        torchvision_ops.torchvision_datasets()
    assert names == ["nms", "qnms"]
