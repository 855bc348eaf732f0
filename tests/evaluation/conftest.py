"""A Measure of strokes, whose judge was trained for a few seconds."""

import pytest
import torch

from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.evaluation.judge import classification_loss
from minidiff.evaluation.metrics import Measure
from minidiff.models.model import Model
from minidiff.network.classifier import Classifier
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe

RECIPE = {"width": 8, "batch_size": 64, "lr": 3e-3, "decay": "linear"}


@pytest.fixture(scope="package")
def measure():
    """A judge trained for a few seconds on 3,000 strokes, with 1,000 others as test set."""
    torch.manual_seed(0)
    train = Dataset("strokes", *strokes.dataset(3000, seed=5))
    test = Dataset("strokes", *strokes.dataset(1000, seed=6))
    judge = Classifier(8)
    cfg = Recipe(**RECIPE, epochs=2, early_epoch=1, precision="float32")
    for _ in fit(Training(Model(judge), classification_loss, cfg), train.judged()):
        pass
    return Measure(judge.eval(), train, test)
