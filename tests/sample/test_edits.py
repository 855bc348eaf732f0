"""sample.sdedit, inpaint, denoise, anagram, hybrid, called as a user calls them."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sample.sdedit
from minidiff.files.images import caption_of
from minidiff.files.photos import load_image

ROOT = Path(__file__).parent.parent.parent
DRAWN = str(ROOT / "figures" / "inputs" / "drawn-3.png")
SCRIPTS = {
    "sdedit": ["--image", DRAWN, "--prompt", "3", "--start", "2"],
    "inpaint": ["--image", DRAWN, "--mask", "rows 2:20 columns 8:20", "--resample", "2"],
    "denoise": ["--image", DRAWN, "--start", "1"],
    "anagram": ["--prompts", "6", "9", "--view", "rotate180"],
    "hybrid": ["--low", "3", "--high", "8"],
}
COMMON = ["--n", "2", "--steps", "4", "--device", "cpu", "--out", "o.png"]


def edited(name, *words):
    """Call a script; return the images of its npz."""
    import_module(f"sample.{name}").main([*SCRIPTS[name], *COMMON, "--npz", "o.npz", *words])
    return np.load("o.npz")["images"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_edit_takes_the_same_flags_and_writes_all_three_forms(trained, monkeypatch, name):
    """--model --steps --gamma --seed --n --out --gif --npz; the same seed gives the same result,
    another seed another; the model may be a kind or a run."""
    monkeypatch.chdir(trained)
    first = edited(name, "--gif", "o.gif", "--gamma", "2", "--seed", "3")
    assert first.shape == (2, 1, 28, 28) and first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert Image.open("o.png").width > 100 and Image.open("o.gif").n_frames > 1
    again = edited(name, "--model", "runs/class/001", "--gamma", "2", "--seed", "3")
    assert (first == again).all()
    assert (first != edited(name, "--gamma", "2", "--seed", "4")).any()
    if name not in ("denoise", "inpaint"):  # their prompt is the null prompt here
        assert (first != edited(name, "--gamma", "6", "--seed", "3")).any()


@pytest.mark.parametrize("name", ["sdedit", "denoise"])
def test_an_edit_starts_at_two_fifths_of_the_steps_unless_a_start_is_typed(
    trained, monkeypatch, name
):
    """As --help says: with ten steps at the fourth, with five at the second."""
    monkeypatch.chdir(trained)
    monkeypatch.setitem(SCRIPTS, name, SCRIPTS[name][: SCRIPTS[name].index("--start")])
    for steps, start in (("10", "4"), ("5", "2")):
        first = edited(name, "--steps", steps)
        assert (first == edited(name, "--steps", steps, "--start", start)).all()
        assert (first != edited(name, "--steps", steps, "--start", str(int(start) + 1))).any()


def test_a_drawing_is_inverted_aloud_and_can_be_kept(trained, monkeypatch, capsys):
    """Dark ink on light ground is inverted, with a message; --no-invert keeps it. Starting at the
    last step returns the image."""
    monkeypatch.chdir(trained)
    x = load_image(DRAWN).numpy()
    inverted = edited("sdedit", "--start", "4")
    assert "--no-invert" in capsys.readouterr().err
    kept = edited("sdedit", "--start", "4", "--no-invert")
    assert "--no-invert" not in capsys.readouterr().err
    assert np.allclose(kept, x) and np.allclose(inverted, 1 - x)


def test_inpainting_keeps_the_known_part_and_prints_its_cost_first(trained, monkeypatch, capsys):
    """Outside the hole the result is the image, exactly. 2 x 3 + 1 calls instead of 4."""
    monkeypatch.chdir(trained)
    found = torch.from_numpy(edited("inpaint"))
    out = capsys.readouterr().out
    assert "cost: 7 network calls (4 without resampling)" in out
    assert out.index("cost:") < out.index("2 images in")
    x = 1 - load_image(DRAWN)
    hole = torch.zeros(28, 28, dtype=torch.bool)
    hole[2:20, 8:20] = True
    assert torch.equal(found[..., ~hole], x.expand(2, 1, 28, 28)[..., ~hole])


def test_the_judges_readings_are_printed(trained, monkeypatch, capsys):
    """Both readings of an anagram, and how many images have both."""
    monkeypatch.chdir(trained)
    edited("anagram")
    out = capsys.readouterr().out
    for line in ("by identity: read as 6 in", "by rotate180: read as 9 in", "all of it in"):
        assert line in out


def test_an_anagram_may_have_many_views(trained, monkeypatch):
    """As many views as prompts, or one fewer; a row of the PNG for each."""
    monkeypatch.chdir(trained)
    edited("anagram", "--prompts", "6", "9", "8", "--view", "rotate180", "vflip")
    tall = Image.open("o.png").height
    edited("anagram", "--prompts", "6", "--view", "jigsaw")
    assert Image.open("o.png").height < tall - 60


def test_an_image_that_is_not_square_is_cropped_or_padded(trained, monkeypatch):
    """--fit changes the result."""
    monkeypatch.chdir(trained)
    Image.open(DRAWN).resize((400, 100)).save("wide.png")
    words = ["--image", "wide.png", "--start", "4"]
    assert (edited("sdedit", *words) != edited("sdedit", *words, "--fit", "pad")).any()


@pytest.mark.parametrize("name", ["sdedit", "inpaint", "denoise"])
def test_the_caption_names_image_model_and_options(trained, monkeypatch, name):
    """An image in the current folder is named relative to it."""
    monkeypatch.chdir(trained)
    Image.open(DRAWN).save("mine.png")
    edited(name, "--image", str(trained / "mine.png"), "--gamma", "2")
    caption = caption_of("o.png")
    assert caption.startswith("left") and " mine.png" in caption
    assert caption.endswith("; class (D=2), strokes, epoch 2; ddpm (beta_tilde), 4 steps, seed 0, "
                            "gamma 2 until 30% of the steps are left")


def test_the_example_image_is_found_from_another_folder(tmp_path):
    """`python -m sample.sdedit` finds figures/inputs/drawn-3.png from anywhere."""
    done = subprocess.run(
        [sys.executable, "-m", "sample.sdedit", "--steps", "2", "--n", "1", "--device", "cpu"],
        cwd=tmp_path, text=True, capture_output=True, timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "drawn-3.png" in caption_of(tmp_path / "grid.png")


def test_an_edit_needs_a_model_with_noise_levels(trained, monkeypatch):
    """SDEdit starts at a noise level, and a flow has none."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="holds a 'flow' model, but 'class' or 'uncond'"):
        sample.sdedit.main(["--model", "flow", "--device", "cpu"])


