"""Every training on a folder of images: classes, captions or neither; then samples and measures."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import train.class_cond
import train.classifier
import train.denoiser
import train.doodles
import train.flow
import train.flow_uncond
import train.uncond
import train.upsampler
from minidiff.data.dataset import Dataset
from minidiff.files import checkpoint, runs
from minidiff.models.zoo import load_model
from minidiff.training.recipe import Recipe
from minidiff.training.recipe import for_images as scaled
from sample.class_cond import main as sample_class
from sample.flow import main as sample_flow
from sample.measure.evaluate import main as evaluate
from sample.uncond import main as sample_uncond
from tests.data.test_cifar import write as cifar_files
from tests.data.test_folder import classes, write
from train.launch import launch

TINY = ["--width", "2", "--batch-size", "16", "--epochs", "2", "--size", "8", "--recipe", "laptop",
        "--device", "cpu", "--precision", "float32", "--dataset"]
STEPS = ["--steps", "3", "--device", "cpu", "--npz", "s.npz"]
NAMES = ("fire truck", "Dog", "A")


def captioned(place):
    """Write a folder of eight images with captions, beside each."""
    for k in range(8):
        write(place / f"{k}.png", (20 * k, 3 * k, 200))
        (place / f"{k}.txt").write_text(f"a thing of kind {['red', 'blue'][k % 2]}")
    return f"folder:{place.name}"


def samples():
    """Return the images that were written last, and their labels."""
    found = np.load("s.npz")
    return torch.from_numpy(found["images"]), "labels" in found.files


@pytest.mark.parametrize(("job", "main"), [
    (train.class_cond.JOB, sample_class), (train.flow.JOB, sample_flow)])
def test_classes_of_a_folder_are_prompts(workplace, job, main, capsys):
    """The network has the data's size, colours and words; samples are prompted with them; digits
    are refused, and by default its own words are shown."""
    name = classes(workplace / "own", NAMES, 12)
    folder = launch(job, [*TINY, name])
    found = checkpoint.load(folder / runs.LAST)
    assert found["network"] == {"width": 2, "time": 1, "classes": 4, "size": 8, "channels": (3, 3)}
    assert found["model"]["words"] == ["a", "dog", "fire", "truck"]
    assert found["model"]["data_range"] == [-1, 1] and found["dataset"] == f"{name}:8:colour"
    assert "4 words: a dog fire truck" in capsys.readouterr().out
    main([*STEPS, "--prompts", "fire truck", "a", "the dog", "--per-digit", "2"])
    images, labelled = samples()
    assert images.shape == (6, 3, 8, 8) and not labelled
    main(STEPS)
    assert len(samples()[0]) == 12  # four of each of the three
    assert found["data"]["examples"] == ["a", "dog", "fire truck"]
    with pytest.raises(ValueError, match="knows no such digits; use --prompts, such as 'a'"):
        main([*STEPS, "--digits", "3"])


def test_captions_are_prompts(workplace):
    """Every word of them, and no other."""
    folder = launch(train.class_cond.JOB, [*TINY, captioned(workplace / "own"), "--flip"])
    assert load_model(str(folder)).vocabulary.words == ("blue", "kind", "red", "thing")
    sample_class([*STEPS, "--prompts", "a red thing"])
    with pytest.raises(ValueError, match="nothing for a judge"):
        launch(train.classifier.JOB, [*TINY, "folder:own"])
    evaluate(["--model", str(folder), "--steps", "2", "--device", "cpu", "--n", "10"])
    assert {*json.loads((workplace / "evaluation.json").read_text())["measures"]} == {
        "n", "copying"}
    with pytest.raises(ValueError, match="the score needs classes"):
        evaluate(["--model", str(folder), "--device", "cpu", "--n", "10", "--score"])


@pytest.mark.parametrize("job", [train.uncond.JOB, train.flow_uncond.JOB, train.denoiser.JOB])
def test_images_alone_train_what_needs_no_prompt(workplace, job):
    """Grey ones too; a training with prompts says that there is nothing to prompt with."""
    for k in range(20):
        write(workplace / "own" / f"{k}.png", (k, k, k))
    folder = launch(job, [*TINY, "folder:own"])
    assert checkpoint.load(folder / runs.LAST)["network"]["channels"] == (1, 1)
    if job.name == "uncond":
        sample_uncond([*STEPS, "--n", "2"])
        assert samples()[0].shape == (2, 1, 8, 8)
        with pytest.raises(ValueError, match="no classes or captions to be prompted with"):
            launch(train.class_cond.JOB, [*TINY, "folder:own"])


def test_a_second_stage_enlarges_the_first(workplace):
    """Trained on the same folder at twice the size."""
    name = classes(workplace / "own", NAMES, 8)
    launch(train.class_cond.JOB, [*TINY, name, "--T", "20"])
    folder = launch(train.upsampler.JOB, [*TINY, name, "--T", "20"])
    assert checkpoint.load(folder / runs.LAST)["network"]["size"] == 16
    sample_class([*STEPS, "--prompts", "dog", "--upsample", "--upsample-steps", "2"])
    assert samples()[0].shape == (4, 3, 16, 16)


@pytest.mark.parametrize("names", [("3d", "Dog", "cat"), NAMES])
def test_a_judge_of_the_same_folder_measures_samples(workplace, names):
    """Names of one word and of several; the score trains a classifier on samples."""
    name = classes(workplace / "own", names, 40)
    launch(train.class_cond.JOB, [*TINY, name, "--T", "20"])
    launch(train.classifier.JOB, [*TINY, name])
    evaluate(["--steps", "2", "--device", "cpu", "--n", "12"])
    found = json.loads((workplace / "evaluation.json").read_text())["measures"]
    assert found["n"] == 12 and 0 <= found["accuracy"] <= 1 and found["distance"] > 0


def test_files_of_cifar10_are_trained_on_and_sampled_by_name(workplace, monkeypatch):
    """In its layout, made here; the flip is of use, the size of folders is not."""
    cifar_files(workplace / "data", monkeypatch)
    words = [*TINY[:6], "--recipe", "laptop", "--device", "cpu", "--precision", "float32",
             "--dataset", "cifar10", "--flip"]
    folder = launch(train.class_cond.JOB, words)
    assert checkpoint.load(folder / runs.LAST)["network"]["channels"] == (3, 3)
    sample_class([*STEPS, "--prompts", "cat", "a truck", "--per-digit", "1"])
    assert samples()[0].shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match="--size and --colour are of use"):
        launch(train.class_cond.JOB, [*words, "--size", "32"])


def test_a_judge_of_other_data_is_refused(workplace):
    """It says how to train one."""
    name = classes(workplace / "own", NAMES, 8)
    launch(train.class_cond.JOB, [*TINY, name])
    with pytest.raises(ValueError, match="train one: .*train-classifier .*own:8:colour"):
        evaluate(["--steps", "2", "--device", "cpu", "--n", "10"])


def test_a_small_set_is_seen_more_often():
    """As many images as in the recipe's epochs over MNIST, unless epochs are typed."""
    def for_images(cfg, count, typed=()):
        data = type("Few", (), {"__len__": lambda _: count, "shape": (1, 28, 28)})()
        return scaled(cfg, data, typed)

    cfg = Recipe(epochs=2, early_epoch=1, dataset="folder:x")
    found = for_images(cfg, 600)
    assert (found.epochs, found.early_epoch) == (200, 50)
    assert for_images(cfg, 600, {"epochs"}) == cfg == for_images(cfg, 60_000)
    assert for_images(cfg, 3).epochs == 10_000 and for_images(cfg, 10**6).epochs == 1
    assert for_images(cfg, 600, {"early_epoch"}).early_epoch == 1


