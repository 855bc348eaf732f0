"""measuring.py: the numbers of the command line, from Python."""

import json

import pytest
import torch

import minidiff
from sample.measure.evaluate import main as evaluate
from tests.conftest import small


def test_measures_are_those_of_the_script(trained, monkeypatch):
    """The same model, judge, samples and numbers."""
    monkeypatch.chdir(trained)
    small(monkeypatch.setattr)
    evaluate(["--n", "20", "--steps", "2", "--device", "cpu", "--out", "measured.json"])
    expected = json.loads((trained / "measured.json").read_text())["measures"]
    assert minidiff.evaluate("class", 20, steps=2, progress=False) == pytest.approx(expected)


def test_data_without_a_name_cannot_be_measured_against():
    """In one sentence that says what can be done."""
    run = minidiff.train(torch.rand(8, 8, 8), epochs=1, width=2, device="cpu", precision="float32")
    with pytest.raises(ValueError, match="own images has no name that can be loaded; train on a"):
        minidiff.evaluate(run.model, 10)
