"""edits.py: a photo of any form is edited, with the pixels of the scripts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import minidiff
import sample.anagram
import sample.hybrid
import sample.inpaint
import sample.sdedit
from minidiff.api.edits import start_of
from minidiff.files.photos import load_image

DRAWN = Path(__file__).parents[2] / "figures" / "inputs" / "drawn-3.png"
QUIET = {"steps": 5, "progress": False, "n": 2}


@pytest.fixture(scope="module")
def model():
    """The shipped class-conditioned model."""
    return minidiff.load("class", device="cpu")


@pytest.mark.parametrize(("script", "words", "call"), [
    (sample.sdedit, ["--image", str(DRAWN), "--prompt", "8", "--start", "2"],
     lambda m: minidiff.edit(m, DRAWN, prompt="8", start=0.4, **QUIET)),
    (sample.inpaint, ["--image", str(DRAWN), "--prompt", "3", "--mask", "rows 14:28"],
     lambda m: minidiff.inpaint(m, str(DRAWN), "rows 14:28", "3", **QUIET)),
    (sample.anagram, ["--prompts", "6", "9", "--view", "rotate180"],
     lambda m: minidiff.anagram(m, ("6", "9"), **QUIET)),
    (sample.hybrid, ["--low", "1", "--high", "4"],
     lambda m: minidiff.hybrid(m, "1", "4", **QUIET)),
], ids=["edit", "inpaint", "anagram", "hybrid"])
def test_edits_are_those_of_the_scripts(workplace, model, script, words, call):
    """The same defaults, seed and number of images: the same pixels."""
    script.main([*words, "--n", "2", "--steps", "5", "--device", "cpu", "--npz", "s.npz"])
    found = torch.from_numpy(np.load("s.npz")["images"])
    images = call(model)
    assert images.shape == (2, 1, 28, 28) and torch.equal(images, found)


def test_a_photo_may_have_any_form(model):
    """A path, a Pillow image, arrays of bytes and floats: with start 1 it comes back."""
    image = Image.open(DRAWN).convert("L").resize((28, 28))
    pixels = np.asarray(image)
    forms = [image, pixels, pixels / 255.0, torch.tensor(pixels), torch.tensor(pixels)[None] / 255,
             np.repeat(pixels[..., None], 3, 2), torch.tensor(pixels)[None, None]]
    expected = torch.tensor(pixels)[None, None] / 255
    for form in forms:
        found = minidiff.edit(model, form, strength=0, invert=False, progress=False)
        assert torch.allclose(found, expected, atol=1 / 255)
    same = minidiff.edit(model, pixels, strength=0, progress=False)
    assert torch.allclose(same, 1 - expected, atol=1 / 255)  # dark ink on light


def test_a_hole_may_be_an_array(model):
    """What is outside of it stays."""
    photo, hole = torch.rand(1, 28, 28), torch.zeros(28, 28, dtype=torch.bool)
    hole[4:9, 5:] = True
    for mask in (hole, hole.numpy()):
        found = minidiff.inpaint(model, photo, mask, "3", steps=3, invert=False,
                                       progress=False)
        assert torch.equal(found[0, 0][~hole], photo[0][~hole])
        assert (found[0, 0][hole] != photo[0][hole]).any()


def test_what_does_not_fit_is_one_sentence(model):
    """Photos, views, starts, and a flow."""
    flow = minidiff.load("flow", device="cpu")
    for call, message in (
        (lambda: minidiff.edit(model, "no.png"), "no image file no.png"),
        (lambda: minidiff.edit(model, torch.rand(5, 28, 28)), "a photo is .H,W.*got .5, 28, 28."),
        (lambda: minidiff.edit(model, 255 * torch.rand(28, 28)), "values in .0, 1.; divide"),
        (lambda: minidiff.edit(model, DRAWN, start=21), "start must be a step, 0 .noise. .. 20"),
        (lambda: minidiff.edit(flow, DRAWN), "a flow has no noise levels"),
        (lambda: minidiff.anagram(model, views=("identity", "x")), "unknown view 'x'"),
        (lambda: minidiff.inpaint(model, DRAWN, "everywhere"), "neither an image file nor"),
        (lambda: minidiff.anagram(model, ("6", "9", "3"), "vflip"), "3 prompts and 1 views"),
        (lambda: minidiff.anagram(model, views=(3,)), "unknown view 3"),
        (lambda: minidiff.anagram(model, (6, 9)), "a prompt is a text, such as '3', got 6"),
        (lambda: minidiff.edit(model, DRAWN, None), "a prompt is a text"),
        (lambda: minidiff.edit(model, DRAWN, n=0), "n, how many images, must be"),
        (lambda: minidiff.edit(model, DRAWN, n=True), "n, how many images, must be"),
        (lambda: minidiff.edit(model, DRAWN, start="x"), "start and strength are numbers"),
        (lambda: minidiff.edit(model, DRAWN, start=1.5), "start must be a step"),
        (lambda: minidiff.edit(model, DRAWN, strength=2), "strength must lie in 0..1"),
        (lambda: minidiff.edit(None, DRAWN), "a model is what minidiff.load returns"),
        (lambda: minidiff.edit("clas", DRAWN), "there is no checkpoint clas"),
        (lambda: minidiff.hybrid(model, sigma="x"), "sigma must be pixels above 0"),
        (lambda: minidiff.interpolate(model, DRAWN, DRAWN, seed=1), "has no seed"),
        (lambda: minidiff.interpolate(model, DRAWN, DRAWN, sampler="ddpm"), "adds no noise"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_start_is_a_step_or_a_share_of_them():
    """Below 1 a share, from 1 on a step; strength is the share that is left."""
    assert [start_of(20, s) for s in (0, 0.4, 0.99, 1, 8, 20.0)] == [0, 8, 20, 1, 8, 20]
    assert [start_of(20, strength=s) for s in (0, 0.25, 1)] == [20, 15, 0]


def test_states_lead_to_the_images_and_know_how_many_they_are(model):
    """The last one is what the edit returns; a model may be named."""
    states = minidiff.edit_states("class", DRAWN, "8", start=0.4, steps=5)
    found = list(states)
    assert len(states) == len(found) == 4 and found[0].x_0_hat is None and found[-1].t == 0
    images = minidiff.edit(model, DRAWN, "8", start=2, steps=5, progress=False)
    assert torch.equal(found[-1].x_t.clamp(0, 1), images)
    seen = []
    minidiff.hybrid(model, steps=2, progress=False, callback=seen.append)
    assert [s.t for s in seen] == [s.t for s in minidiff.hybrid_states(model, steps=2)]


def test_interpolation_begins_and_ends_with_the_photos(model):
    """And its middle is neither."""
    photos = [load_image(str(DRAWN.with_name(f"{name}.png")))[0] for name in ("drawn-3", "web-5")]
    found = minidiff.interpolate(model, *photos, "3", n=3, steps=50, progress=False)
    ends = [1 - x if x[0, 0, 0] > 0.5 else x for x in photos]
    errors = [[(image - end).square().mean().item() for end in ends] for image in found]
    assert errors[0][0] < 0.01 and errors[2][1] < 0.01 and min(errors[1]) > 0.01
