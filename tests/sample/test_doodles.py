"""Doodles from training to measures: both stages, the judge, every script that samples."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import sample.anagram
import sample.doodles
import sample.hybrid
import sample.inpaint
import sample.measure.evaluate
import sample.sdedit
import train.classifier
import train.doodles
import train.doodles_upsampler
from minidiff.data import catalog
from minidiff.data.doodles import world
from minidiff.data.prompts import DOODLES
from minidiff.evaluation import metrics
from minidiff.models import zoo
from tests.conftest import TINY
from train import ship
from train.launch import launch

OWN = [*TINY, "--dataset", "doodles", "--batch-size", "16", "--epochs", "1", "--early-epoch", "1"]
FEW = ["--steps", "2", "--device", "cpu"]
SAMPLING = {  # script, words
    "sdedit": (sample.sdedit, ["--model", "doodles", "--n", "2"]),
    "inpaint": (sample.inpaint, ["--model", "doodles", "--n", "2"]),
    "anagram": (sample.anagram, ["--model", "doodles", "--n", "2"]),
    "hybrid": (sample.hybrid, ["--model", "doodles", "--n", "2"]),
    "doodles": (sample.doodles, ["--prompts", "a red ship", "a dog", "--per-prompt", "1"]),
}


def few(set_attribute):
    """Make every set of doodles 60 images long."""
    whole = world.dataset
    set_attribute(world, "dataset", lambda n, *rest: whole(min(n, 60), *rest))
    catalog._doodles.cache_clear()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of both stages and of a judge, trained for a few steps."""
    place = tmp_path_factory.mktemp("doodles")
    with pytest.MonkeyPatch.context() as patch:
        few(patch.setattr)
        patch.chdir(place)
        launch(train.doodles.JOB, [*OWN, "--T", "20", "--sample-steps", "2"])
        launch(train.doodles_upsampler.JOB, [*OWN, "--T", "20", "--sample-steps", "2"])
        launch(train.classifier.JOB, OWN)
    return place


@pytest.fixture
def place(trained, monkeypatch):
    """The same as current folder, with small sets."""
    few(monkeypatch.setattr)
    monkeypatch.chdir(trained)
    yield trained
    catalog._doodles.cache_clear()


def evaluated(*words):
    sample.measure.evaluate.main([*words, "--device", "cpu"])
    return json.loads(Path("evaluation.json").read_text())


@pytest.mark.parametrize("kind, size, channels", [
    ("doodles", 32, (3, 3)), ("doodles-upsampler", 64, (6, 3)),
])
def test_models_follow_their_data(place, kind, size, channels):
    """Size, channels, words, range and schedule, of the first stage and of the second."""
    model = zoo.load_model(kind, kinds=(kind,))
    assert (model.network.size, model.network.channels) == (size, channels)
    assert model.vocabulary == DOODLES and model.data_range == (-1, 1)
    assert model.schedule_name == "cosine" and model.dataset == "doodles"


def test_samples_are_measured_question_by_question(place):
    """Subject, medium, colour, time, and all of it, also of combinations never shown."""
    found = evaluated("--model", "doodles", "--n", "20", *FEW[:2])
    names = {"n", *world.QUESTIONS, "all", "held_out", "held_out_n", "confident", "distance",
             "floor", "ratio", "copying"}
    assert set(found["measures"]) == names and "doodles" in found["judge"]
    assert all(0 <= found["measures"][name] <= 1 for name in (*world.QUESTIONS, "all", "held_out"))
    assert found["measures"]["all"] <= min(found["measures"][name] for name in ("subject", "all"))


def test_combinations_never_shown_are_those_that_are_measured(place, monkeypatch):
    """A judge that reads every held-out scene right, and nothing else, gives 100% there alone."""
    unseen = catalog.load("doodles", "held_out").answers
    monkeypatch.setattr(metrics, "read", lambda judge, x: (
        unseen[: len(x)] if len(x) == 12 else torch.full((len(x), 4), -2)))
    monkeypatch.setattr("minidiff.api.measuring.HELD_OUT", 12)
    found = evaluated("--model", "doodles", "--n", "20", *FEW[:2])["measures"]
    assert (found["all"], found["held_out"], found["held_out_n"]) == (0, 1, 12)


def test_true_doodles_are_read_better_than_noise(place):
    """Images and their own answers; the floor has their subjects."""
    measure, _ = sample.measure.evaluate.load_measure("", "", torch.device("cpu"), "doodles")
    x, answers = measure.test.images_at(slice(None)), measure.test.labels
    own, other = measure(x, answers), measure(torch.rand(60, 3, 32, 32), answers)
    assert own["distance"] < other["distance"] / 100 and own["floor"] == other["floor"]


def test_a_judge_and_a_second_stage_are_measured(place):
    """Each question on doodles never seen, and on combinations never shown; the second stage
    against interpolation."""
    found = evaluated("--model", "runs/classifier/001")["measures"]
    assert set(found) == {f"{split}_{name}" for split in ("test", "held_out")
                          for name in world.QUESTIONS}
    found = evaluated("--model", "doodles-upsampler", *FEW[:2], "--n", "10")["measures"]
    assert found["consistency_ours_doodles"] > found["consistency_free_doodles"]
    assert "agreement_ours_samples" in found
    assert "consistency_ours_mnist" not in found and "psnr_bicubic" in found


@pytest.mark.parametrize("name", SAMPLING)
def test_every_script_makes_both_stages(place, name, capsys):
    """In colour, 32x32 and with --upsample 64x64, which shrinks back to its own image."""
    script, words = SAMPLING[name]
    for more, size in (([], 32), (["--upsample", "--upsample-steps", "2"], 64)):
        script.main([*words, *FEW, *more, "--out", "a.png", "--npz", f"{size}.npz"])
        assert np.load(f"{size}.npz")["images"].shape == (2, 3, size, size)
    small, large = (torch.from_numpy(np.load(f"{size}.npz")["images"]) for size in (32, 64))
    back = torch.nn.functional.avg_pool2d(large, 2)
    assert (back - small).abs().mean() < (back - small.flip(0)).abs().mean() / 2
    read = capsys.readouterr().out
    assert ("read as" in read) == (name != "doodles")


def test_a_run_is_shipped_under_its_own_name(place, tmp_path, monkeypatch):
    """The judge of doodles does not replace the judge of digits."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    sample.measure.evaluate.main(["--model", "runs/classifier/001", "--device", "cpu",
                                  "--out", "runs/classifier/001/evaluation.json"])
    made = ship.ship("runs/classifier/001")
    assert [file.name for file in made] == ["classifier-doodles-epoch-01.pt",
                                            "classifier-doodles.json"]
    assert zoo.snapshots("classifier") == []
