"""What people ask for most: a file for each image, strength, a mask inverted, a film that turns, a
negative prompt."""

import pytest
import torch
from PIL import Image

import sample.anagram
import sample.class_cond
import sample.inpaint
import sample.sdedit
from minidiff.editing.views import VIEWS
from minidiff.files.images import caption_of
from minidiff.models.generate import generate, prompted
from sample.anagram import TURN, turned, turning
from sample.denoise import DenoiseOptions
from sample.sdedit import SdeditOptions
from tests.conftest import attentive
from tests.replay import models

__all__ = ["models"]  # a fixture
FEW = ["--steps", "4", "--device", "cpu", "--npz", "o.npz"]


def test_each_image_is_a_file_of_its_own(models, tmp_path, monkeypatch):
    """In the model's own size, with the caption; a folder that is not empty is refused."""
    monkeypatch.chdir(models)
    words = ["--digits", "35", "--per-digit", "1", *FEW, "--out", f"{tmp_path / 'each'}/"]
    sample.class_cond.main(words)
    files = sorted((tmp_path / "each").iterdir())
    assert [f.name for f in files] == ["0000.png", "0001.png"]
    assert Image.open(files[1]).size == (28, 28) and "4 steps" in caption_of(files[1])
    with pytest.raises(ValueError, match="each is not empty; name another folder"):
        sample.class_cond.main(words)


def test_strength_is_the_share_of_steps_that_is_sampled(models, monkeypatch, tmp_path):
    """--strength 0.75 of 4 steps is --start 1; only one of them can be given."""
    monkeypatch.chdir(models)
    for words in (["--strength", "0.75"], ["--start", "1"]):
        sample.sdedit.main([*FEW, "--n", "1", *words, "--out", str(tmp_path / "o.png")])
        assert "(start 1)" in caption_of(tmp_path / "o.png")
    for cls in (SdeditOptions, DenoiseOptions):
        with pytest.raises(ValueError, match="give one of them"):
            cls(start=1, strength=0.5)
        with pytest.raises(ValueError, match="strength must lie in"):
            cls(strength=-0.5)


@pytest.mark.parametrize("name", ["rotate90", "rotate180", "rotate270"])
def test_the_film_ends_with_the_view(name):
    """Turned by the view's angle, it is the view; in between, it turns the same way."""
    x = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    frames, view = turning(x, int(name[6:])), VIEWS[name].see(x)
    assert torch.equal(frames[0], x) and torch.allclose(frames[-1], view, atol=1e-5)
    assert torch.allclose(turned(turned(x, 30)[..., 9:19, 9:19], 0),
                          turned(x, 30)[..., 9:19, 9:19], atol=1e-5)
    assert len(frames) == TURN + 10


def test_a_negative_prompt_takes_the_place_of_the_null_prompt():
    """eps_n + gamma (eps_c - eps_n); and the unguided end of sampling does not know it."""
    model, x = attentive(), torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    t = torch.full((2,), 200)
    with torch.no_grad():
        found = prompted(model, ["3", "5"], 3.0, 0.0, "7")(x, t)
        eps = {p: model(x, t, model.embed([p, p])) for p in "357"}
    eps_c = torch.cat([eps["3"][:1], eps["5"][1:]])
    assert torch.allclose(found, eps["7"] + 3 * (eps_c - eps["7"]), atol=1e-4)
    with torch.no_grad():
        late = [prompted(model, ["3", "5"], 3.0, 0.9, n)(x, t) for n in ("", "7")]
    assert torch.equal(*late)
    with pytest.raises(ValueError):
        next(generate(model, ["3"], steps=2, gamma=3.0, negative="x"))


def test_an_inverted_mask_keeps_what_the_mask_covers(models, monkeypatch, tmp_path):
    """The rows of the mask are those of the image, bit for bit."""
    import numpy as np

    monkeypatch.chdir(models)
    common = [*FEW, "--n", "1", "--mask", "rows 0:14", "--resample", "1", "--no-invert",
              "--out", str(tmp_path / "o.png")]
    found = []
    for words in ([], ["--invert-mask"]):
        sample.inpaint.main([*common, *words])
        found.append(np.load("o.npz")["images"][0, 0])
    assert "all but rows 0:14" in caption_of(tmp_path / "o.png")
    assert not (found[0][:14] == found[1][:14]).all()
    with pytest.raises(ValueError, match="has no hole"):
        sample.inpaint.main([*common, "--mask", "rows 0:28", "--invert-mask"])
