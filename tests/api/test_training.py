"""training.py: tensors of one's own train a model that is used, saved and loaded like any other."""

import numpy as np
import pytest
import torch

import minidiff
import train.class_cond
from tests.conftest import weights
from tests.data.test_folder import classes
from train.launch import launch

TINY = {"width": 2, "batch_size": 8, "device": "cpu", "precision": "float32", "T": 20}


@pytest.mark.parametrize("shape", [(1, 8), (3, 8), (3, 32)])
def test_any_size_and_colour_is_trained_saved_and_loaded(tmp_path, shape):
    """Numbers as labels; each record counts on; the model is there while it trains; the loaded one
    gives the same samples, up to the rounding of folded BatchNorms."""
    channels, size = shape
    images = torch.rand(20, channels, size, size)
    run, steps = minidiff.train(images, torch.arange(20) % 3, epochs=2, **TINY), []
    for p in run:
        steps.append(p.step)
        assert p.model.sample("2", steps=2, progress=False).shape == (1, channels, size, size)
    assert steps[-1] == 6 and run.model.vocabulary.words == ("0", "1", "2")
    run.model.save(tmp_path / "mine.pt")
    again = minidiff.load(tmp_path / "mine.pt", "cpu")
    found = [m.sample(["0", ""], steps=3, progress=False) for m in (run.model, again)]
    assert torch.allclose(*found, atol=1e-3) and again.dataset == "own images"


def test_names_and_sentences_are_prompts():
    """Names of classes, and captions; none at all trains a model without prompts."""
    images = np.random.default_rng(0).integers(256, size=(12, 8, 8, 3), dtype=np.uint8)
    for labels, captions, words in ((["cat", "Dog"] * 6, False, ("cat", "dog")),
                                    (["a red cat", "a dog"] * 6, True, ("cat", "dog", "red"))):
        run = minidiff.train(images, labels, captions=captions, epochs=1, **TINY)
        *_, last = run
        assert last.model.vocabulary.words == words and last.model.image_shape == (3, 8, 8)
        assert {*last.model.prompts()} == {*labels}
    *_, last = minidiff.train(images, epochs=1, **TINY)
    assert last.model.kind == "uncond" and last.model.sample(2, steps=1).shape == (2, 3, 8, 8)
    *_, last = minidiff.train(images, ["a", "b"] * 6, kind="flow", epochs=1, **TINY)
    assert last.model.sample("b", steps=2).shape == (1, 3, 8, 8)


def test_floats_and_bytes_are_the_same_images():
    """The same seed gives the same weights, and torch's global random state stays as it is."""
    pixels, state = torch.randint(256, (16, 8, 8)).byte(), torch.get_rng_state()
    weights = []
    for images in (pixels, pixels / 255, (pixels[:, None] / 255).double().numpy()):
        run = minidiff.train(images, epochs=1, **TINY)
        assert list(run)[-1].loss > 0
        weights.append(torch.cat([p.flatten() for p in run.training.network.parameters()]))
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])
    assert torch.equal(state, torch.get_rng_state())


def test_what_does_not_fit_is_one_sentence():
    """Shapes, values, types, numbers of labels, kinds, fields."""
    good = torch.rand(4, 8, 8)
    for images, options, message in (
        (torch.rand(4, 8, 12), {}, "square, their side a multiple of 4 pixels; got 8 x 12"),
        (torch.rand(4, 10, 10), {}, "multiple of 4"), (torch.rand(4, 5, 8, 8), {}, "3 channels"),
        (torch.rand(8, 8), {}, "images must be"), (255 * good, {}, "floats have values in .0, 1."),
        ((255 * good).long(), {}, "uint8, 0..255, or floats"),
        (good, {"labels": [1, 2]}, "4 images, but 2 labels"), (good, {"kind": "x"}, "unknown kind"),
        (good, {"epochs": 0}, "epochs must lie"), (good, {"kind": "class"}, "no classes or"),
        (good, {"labels": ["the cat", "cat"] * 2}, "differ in a word"),
        (good, {"device": "tpu"}, "unknown device"), (None, {}, "images must be a tensor"),
        ([good[0], good[0, :4]], {}, "in one size"), (good, {"epoch": 2}, "did you mean epochs?"),
        (good, {"dataset": "mnist"}, "name the data set in place of the images"),
        (good, {"size": 8}, "size and colour are of use with folder:PATH only"),
        (good, {"colour": "grey"}, "size and colour are of use with folder:PATH only"),
        (good, {"recipe": "huge"}, "unknown recipe"), (good, {"init": "no.pt"}, "no checkpoint"),
        (good, {"kind": "denoiser"}, "unknown kind 'denoiser'"),
        (good, {"kind": "uncond", "labels": [1] * 4}, "kind 'uncond' uses none"),
        (good, {"labels": [0.5] * 4}, "a label is a whole number or a name"),
        (good, {"labels": torch.eye(4)}, "a label is a whole number or a name"),
        (good, {"labels": torch.ones(4, 1).long()}, "a label is a whole number or a name"),
        (good, {"labels": [None] * 4}, "a label is"), (good, {"labels": [True] * 4}, "a label is"),
        (good, {"labels": "abcd"}, "labels are a list"),
        ("folder", {}, "unknown dataset 'folder'"), ("folder:no", {}, "there is no folder no"),
        ("mnist", {"labels": [1]}, "has its own"), (good, {"resume": "no.pt"}, "no checkpoint"),
    ):
        with pytest.raises(ValueError, match=message):
            minidiff.train(images, **{"epochs": 1, **TINY, **options})


