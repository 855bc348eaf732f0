"""sample/generate.py: nothing is written of samples that are not finite, or by a second stage that
was trained on other data."""

import pytest
import torch

from minidiff.api.pipeline import Pipeline
from minidiff.theory.samplers import State
from sample.class_cond import main
from sample.generate import OutputOptions, check_second_stage


def test_samples_that_are_not_finite_are_one_sentence_and_no_file(workplace, monkeypatch):
    """One NaN among the samples, and nothing is written."""
    def broken(*_, **__):
        x = torch.zeros(1, 1, 28, 28)
        x[0, 0, 3, 4] = float("nan")
        yield State(0, x, None)

    monkeypatch.setattr("minidiff.api.pipeline.generate", broken)
    with pytest.raises(ValueError, match="not finite"):
        main(["--digits", "3", "--per-digit", "1", "--steps", "2"])
    assert not (workplace / "grid.png").exists()


class Clothes:
    """Stands in for a model that was trained on Fashion-MNIST."""

    kind, dataset, device, format = "class", "fashion", torch.device("cpu"), torch.float32


def test_a_second_stage_enlarges_only_what_it_was_trained_on(workplace):
    """The shipped one was trained on digits, so it refuses clothes, and says what to leave out."""
    with pytest.raises(ValueError, match="trained on strokes, the model on fashion; train one"):
        check_second_stage(OutputOptions(upsample=True), Pipeline(Clothes(), None))
