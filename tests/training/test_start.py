"""start.py and what people add: some of the images, given weights, more epochs, a schedule of their
own."""

from types import SimpleNamespace

import pytest
import torch

import train.class_cond
import train.flow
import train.uncond
from minidiff.data import catalog, strokes
from minidiff.data.dataset import Dataset
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.models.generate import generate
from minidiff.network.registry import rebuild
from minidiff.theory.schedule import SCHEDULES, Schedule
from minidiff.training import start
from minidiff.training.recipe import Recipe
from minidiff.training.start import limited
from tests.conftest import TINY, same, weights
from tests.data.test_folder import classes
from train.launch import launch

WORDS = [*TINY, "--T", "20"]


def test_limit_takes_images_evenly_spread():
    """Their labels, captions and answers with them; an endless set stays endless."""
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
    whole = Dataset("x", images, torch.arange(10), captions=[*"abcdefghij"],
                    answers=torch.arange(10)[:, None], renewed=lambda k: whole)
    few = limited(whole, 4)
    assert few.labels.tolist() == few.images.flatten().tolist() == [0, 2, 5, 7]
    assert few.captions == [*"acfh"] and few.answers.flatten().tolist() == [0, 2, 5, 7]
    assert len(few.at(7)) == 4 and len(limited(Dataset("x", images, torch.arange(10)), 3)) == 3
    assert limited(whole, 0) is limited(whole, 10) is limited(whole, 99) is whole


def test_a_limited_training_takes_so_many_steps(workplace):
    """20 images in batches of 64: one step an epoch; resuming counts them alike."""
    folder = launch(train.uncond.JOB, [*WORDS, "--limit", "20"])
    assert checkpoint.load(folder / "last.pt")["step"] == 2
    launch(train.uncond.JOB, ["--resume", "--run-dir", str(folder), "--epochs", "3"])
    assert checkpoint.load(folder / "last.pt")["step"] == 3


def test_a_training_starts_from_given_weights(workplace, trained, monkeypatch):
    """Of a run, on other data: with a learning rate of nearly 0 it ends where it began; from the
    seed it does not."""
    given = str(trained / "runs" / "uncond" / "001")
    monkeypatch.setattr(strokes, "dataset", lambda n, seed, size=28, whole=strokes.dataset: whole(
        n, seed + 1, size))
    still = [*WORDS, "--lr", "1e-9", "--epochs", "1", "--decay", "constant"]
    folder = launch(train.uncond.JOB, [*still, "--init", given])
    before, after = weights(given), weights(folder)
    names = [n for n in before if "running" not in n and "num_batches" not in n]
    assert all(torch.allclose(before[n], after[n], atol=1e-6) for n in names)
    fresh = weights(launch(train.uncond.JOB, still))
    assert not all(torch.allclose(fresh[n], after[n], atol=1e-6) for n in names)


def test_words_that_differ_are_named(workplace, capsys):
    """Fine-tuning on as many other classes is told in a note; on the same ones nothing is."""
    folders = {first: launch(train.class_cond.JOB, [
        "--dataset", classes(workplace / first, (first, "dog"), 4), "--size", "8", *TINY[2:]])
        for first in ("cat", "cow")}
    capsys.readouterr()
    start.initialise(training_of(folders["cow"], folders["cat"]), "class", {})
    assert "knows other words; 'cow' starts from what it learned for 'cat'" in (
        capsys.readouterr().err)
    start.initialise(training_of(folders["cow"], folders["cow"]), "class", {})
    assert "note" not in capsys.readouterr().err


def training_of(folder, init):
    """Return a stand-in for the training of a run's folder, with other weights to start from."""
    model = zoo.load_model(str(folder))
    network = rebuild(checkpoint.load(folder / "last.pt"))
    return SimpleNamespace(model=model, network=network, average=None,
                           cfg=Recipe(init=str(init)))


