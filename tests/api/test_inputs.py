"""inputs.py: photos, masks and lists of images in any form, or one sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from minidiff.api.inputs import hole_of, photo_of, tensor

GREY = SimpleNamespace(image_shape=(1, 8, 8), data_range=(0.0, 1.0), light_on_dark=True)
PAPER = SimpleNamespace(image_shape=(1, 8, 8), data_range=(0.0, 1.0), light_on_dark=False)
COLOUR = SimpleNamespace(image_shape=(3, 8, 8), data_range=(-1.0, 1.0), light_on_dark=False)


@pytest.mark.parametrize(("photo", "value"), [
    (np.ones((8, 8), bool), 1), (np.full((8, 8), 51, np.uint8), 0.2),
    (np.full((8, 8), 51, np.int64), 0.2), (torch.full((8, 8), 51), 0.2),
    (np.full((8, 8), 0.2, np.float16), 0.2), (np.full((8, 8), 0.2), 0.2),
])
def test_every_type_of_number_is_the_same_image(photo, value):
    """Bools are black and white; whole numbers are bytes, however wide; floats lie in 0..1."""
    found = photo_of(GREY, photo, invert=False)
    assert found.shape == (1, 1, 8, 8) and (found - value).abs().max() < 1 / 255


def test_floats_of_the_models_shape_are_taken_as_they_are():
    """Bit for bit, as an image from `sample` should be."""
    x = torch.rand(3, 8, 8)
    assert torch.equal(photo_of(COLOUR, x)[0], x)


@pytest.mark.parametrize(("photo", "message"), [
    (np.full((8, 8), 256), "whole numbers has values in 0..255"),
    (np.full((8, 8), -1), "whole numbers has values in 0..255"),
    (np.full((8, 8), 40_000, np.uint16), "whole numbers has values in 0..255"),
    (np.full((8, 8), 8.0), "floats has values in"), (np.full((8, 8), np.nan), "floats has values"),
    (np.ones((8, 8), complex), "real values"), (np.zeros((0, 8)), "a photo is"),
    (np.zeros((8, 8, 4), np.uint8), "a photo is"), (None, "a photo is a path"),
    ([[1]], "a photo is a path"), (np.array([["a"]]), "a photo must be"),
])
def test_what_is_no_photo_is_one_sentence(photo, message):
    """Values out of range, other shapes, other things."""
    with pytest.raises(ValueError, match=message):
        photo_of(GREY, photo)


def test_a_photo_is_inverted_only_for_a_model_of_light_on_dark(capsys):
    """Not for one of ink on paper, nor in colour, nor where it is light on dark already."""
    dark_on_light = torch.ones(1, 8, 8)
    dark_on_light[:, 3:5, 3:5] = 0
    assert torch.equal(photo_of(GREY, dark_on_light)[0], 1 - dark_on_light)
    assert "inverted" in capsys.readouterr().err
    for model, photo, invert in ((GREY, dark_on_light, False), (PAPER, dark_on_light, True),
                                 (GREY, 1 - dark_on_light, True),
                                 (COLOUR, dark_on_light.expand(3, 8, 8), True)):
        assert torch.equal(photo_of(model, photo, invert)[0], photo)
    assert capsys.readouterr().err == ""


def test_a_mask_may_be_inverted_and_has_a_hole():
    """What is kept becomes the hole; no hole at all, and another size, are one sentence."""
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:4] = True
    assert torch.equal(hole_of(GREY, mask, None)[0, 0], mask)
    assert torch.equal(hole_of(GREY, mask.numpy(), None, invert_mask=True)[0, 0], ~mask)
    for other, invert, message in ((mask[:4], False, "a mask has the model's size, .8, 8., got"),
                                   (mask & ~mask, False, "has no hole: True, or light"),
                                   (mask | ~mask, True, "the inverted mask has no hole")):
        with pytest.raises(ValueError, match=message):
            hole_of(GREY, other, None, invert)


def test_a_list_of_images_is_one_tensor():
    """Of tensors or arrays in one size; else one sentence."""
    images = [torch.rand(3, 4), np.zeros((3, 4)), torch.zeros(3, 4)]
    assert tensor(images[:1] * 2).shape == (2, 3, 4) == tensor([*map(np.asarray, images[:2])]).shape
    for wrong in ([torch.rand(3, 4), torch.rand(4, 3)], None, "abc", []):
        with pytest.raises(ValueError, match="images must be a tensor, an array, or a list"):
            tensor(wrong)