@pytest.mark.parametrize(("shape", "width"), [
    ((1, 28, 28), 24), ((3, 8, 8), 32), ((3, 32, 32), 32), ((1, 64, 64), 32), ((3, 128, 128), 64)])
def test_width_follows_colour_and_size(shape, width):
    """A third more in colour, the square root of the side above 32; what is typed stays, and so do
    the sets that the recipes were chosen on."""
    data, cfg = Dataset("x", torch.zeros(2, *shape).byte(), torch.zeros(2)), Recipe(width=24)
    assert scaled(replace(cfg, dataset="folder:x"), data).width == width
    assert scaled(replace(cfg, dataset="folder:x"), data, {"width"}).width == 24
    assert scaled(replace(cfg, dataset="mnist"), data).width == 24


def test_a_resumed_training_finds_the_same_images(workplace):
    """Path, size, colour and epochs are the run's; nothing is left to do after the last epoch."""
    name = classes(workplace / "own", NAMES, 8)
    words = ["--recipe", "laptop", "--width", "2", "--device", "cpu", "--precision", "float32",
             "--size", "8", "--dataset", name, "--colour", "grey", "--epochs", "3"]
    folder = launch(train.uncond.JOB, [*words, "--run-dir", "run"])
    before = checkpoint.load(folder / runs.LAST)
    assert before["dataset"] == f"{name}:8:grey" and before["network"]["channels"] == (1, 1)
    assert launch(train.uncond.JOB, ["--resume", "--run-dir", "run"]) == folder


def test_hundreds_of_epochs_are_not_all_saved(workplace, monkeypatch):
    """About fifty are, the early one and the last among them."""
    saved = []
    real = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda path, content: (
        saved.append(content["epoch"]), real(path, content)))
    monkeypatch.setattr("train.record.save_curves", lambda *_: None)
    monkeypatch.setattr("minidiff.evaluation.gallery.save_grid", lambda *_, **__: None)
    for k in range(3):
        write(workplace / "own" / f"{k}.png", size=(4, 4))
    words = [*TINY[:4], "--epochs", "160", "--early-epoch", "7", "--size", "4", *TINY[8:]]
    launch(train.denoiser.JOB, [*words, "folder:own"])
    assert {*saved} == {7, 160, *range(3, 160, 3)}
