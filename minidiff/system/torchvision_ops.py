"""Make `import torchvision` work with a torch it was not compiled for.

The torchvision wheel on PyPI for Linux is compiled against CUDA torch. With a CPU-only torch its
library of compiled operators does not load. torchvision tolerates that, until its own Python code
describes the operators `nms` and `qnms` to torch, which does not know them and stops the import:
"operator torchvision::nms does not exist". minidiff needs the data sets and, where diffusers is
used, an import that succeeds, but none of the operators. So it declares the two names, without a
body, before the first import. Calling them still fails, as it should.

Where the compiled operators do load (CUDA torch, macOS, a matching CPU wheel) nothing is declared.
"""

import importlib.util
from pathlib import Path

import torch

_declared = []  # torch forgets a declaration when its Library object is deleted


def _compiled_operators_load() -> bool:
    """Return whether torchvision's compiled library loads, trying it as its own import does."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        raise ValueError("torchvision is not installed; run `make setup`")
    for library in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(library))
            return True
        except OSError:
            pass
    return False


def _declare():
    """Declare the missing operators, once, if there are any."""
    if not _declared and not _compiled_operators_load():
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)


def torchvision_datasets():
    """Import and return torchvision.datasets."""
    _declare()
    from torchvision import datasets

    return datasets


def torchvision_functional():
    """Import and return torchvision.transforms.v2.functional."""
    _declare()
    from torchvision.transforms.v2 import functional

    return functional
