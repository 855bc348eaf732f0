"""models/deepfloyd/pipelines.py: the errors of loading."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from minidiff.models.deepfloyd import pipelines, stages
from sample import generate, prompts
from tests.models.test_deepfloyd import Unet, needs_it, stage


def test_a_missing_package_is_named(monkeypatch):
    """With the command that installs it, before anything is downloaded."""
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match="needs accelerate.*make setup-deepfloyd"):
        stages.load("DeepFloyd/IF-I-L-v1.0", download=True)


@pytest.mark.parametrize(("error", "message"), [
    (torch.OutOfMemoryError("full"), "too small for all of IF-I-x; add --offload, which keeps"),
    (RuntimeError("DefaultCPUAllocator: not enough memory"), "the memory is too small for all"),
    (IndexError(), r"download it again \(IndexError\(\)\)"),
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
    full = torch.OutOfMemoryError("CUDA")
    assert "--offload" in pipelines.too_small("a batch of 2", full, False)
    assert "--offload" not in pipelines.too_small("a batch of 2", full, True)


@pytest.mark.parametrize(("error", "message"), [
    (RuntimeError("MPS backend out of memory"), "the GPU's memory is too small .* add --offload"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "^the memory is too small for a"),
    (MemoryError(), "^the memory is too small for a batch of 2; ask for fewer images at once$"),
    (RuntimeError("shapes"), "^shapes$"),
])
def test_any_memory_that_runs_out_is_one_sentence(error, message, monkeypatch):
    """It names only options that the command has. Another fault is raised as it is."""
    class Full(Unet):
        def __call__(self, *args, **more):
            raise error

    monkeypatch.setattr("minidiff.system.errors.flags", set())
    model = stage(Full(), 1)
    with pytest.raises((ValueError, RuntimeError), match=message):
        model(torch.zeros(2, 3, 8, 8), torch.tensor([1, 1]), model.embed(["", ""]))


def test_half_precision_can_be_switched_off():
    """On cuda; elsewhere it is float32 always."""
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    found = [pipelines.number_format(device, half) for device in (cuda, cpu) for half in (1, 0)]
    assert found == [torch.float16, torch.float32, torch.float32, torch.float32]


@pytest.mark.parametrize(("words", "half"), [
    ([], True), (["--precision", "float32"], False), (["--precision", "auto"], True),
])
def test_precision_reaches_both_stages(workplace, monkeypatch, words, half):
    """Only where it was typed: float32 is the default of the digit models."""
    found = []

    def load(place, device, **more):
        found.append((more.get("stage", 1), more["half"]))
        made = SimpleNamespace(kind="deepfloyd", conditional=True, ignored=(), file=Path("x"),
                               summary="", texts=None, schedule=SimpleNamespace(T=1000),
                               device=torch.device("cpu"))
        made.half = more["half"]
        return made

    monkeypatch.setattr("minidiff.models.zoo.load_model", load)
    generate.begin("class_cond", prompts.DigitOptions,
                   ["--model", "deepfloyd", "--upsample", "--device", "cpu", *words], "",
                   kinds=("class",))
    assert found == [(1, half), (2, half)]


@needs_it
def test_a_folder_of_something_else_is_refused(tmp_path):
    """The names are right and the content is not: one sentence."""
    for file in ("unet/config.json", "unet/a.safetensors", "scheduler/a.json"):
        (tmp_path / "IF-I-x" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "IF-I-x" / file).write_text("{}")
    with pytest.raises(ValueError, match="IF-I-x cannot be loaded as a stage of DeepFloyd"):
        stages.load(str(tmp_path))
