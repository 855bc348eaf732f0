"""sample.flow, sample.measure.evaluate and .compare on flows, and the flow's figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import figures.build
import figures.part_b.pure_noise
import sample.flow
import sample.measure.compare
import sample.measure.evaluate
from minidiff.files.images import caption_of
from tests.conftest import small

JUDGE = ["--judge", "runs/classifier/001", "--device", "cpu"]


@pytest.fixture
def place(trained, monkeypatch):
    """The folder with a finished run of each kind as current folder."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(trained)
    return trained


def sampled(*words):
    sample.flow.main([*words, "--steps", "3", "--device", "cpu", "--npz", "f.npz"])
    return np.load("f.npz")


def test_digits_are_labelled_and_have_a_column_each(place, capsys):
    """PNG, GIF and npz; the caption describes the sampling."""
    found = sampled("--digits", "370", "--per-digit", "2", "--out", "f.png", "--gif", "f.gif")
    assert found["labels"].tolist() == [3, 7, 0, 3, 7, 0]
    assert found["images"].shape == (6, 1, 28, 28) and found["images"].min() >= 0
    assert Image.open("f.gif").n_frames == 4
    assert "Euler, 3 steps, seed 0, gamma 2 until 50%" in caption_of("f.png")
    assert "runs/flow/001" in capsys.readouterr().out


def test_guidance_and_seed_change_the_image(place):
    """With gamma 0 all digits are the same image, with 1 they are not; nor with another seed."""
    words = ["--per-digit", "1", "--gamma"]
    a, b, c, d = (sampled("--digits", digit, *words, gamma)["images"]
                  for digit, gamma in (("1", "0"), ("7", "0"), ("1", "1"), ("7", "1")))
    assert np.array_equal(a, b) and not np.array_equal(c, d)
    assert not np.array_equal(d, sampled("--digits", "7", *words, "1", "--seed", "2")["images"])


def test_a_flow_without_labels_samples_and_refuses_digits(place):
    """As many images as there would be digits, without labels."""
    found = sampled("--model", "flow-uncond", "--per-digit", "1")
    assert found["images"].shape == (10, 1, 28, 28) and "labels" not in found
    for words in (["--digits", "3"], ["--gamma", "2"], ["--prompts", "3"]):
        with pytest.raises(ValueError, match=f"'flow-uncond' model has no use for {words[0]};"):
            sampled("--model", "flow-uncond", *words)
    with pytest.raises(ValueError, match="holds a 'uncond' model, but 'flow' or 'flow-uncond' is"):
        sampled("--model", "uncond")


@pytest.mark.parametrize("kind, accuracy", [("flow", True), ("flow-uncond", False)])
def test_a_flow_is_measured_as_a_diffusion_is(place, kind, accuracy):
    """The same measures; the JSON has the options that were used; a diffusion's are refused."""
    sample.measure.evaluate.main(["--model", kind, "--n", "20", "--steps", "3", *JUDGE])
    found = json.loads(Path("evaluation.json").read_text())
    assert found["kind"] == found["model"] == kind and found["steps"] == 3
    assert found["gamma"] == (2 if accuracy else 1)
    assert not found.keys() & {"sampler", "variance", "eta", "clip", "model_dir"}
    assert ("accuracy" in found["measures"]) == accuracy and found["measures"]["ratio"] > 0
    with pytest.raises(ValueError, match="no use for --eta, --sampler"):
        sample.measure.evaluate.main(["--model", kind, "--sampler", "ddim", "--eta", "1", *JUDGE])


def test_flow_and_diffusion_are_measured_at_equal_steps_and_drawn(place, monkeypatch):
    """Three curves with a point at each number of steps, without guidance and with each model's
    own; the figures show them."""
    monkeypatch.setattr(sample.measure.compare, "STEPS", (2, 4, 50))  # 50 is more than this T
    sample.measure.compare.main(["--n", "10", *JUDGE])
    found = json.loads(Path("versus.json").read_text())
    curves = {"flow, Euler", "ddim", "ddpm, beta_tilde"}
    assert {(p["group"], p["curve"], p["steps"]) for p in found["points"]} == {
        (group, curve, steps) for group in ("plain", "guided") for curve in curves
        for steps in (2, 4)}
    gammas = {(p["group"], p["curve"][:4], p["gamma"]) for p in found["points"]}
    assert gammas == {("plain", "flow", 1), ("plain", "ddim", 1), ("plain", "ddpm", 1),
                      ("guided", "flow", 2), ("guided", "ddim", 3), ("guided", "ddpm", 3)}
    assert all(p["n"] == 10 and p["seed"] == 0 and p["ratio"] > 0 for p in found["points"])
    assert "flow (D=2)" in found["flow"]["weights"] and "class (D=2)" in found["class"]["weights"]
    monkeypatch.setattr(figures.part_b.pure_noise, "STEPS", 3)
    figures.build.run(["--only", "flow", "--out", "flow"])
    for group in ("plain", "guided"):
        assert Image.open(f"flow/flow-versus-{group}.png").width > 700


def test_a_comparison_refuses_models_of_other_kinds(place):
    """A diffusion model is no flow."""
    with pytest.raises(ValueError, match="holds a 'class' model, but 'flow' is needed"):
        sample.measure.compare.main(["--flow", "runs/class/001", *JUDGE])