def test_a_data_set_is_trained_on_by_name(workplace):
    """A folder with size, limit and colour, and a recipe by name: as the script does it, bit for
    bit."""
    name = classes(workplace / "own", each=8)
    words = ["--dataset", name, "--size", "8", "--colour", "grey", "--limit", "6",
             "--epochs", "2", "--width", "2", "--batch-size", "8", "--recipe", "full", "--T", "20",
             "--device", "cpu",
             "--precision", "float32", "--sample-steps", "2", "--early-epoch", "1"]
    folder = launch(train.class_cond.JOB, words)
    run = minidiff.train(name, size=8, colour="grey", limit=6, epochs=2, recipe="full", **TINY)
    assert run.model.prompts() == ["cat", "dog"] and len(run.data) == 6
    for _ in run:
        pass
    theirs, ours = weights(folder), run.content()["weights"]
    assert all(torch.equal(theirs[k], ours[k]) for k in theirs)
    again = minidiff.train(name, size=8, colour="grey", init=str(folder), epochs=1, **TINY)
    assert all(torch.equal(theirs[k], v) for k, v in again.training.network.state_dict().items())


def test_a_run_is_saved_and_goes_on(tmp_path):
    """Bit for bit as if it had never stopped; only at the end of an epoch, on the same images and
    with its own settings."""
    images, labels, file = torch.rand(20, 8, 8), torch.arange(20) % 2, tmp_path / "run.pt"
    common = {**TINY, "decay": "constant", "ema": 0.9}
    whole = minidiff.train(images, labels, epochs=3, **common)
    *_, last = whole
    begun = minidiff.train(images, labels, epochs=1, **common)
    for p in begun:
        if not p.epoch_ended:
            with pytest.raises(ValueError, match="at the end of an epoch"):
                begun.save(file)
    begun.save(file)
    more = minidiff.train(images, labels, resume=file, epochs=3, device="cpu")
    assert [p.step for p in more][-1] == last.step
    ends = [r.content()["weights"] for r in (whole, more)]
    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    begun.model.save(tmp_path / "model.pt")
    for options, message in (({"resume": file, "lr": 0.5}, "leave out lr"),
                             ({"resume": tmp_path / "model.pt"}, "holds a model, not a run")):
        with pytest.raises(ValueError, match=message):
            minidiff.train(images, labels, **options)
    with pytest.raises(ValueError, match="another number of images"):
        minidiff.train(images[:4], labels[:4], resume=file)


def test_a_model_knows_whether_its_images_are_light_on_dark(tmp_path):
    """Ink on paper, saved and loaded; a photo of ink on paper is then left as it is."""
    paper = torch.ones(8, 8, 8)
    paper[:, 3:5, 3:5] = torch.rand(8, 2, 2) / 2
    for images, expected in ((paper, False), (1 - paper, True)):
        run = minidiff.train(images, ["dog", "fire truck"] * 4, epochs=1, **TINY)
        run.model.save(tmp_path / "mine.pt")
        again = minidiff.load(tmp_path / "mine.pt", "cpu")
        assert again.light_on_dark is run.model.light_on_dark is expected
        assert again.prompts() == ["dog", "fire truck"]
        photo = minidiff.edit(again, paper[:1], strength=0, progress=False)[0, 0]
        assert torch.equal(photo, 1 - paper[0] if expected else paper[0])