@pytest.mark.parametrize("job, words, message", [
    (train.uncond.JOB, ["--width", "3"],
     "holds a 'uncond' network .* this training has a .*; add --width 2, or name other weights"),
    (train.class_cond.JOB, ["--predict", "v", "--schedule", "cosine"],
     "holds a 'uncond' network .* this training has a 'class' one"),
    (train.flow.JOB, [], "holds a 'uncond' network .* this training has a 'flow' one"),
    (train.uncond.JOB, ["--T", "30"], "was trained with T 20, this training has 30; add --T 20"),
    (train.uncond.JOB, ["--predict", "eps"], "with predict v, this training has eps; add"),
    (train.uncond.JOB, ["--schedule", "linear"], "add --schedule cosine, or name other weights"),
    (train.uncond.JOB, ["--network", "course"],
     "holds a 'uncond' network .* this training has a .*; add --network wide, or name other"),
])
def test_weights_that_do_not_fit_are_refused(workplace, trained, job, words, message):
    """In one sentence, and no folder is left behind."""
    base = TINY if job is train.flow.JOB else WORDS
    with pytest.raises(ValueError, match=message):
        launch(job, [*base, *words, "--init", str(trained / "runs/uncond/001/last.pt")])
    assert not (workplace / "runs").exists()


def test_flags_that_would_not_be_enough_are_not_advised(workplace, trained):
    """Weights for 28 pixels fit a network for 8 with no --width."""
    images = classes(workplace / "own", ("cat", "dog"), 4)
    with pytest.raises(ValueError, match="this training has a 'uncond' one, [^;]*; name other"):
        launch(train.uncond.JOB, [
            "--dataset", images, "--size", "8", "--colour", "grey", *TINY[2:], "--width", "3",
            "--T", "20", "--init", str(trained / "runs/uncond/001/last.pt")])


def test_more_epochs_with_a_constant_rate_are_a_longer_run(workplace):
    """Bit for bit; fewer are refused."""
    words = [*WORDS, "--decay", "constant"]
    launch(train.uncond.JOB, [*words, "--epochs", "1", "--run-dir", "short"])
    launch(train.uncond.JOB, ["--resume", "--run-dir", "short", "--epochs", "3"])
    launch(train.uncond.JOB, [*words, "--epochs", "3", "--run-dir", "long"])
    assert same(weights("short"), weights("long"))
    assert sorted(p.name for p in (workplace / "short").glob("weights*")) == [
        "weights-epoch-01.pt", "weights-epoch-03.pt"]
    with pytest.raises(ValueError, match="epochs = 2 was given"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "short", "--epochs", "2"])


def test_a_schedule_of_ones_own_is_one_function(workplace, monkeypatch):
    """Two lines: --schedule accepts its name, training and sampling use it, a checkpoint keeps it;
    where it is not registered, its name is refused."""
    def straight(T=300):
        return Schedule(torch.linspace(1, 0.01, T + 1))

    monkeypatch.setitem(SCHEDULES, "straight", straight)
    folder = launch(train.uncond.JOB, [*WORDS, "--schedule", "straight"])
    model = zoo.load_model(str(folder))
    assert torch.equal(model.schedule.alpha_bar, straight(20).alpha_bar)
    *_, last = generate(model, [""] * 2, steps=4)
    assert last.x_t.isfinite().all()
    assert not same(weights(folder), weights(launch(train.uncond.JOB, WORDS)))
    monkeypatch.delitem(SCHEDULES, "straight")
    with pytest.raises(ValueError, match="unknown schedule 'straight'"):
        zoo.load_model(str(folder))


def test_a_model_that_predicts_v_is_trained_saved_and_sampled(workplace):
    """And resumed: its description says so."""
    folder = launch(train.class_cond.JOB, [*WORDS, "--predict", "v"])
    model = zoo.load_model(str(folder))
    assert model.predict == "v" and "predicts v" in model.summary
    *_, last = generate(model, ["3"], steps=4)
    assert last.x_t.isfinite().all()
    launch(train.class_cond.JOB, ["--resume", "--run-dir", str(folder)])
    with pytest.raises(ValueError, match="has no use for --predict"):
        launch(train.flow.JOB, [*TINY, "--predict", "v"])


def test_every_set_can_be_limited():
    """Each of the catalog that needs no download."""
    assert len(limited(catalog.load("strokes", "test"), 7)) == 7
