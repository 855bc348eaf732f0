"""sample.flow, sample.evaluate, sample.measure.compare and the flow's figures, as a person calls them."""

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
import sample.sdedit
from minidiff.files import images
from tests.conftest import small

JUDGE = ["--judge", "runs/classifier/001", "--device", "cpu"]


@pytest.fixture
def place(trained, monkeypatch):
    """The folder with a finished run of each kind as current folder."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(trained)
    return trained


def drawn(*words):
    sample.flow.main([*words, "--steps", "3", "--device", "cpu", "--npz", "f.npz"])
    return np.load("f.npz")


def test_digits_are_drawn_a_column_each_and_labelled(place, capsys):
    """PNG, film and npz; the walk is told in the caption."""
    found = drawn("--digits", "370", "--per-digit", "2", "--out", "f.png", "--gif", "f.gif")
    assert found["labels"].tolist() == [3, 7, 0, 3, 7, 0]
    assert found["images"].shape == (6, 1, 28, 28) and found["images"].min() >= 0
    assert Image.open("f.gif").n_frames == 4
    assert "Euler, 3 steps, seed 0, gamma 2 until 50%" in images.caption_of("f.png")
    assert "runs/flow/001" in capsys.readouterr().out


def test_guidance_and_seed_reach_the_picture(place):
    """Gamma 0 draws the same for every digit, 1 does not; another seed, another picture."""
    words = ["--per-digit", "1", "--gamma"]
    a, b, c, d = (drawn("--digits", digit, *words, gamma)["images"]
                  for digit, gamma in (("1", "0"), ("7", "0"), ("1", "1"), ("7", "1")))
    assert np.array_equal(a, b) and not np.array_equal(c, d)
    assert not np.array_equal(d, drawn("--digits", "7", *words, "1", "--seed", "2")["images"])


def test_a_flow_that_is_asked_for_nothing_draws_and_refuses_digits(place):
    """As many as digits would be, without labels."""
    found = drawn("--model", "flow-uncond", "--per-digit", "1")
    assert found["images"].shape == (10, 1, 28, 28) and "labels" not in found
    for words in (["--digits", "3"], ["--gamma", "2"]):
        with pytest.raises(ValueError, match="knows no digits"):
            drawn("--model", "flow-uncond", *words)
    with pytest.raises(ValueError, match="holds a 'uncond' model, but 'flow' is wanted"):
        drawn("--model", "uncond")


@pytest.mark.parametrize("kind, accuracy", [("flow", True), ("flow-uncond", False)])
def test_a_flow_is_measured_as_a_diffusion_is(place, kind, accuracy):
    """The same measures; the walk that led to them is told; flags of a diffusion are refused."""
    sample.measure.evaluate.main(["--model", kind, "--n", "20", "--steps", "3", *JUDGE])
    found = json.loads(Path("evaluation.json").read_text())
    assert found["kind"] == kind and found["steps"] == 3 and "sampler" not in found
    assert ("accuracy" in found["measures"]) == accuracy and found["measures"]["ratio"] > 0
    with pytest.raises(ValueError, match="no use for --sampler"):
        sample.measure.evaluate.main(["--model", kind, "--sampler", "ddim", *JUDGE])


def test_an_edit_wants_a_diffusion(place):
    """SDEdit starts at a noise level, and a flow has none."""
    with pytest.raises(ValueError, match="'flow' model has no noise levels"):
        sample.sdedit.main(["--model", "flow", "--device", "cpu"])


def test_flow_and_diffusion_are_measured_at_equal_steps_and_drawn(place, monkeypatch):
    """Three curves with a point at each number of steps, without guidance and with each one's own;
    the figures show them."""
    monkeypatch.setattr(sample.versus, "STEPS", (2, 4, 50))  # 50 is more than this T
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
    monkeypatch.setattr(figures.blind, "STEPS", 3)
    figures.build.run(["--only", "flow", "--out", "flow"])
    for group in ("plain", "guided"):
        assert Image.open(f"flow/flow-versus-{group}.png").width > 700
    with pytest.raises(ValueError, match="holds a 'class' model, but 'flow' is wanted"):
        sample.measure.compare.main(["--flow", "runs/class/001", *JUDGE])
