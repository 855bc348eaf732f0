"""Make `import torchvision` work with a torch it was not compiled for.

The torchvision wheel on PyPI for Linux is compiled against CUDA torch. With a CPU-only torch its
library of compiled operators does not load. torchvision tolerates that, until its own Python code
describes the operators `nms` and `qnms` to torch, which does not know them and stops the import:
"operator torchvision::nms does not exist". minidiff needs the data sets and, where diffusers is
used, an import that succeeds, but none of the operators.

So torchvision is first imported as usual. Only if that fails for a missing operator are the two
names declared, without a body, and the import is repeated. Calling them still fails, as it
should. Declaring them first would be wrong: where the compiled operators load, torch aborts the
process on a second declaration.
"""

import importlib
import sys

import torch

OPERATORS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
             "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_declared = []  # torch forgets a declaration when its Library object is deleted


def _imported(name):
    """Import and return a module of torchvision. Raises ValueError if torchvision is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name != "torchvision":
            raise
        raise ValueError("torchvision is not installed; run `make setup`") from e
    except RuntimeError as e:
        if _declared or "operator torchvision::" not in str(e):
            raise
    for half in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
        del sys.modules[half]
    _declared.append(torch.library.Library("torchvision", "DEF"))
    for schema in OPERATORS:
        _declared[0].define(schema)
    return importlib.import_module(name)


def torchvision_datasets():
    """Import and return torchvision.datasets."""
    return _imported("torchvision.datasets")


def torchvision_functional():
    """Import and return torchvision.transforms.v2.functional."""
    return _imported("torchvision.transforms.v2.functional")
