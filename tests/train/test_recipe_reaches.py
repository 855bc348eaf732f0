"""Every field of a recipe, and every other flag of a training, reaches what it is for."""

import dataclasses

import pytest
import torch

import train.class_cond
import train.denoiser
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.evaluation import gallery
from minidiff.files import checkpoint, runs
from minidiff.system import hardware
from minidiff.training.recipe import Recipe, RunOptions
from tests.conftest import same
from train import record
from train.launch import launch

BASE = ["--recipe", "laptop", "--dataset", "strokes", "--width", "2", "--batch-size", "16",
        "--epochs", "2", "--early-epoch", "1", "--warmup", "2", "--T", "12", "--sample-steps", "3",
        "--device", "cpu", "--precision", "float32"]
WEIGHTS = {  # field: words that change the weights
    "recipe": ["--recipe", "full"], "dataset": ["--dataset", "mnist"], "width": ["--width", "3"],
    "batch_size": ["--batch-size", "24"], "epochs": ["--epochs", "3"], "lr": ["--lr", "2e-3"],
    "decay": ["--decay", "constant"], "warmup": ["--warmup", "5"], "T": ["--T", "40"],
    "p_uncond": ["--p-uncond", "0.9"], "sigma": ["--sigma", "0.7"], "seed": ["--seed", "1"],
    "precision": ["--precision", "bfloat16"], "schedule": ["--schedule", "cosine"],
    "predict": ["--predict", "v"], "ema": ["--ema", "0.9"], "limit": ["--limit", "20"],
    "init": ["--init", "other/last.pt"], "flip": ["--flip"], "network": ["--network", "wide"],
}
OTHER = {"early_epoch", "sample_steps"}  # fields that change what is drawn, and when
OWN = {"size", "colour"}  # of folders: test_own_data.py
FIRST = {}  # kind: the weights that BASE gives
FLAGS = {"device", "data_dir", "run_dir", "resume"}


def test_every_field_is_here():
    """A new one is entered, or nothing sees whether it reaches the training."""
    assert {f.name for f in dataclasses.fields(Recipe)} == WEIGHTS.keys() | OTHER | OWN
    assert {f.name for f in dataclasses.fields(RunOptions)} == FLAGS


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train a tiny model; return (its folder, captions of its samples, calls of catalog.load)."""
    captions, asked = [], []

    def load(name, split, data_dir="", size=0, limit=0):
        asked.append((name, split, data_dir))
        g = torch.Generator().manual_seed(len(name + split))
        images = torch.randint(256, (48, 1, 28, 28), generator=g, dtype=torch.uint8)
        return Dataset(name, images, torch.arange(48) % 10)

    monkeypatch.setattr(catalog, "load", load)
    monkeypatch.setattr(record, "seconds_per_step", lambda *_: 0.01)
    monkeypatch.setattr(record, "save_curves", lambda *_: None)
    monkeypatch.setattr(gallery, "save_grid",
                        lambda path, x, caption, *_, **__: captions.append(caption))
    monkeypatch.chdir(tmp_path)

    def train_it(*words, job=train.class_cond.JOB):
        captions.clear()
        asked.clear()
        own = BASE if job is train.class_cond.JOB else [*BASE[:-8], *BASE[-4:]]  # no T, no steps
        return launch(job, [*own, *words]), list(captions), list(asked)

    return train_it


def weights(folder):
    """Return the last weights of a run."""
    return checkpoint.load(folder / runs.LAST)["weights"]


def test_the_same_recipe_gives_the_same_weights(run):
    """Bit for bit."""
    first, again = (weights(run()[0]) for _ in range(2))
    assert same(first, again)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_field_of_the_recipe_changes_the_weights(run, name):
    """Each but those of the figures."""
    job = train.denoiser.JOB if name == "sigma" else train.class_cond.JOB
    if job.name not in FIRST:
        FIRST[job.name] = weights(run(job=job)[0])
    before = FIRST[job.name]
    if name == "init":
        run("--seed", "9", "--run-dir", "other")
    after = weights(run(*WEIGHTS[name], job=job)[0])
    assert before.keys() != after.keys() or any(
        before[k].shape != after[k].shape or not torch.equal(before[k], after[k]) for k in before)


def test_samples_are_drawn_in_the_recipes_steps(run):
    """--sample-steps is in the caption of both snapshots, and no more than T."""
    for steps, shown in (("5", "5 steps"), ("99", "12 steps")):
        _, captions, _ = run("--sample-steps", steps)
        assert len(captions) == 4 and all(shown in caption for caption in captions)


def test_snapshots_are_kept_at_the_early_epoch_and_the_last(run):
    """--early-epoch decides which."""
    for early, kept in (("1", ["01", "03"]), ("2", ["02", "03"]), ("3", ["03"])):
        folder, _, _ = run("--epochs", "3", "--early-epoch", early)
        files = sorted(folder.glob("weights-epoch-*.pt"))
        assert [file.stem[-2:] for file in files] == kept
        assert [checkpoint.load(file)["epoch"] for file in files] == list(map(int, kept))


def test_the_flags_of_a_run_reach_what_they_are_for(run, monkeypatch):
    """Folder of the data, folder of the run, device; the test split is never trained on."""
    named, pick = [], hardware.pick_device
    monkeypatch.setattr(hardware, "pick_device", lambda name: named.append(name) or pick("cpu"))
    folder, _, asked = run("--data-dir", "there", "--run-dir", "mine", "--device", "mps")
    assert str(folder) == "mine" and (folder / runs.LAST).is_file() and set(named) == {"mps"}
    assert asked == [("strokes", "train", "there"), ("strokes", "test", "there")]


def test_resume_continues_the_run_that_is_named(run):
    """After its last epoch nothing is left to do: the same weights, no new folder."""
    folder, _, _ = run("--run-dir", "mine")
    before = weights(folder)
    assert launch(train.class_cond.JOB, ["--resume", "--run-dir", "mine"]) == folder
    assert same(before, weights(folder)) and not (folder.parent / "runs").exists()
