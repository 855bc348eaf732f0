"""Files from strangers are read as data, never as code; a loaded model is ready to sample."""

import ast
from pathlib import Path

from torch import nn

from minidiff.models import zoo

ROOT = Path(__file__).parent.parent
FOLDERS = ("minidiff", "sample", "train", "figures")


def calls(name):
    """Yield (file, {keyword: value}) of every call of something.name(...) in the sources."""
    for file in (f for folder in FOLDERS for f in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                yield file, {k.arg: ast.unparse(k.value) for k in node.keywords}


def test_every_file_of_tensors_is_read_without_running_code():
    """torch.load is called with weights_only=True wherever it is called; pickles are never read."""
    found = list(calls("torch.load"))
    assert found and all(words.get("weights_only") == "True" for _, words in found), found
    for _, words in calls("np.load"):
        assert words.get("allow_pickle", "False") == "False"
    assert not [file for file, _ in [*calls("pickle.load"), *calls("pickle.loads")]
                if "benchmarks" not in file.parts]  # there, from a process of its own


def test_a_loaded_model_is_folded_and_in_eval_mode():
    """No BatchNorm is left to compute, and none that depends on the batch."""
    network = zoo.load_model("class").network
    assert not network.training
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
