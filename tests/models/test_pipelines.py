"""models/deepfloyd/pipelines.py: the errors of loading."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from minidiff.models.deepfloyd import pipelines, stages
from tests.models.test_deepfloyd import needs_it


def test_a_missing_package_is_named(monkeypatch):
    """With the command that installs it, before anything is downloaded."""
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match="needs accelerate.*make setup-deepfloyd"):
        stages.load("DeepFloyd/IF-I-L-v1.0", download=True)


@pytest.mark.parametrize(("error", "message"), [
    (torch.OutOfMemoryError("full"), "too small for all of IF-I-x; add --offload, which keeps"),
    (KeyError("unet"), "IF-I-x cannot be loaded as a stage of DeepFloyd: a file is truncated"),
    (OSError("several\nlines"), r"download it again \(several\)"),
])
def test_every_error_of_the_library_becomes_one_sentence(monkeypatch, error, message):
    """It says what to do, with the library's own first line."""
    def fail(*args, **more):
        raise error

    library = SimpleNamespace(IFPipeline=SimpleNamespace(from_pretrained=fail))
    monkeypatch.setattr(pipelines, "import_diffusers", lambda: library)
    with pytest.raises(ValueError, match=message) as e:
        pipelines.load_unet(1, Path("IF-I-x"), torch.device("cpu"), False)
    assert "\n" not in str(e.value)


def test_offload_is_not_suggested_twice():
    """It does not help if it is on already."""
    assert "--offload" not in pipelines.too_small("a batch of 2", True)


@needs_it
def test_a_folder_of_something_else_is_refused(tmp_path):
    """The names are right and the content is not: one sentence."""
    for file in ("unet/config.json", "unet/a.safetensors", "scheduler/a.json"):
        (tmp_path / "IF-I-x" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "IF-I-x" / file).write_text("{}")
    with pytest.raises(ValueError, match="IF-I-x cannot be loaded as a stage of DeepFloyd"):
        stages.load(str(tmp_path))
