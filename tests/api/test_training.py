"""training.py: tensors of one's own train a model that is used, saved and loaded like any other."""

import numpy as np
import pytest
import torch

import minidiff

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
        (good, {"device": "tpu"}, "unknown device"),
    ):
        with pytest.raises(ValueError, match=message):
            minidiff.train(images, **{"epochs": 1, **TINY, **options})