def test_a_model_without_labels_edits_without_guidance(trained, monkeypatch):
    """The null prompt is all it knows; the caption has no gamma; a typed one is refused."""
    monkeypatch.chdir(trained)
    edited("denoise", "--model", "uncond")
    caption = caption_of("o.png")
    assert "uncond (D=2, wide, predicts v)" in caption and "gamma" not in caption
    with pytest.raises(ValueError, match="a 'uncond' model has no use for --gamma"):
        edited("denoise", "--model", "uncond", "--gamma", "2")
    with pytest.raises(ValueError, match="unknown prompt '6'; this model knows: ''"):
        edited("anagram", "--model", "uncond")


@pytest.mark.parametrize("name, words, message", [
    ("sdedit", ["--image", "no.png"], "file no.png"),
    ("sdedit", ["--start", "21"], "start must be a step, 0 (noise) .. 20"),
    ("sdedit", ["--prompt", "cat"], "this model knows: '' '0' '1'"),
    ("sdedit", ["--n", "0"], "n must lie in 1..1,000,000, got 0"),
    ("sdedit", ["--steps", "301"], "1..300"),
    ("sdedit", ["--image", "same.png", "--out", "same.png"], "the same file"),
    ("hybrid", ["--by", "grey"], "generates grey images"),
    ("sdedit", ["--fit", "squeeze"], "'crop', 'pad'"),
    ("inpaint", ["--mask", "rows 3:40"], "rows within 0:28"),
    ("inpaint", ["--mask", "nowhere.png"], "neither "),
    ("inpaint", ["--mask", "small.png"], "3 x 3 pixels; it should be 28 x 28 or 140 x 140"),
    ("inpaint", ["--resample", "0"], "resample must lie in 1..1,000, got 0"),
    ("denoise", ["--start", "20"], "0..19"),
    ("anagram", ["--view", "upside-down"], "identity, rotate90"),
    ("anagram", ["--view", "negative"], "symmetric about 0"),
    ("anagram", ["--prompts", "1", "2", "3", "--view", "vflip"], "3 prompts and 1 views"),
    ("anagram", ["--prompts", "6", "x"], "unknown prompt 'x'"),
    ("hybrid", ["--sigma", "0"], "sigma must lie"),
    ("hybrid", ["--sigma", "99", "--gif", "a.png"], ".gif"),
    ("hybrid", ["--clip", "dynamic"], "clip 'dynamic' is not for this model; use range, none"),
])
def test_a_user_error_is_one_sentence_that_says_what_is_allowed(
    tmp_path, monkeypatch, command, name, words, message
):
    """With the shipped weights: on stderr, exit status 2, no traceback, no file written."""
    Image.new("L", (3, 3)).save(tmp_path / "small.png")
    image = [] if name in ("anagram", "hybrid") else ["--image", DRAWN]
    monkeypatch.chdir(tmp_path)
    status, err = command(f"sample.{name}", *image, "--device", "cpu", *words)
    assert status == 2 and message in err and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["small.png"]
