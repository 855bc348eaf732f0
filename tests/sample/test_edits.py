"""sample.sdedit, inpaint, denoise, anagram, hybrid: as a person would call them."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.files import images

ROOT = Path(__file__).parent.parent
INPUTS = ROOT / "figures" / "inputs"
DRAWN = str(INPUTS / "drawn-3.png")
SCRIPTS = {
    "sdedit": ["--image", DRAWN, "--prompt", "3", "--start", "2"],
    "inpaint": ["--image", DRAWN, "--mask", "rows 2:20 columns 8:20", "--resample", "2"],
    "denoise": ["--image", DRAWN, "--start", "1"],
    "anagram": ["--prompts", "6", "9", "--view", "rotate180"],
    "hybrid": ["--low", "3", "--high", "8"],
}
COMMON = ["--n", "2", "--steps", "4", "--device", "cpu", "--out", "o.png"]


def called(name, *words):
    """Call a script; return the images of its npz."""
    import_module(f"sample.{name}").main([*SCRIPTS[name], *COMMON, "--npz", "o.npz", *words])
    return np.load("o.npz")["images"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_edit_takes_the_same_flags_and_writes_all_three_forms(trained, monkeypatch, name):
    """--model --steps --gamma --seed --n --out --gif --npz; one seed, one result; another, another;
    the model may be a kind or a run."""
    monkeypatch.chdir(trained)
    first = called(name, "--gif", "o.gif", "--gamma", "2", "--seed", "3")
    assert first.shape == (2, 1, 28, 28) and first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert Image.open("o.png").width > 100 and Image.open("o.gif").n_frames > 1
    again = called(name, "--model", "runs/class/001", "--gamma", "2", "--seed", "3")
    assert (first == again).all()
    assert (first != called(name, "--gamma", "2", "--seed", "4")).any()
    if name != "denoise" and name != "inpaint":  # those two ask for nothing unless told
        assert (first != called(name, "--gamma", "6", "--seed", "3")).any()


def test_a_drawing_is_inverted_aloud_and_can_be_kept(trained, monkeypatch, capsys):
    """Dark on light becomes light on dark; --no-invert leaves it. Start at the last step returns
    the picture."""
    monkeypatch.chdir(trained)
    x = images.load_image(DRAWN).numpy()
    turned = called("sdedit", "--start", "4")
    assert "--no-invert" in capsys.readouterr().out
    kept = called("sdedit", "--start", "4", "--no-invert")
    assert "--no-invert" not in capsys.readouterr().out
    assert np.allclose(kept, x) and np.allclose(turned, 1 - x)


def test_inpainting_keeps_what_is_known_and_tells_its_cost_first(trained, monkeypatch, capsys):
    """Outside the hole: the picture, exactly. 2 x 3 + 1 calls instead of 4."""
    monkeypatch.chdir(trained)
    found = torch.from_numpy(called("inpaint"))
    out = capsys.readouterr().out
    assert "cost: 7 network calls (4 without resampling)" in out
    assert out.index("cost:") < out.index("drew 2")
    x = 1 - images.load_image(DRAWN)
    hole = torch.zeros(28, 28, dtype=torch.bool)
    hole[2:20, 8:20] = True
    assert torch.equal(found[..., ~hole], x.expand(2, 1, 28, 28)[..., ~hole])


def test_readings_are_told_where_a_judge_is(trained, monkeypatch, capsys):
    """Both readings of an anagram, and how many pictures have both."""
    monkeypatch.chdir(trained)
    called("anagram")
    out = capsys.readouterr().out
    for told in ("by identity: read as 6 in", "by rotate180: read as 9 in", "all of it in"):
        assert told in out


def test_an_anagram_may_have_many_views(trained, monkeypatch):
    """As many as prompts, or one fewer; a row of the picture for each."""
    monkeypatch.chdir(trained)
    called("anagram", "--prompts", "6", "9", "8", "--view", "rotate180", "vflip")
    tall = Image.open("o.png").height
    called("anagram", "--prompts", "6", "--view", "jigsaw")
    assert Image.open("o.png").height < tall - 60


def test_other_pictures_than_squares_are_cropped_or_padded(trained, monkeypatch):
    """--fit reaches the picture."""
    monkeypatch.chdir(trained)
    Image.open(DRAWN).resize((400, 100)).save("wide.png")
    words = ["--image", "wide.png", "--start", "4"]
    assert (called("sdedit", *words) != called("sdedit", *words, "--fit", "pad")).any()


@pytest.mark.parametrize("name, words, told", [
    ("sdedit", ["--image", "no.png"], "no picture file no.png"),
    ("sdedit", ["--start", "21"], "0..20"),
    ("sdedit", ["--prompt", "cat"], "this model knows: '' '0' '1'"),
    ("sdedit", ["--n", "0"], "n must be at least 1"),
    ("sdedit", ["--image", "same.png", "--out", "same.png"], "the same file"),
    ("hybrid", ["--by", "grey"], "draws in grey"),
    ("sdedit", ["--fit", "squeeze"], "'crop', 'pad'"),
    ("inpaint", ["--mask", "rows 3:40"], "rows within 0:28"),
    ("inpaint", ["--mask", "nowhere.png"], "neither a picture file"),
    ("inpaint", ["--mask", "small.png"], "3 x 3 pixels; it should be 28 x 28 or 140 x 140"),
    ("inpaint", ["--resample", "0"], "resample must be at least 1"),
    ("denoise", ["--start", "20"], "0..19"),
    ("anagram", ["--view", "upside-down"], "identity, rotate90"),
    ("anagram", ["--view", "negative"], "symmetric about 0"),
    ("anagram", ["--prompts", "1", "2", "3", "--view", "vflip"], "3 prompts and 1 views"),
    ("anagram", ["--prompts", "6", "x"], "unknown prompt 'x'"),
    ("hybrid", ["--sigma", "0"], "sigma must lie"),
    ("hybrid", ["--sigma", "99", "--gif", "a.png"], ".gif"),
])
def test_a_mistake_is_one_sentence_that_lists_what_is_allowed(
    tmp_path, monkeypatch, command, name, words, told
):
    """With the shipped weights: on stderr, exit status 2, no traceback, no file."""
    Image.new("L", (3, 3)).save(tmp_path / "small.png")
    image = [] if name in ("anagram", "hybrid") else ["--image", DRAWN]
    monkeypatch.chdir(tmp_path)
    status, err = command(f"sample.{name}", *image, "--device", "cpu", *words)
    assert status == 2 and told in err and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["small.png"]
