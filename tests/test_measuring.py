"""sample.class_cond, sample.evaluate, sample.sweep and its figures, as a person would call them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import figures.run
import sample.class_cond
import sample.evaluate
import sample.sweep
from minidiff.config import GuidanceFlags, WalkFlags

FEW = ["--steps", "3", "--device", "cpu"]
JUDGE = ["--judge", "runs/classifier/001"]


@pytest.fixture
def place(trained, monkeypatch):
    """The folder with a finished run of each kind, trained on strokes, as current folder."""
    monkeypatch.chdir(trained)
    return trained


def measured(words):
    sample.evaluate.main([*words, *JUDGE, "--device", "cpu"])
    return json.loads(Path("evaluation.json").read_text())


def test_digits_are_drawn_a_column_each_and_labelled(place):
    """PNG, GIF, and an npz whose labels say what was asked for."""
    sample.class_cond.main(["--digits", "370", "--per-digit", "2", *FEW, "--seed", "1",
                            "--out", "k.png", "--gif", "k.gif", "--npz", "k.npz"])
    found = np.load("k.npz")
    assert found["labels"].tolist() == [3, 7, 0, 3, 7, 0] and found["labels"].dtype == np.int64
    assert found["images"].shape == (6, 1, 28, 28) and found["images"].dtype == np.float32
    assert 0 <= found["images"].min() <= found["images"].max() <= 1
    assert Image.open("k.png").height > 100 and Image.open("k.gif").n_frames == 4


def test_guidance_reaches_the_picture(place):
    """Gamma 0 draws the same for every digit; gamma 3 does not."""
    drawn = {}
    for digit in "17":
        for gamma in ("0", "3"):
            sample.class_cond.main(["--digits", digit, "--per-digit", "1", *FEW, "--gamma", gamma,
                                    "--guide-until", "0", "--npz", "g.npz"])
            drawn[digit, gamma] = np.load("g.npz")["images"]
    assert np.array_equal(drawn["1", "0"], drawn["7", "0"])
    assert not np.array_equal(drawn["1", "3"], drawn["7", "3"])


def test_evaluating_a_model_and_its_npz_gives_the_same_numbers(place):
    """Drawn on the spot or read from the file that sampling wrote."""
    own = measured([*FEW[:2], "--n", "20"])
    assert own["kind"] == "class" and own["n" if "n" in own else "drawn"] == 20
    assert own["seed"] == 0 and own["steps"] == 3 and own["gamma"] == GuidanceFlags().gamma
    assert "cpu" in own["hardware"] and "strokes" in own["judge"]
    assert set(own["measures"]) == {"n", "accuracy", "confident", "distance", "floor", "ratio",
                                    "copying"}
    sample.class_cond.main(["--per-digit", "2", *FEW, "--npz", "two.npz"])
    again = measured(["--npz", "two.npz"])
    assert again["measures"] == pytest.approx(own["measures"], rel=1e-3)


@pytest.mark.parametrize("kind, names", [
    ("uncond", {"n", "confident", "distance", "floor", "ratio", "copying"}),
    ("denoiser", {"loss"}), ("classifier", {"strokes"}),
])
def test_every_kind_is_measured_by_what_it_is_for(place, kind, names):
    """Samples without labels have no accuracy; a denoiser has its loss, a judge what it reads."""
    words = ["--checkpoint", f"runs/{kind}/001", "--n", "20"]
    found = measured([*words, *(FEW[:2] if kind == "uncond" else [])])
    assert found["kind"] == kind and set(found["measures"]) == names
    assert all(np.isfinite(v) for v in found["measures"].values())


def test_the_score_trains_on_samples_alone(place, monkeypatch):
    """Two shares, of samples and of as many real digits."""
    monkeypatch.setattr(sample.evaluate, "SCORE_N", 40)
    monkeypatch.setitem(sample.evaluate.config.RECIPES["classifier"], "laptop",
                        {"width": 2, "epochs": 1, "early_epoch": 1, "batch_size": 20})
    found = measured([*FEW[:2], "--n", "20", "--score"])["measures"]
    assert 0 <= found["score"] <= 1 and 0 <= found["score_real"] <= 1 and found["n"] == 20


@pytest.mark.parametrize("arrays, told", [
    ({"pictures": np.zeros((3, 1, 28, 28))}, "no npz with `images`"),
    ({"images": np.zeros((3, 28, 28))}, r"wanted images \(N,1,28,28\).*got \(3, 28, 28\)"),
    ({"images": np.full((3, 1, 28, 28), 200.0)}, r"in \[0, 1\], got 200"),
    ({"images": np.zeros((3, 1, 28, 28)), "labels": np.zeros(2)}, "one label per image"),
    ({"images": np.array(["a"])}, "no npz"),
])
def test_an_npz_of_something_else_is_refused(tmp_path, arrays, told):
    """One sentence with got and wanted."""
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=told):
        sample.evaluate.read_npz(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"PK not really")
    with pytest.raises(ValueError, match="no npz"):
        sample.evaluate.read_npz(tmp_path / "x.npz")


def test_a_sweep_goes_on_where_it_was_stopped_and_is_drawn(place, monkeypatch, capsys):
    """Points already in the file are not measured again; the figures show all of them."""
    best = GuidanceFlags()
    every = [
        ("gamma", "every step", WalkFlags(steps=2), GuidanceFlags(gamma, 0.0))
        for gamma in (1.0, 3.0)
    ] + [("steps", "ddim", WalkFlags(steps=k, sampler="ddim"), best) for k in (2, 4)]
    words = ["--n", "20", "--device", "cpu", *JUDGE]
    monkeypatch.setattr(sample.sweep, "points", lambda: every[:3])
    sample.sweep.main(words)
    first = json.loads(Path("sweep.json").read_text())
    assert len(first["points"]) == 3 and first["n"] == 20
    capsys.readouterr()
    monkeypatch.setattr(sample.sweep, "points", lambda: every)
    sample.sweep.main(words)
    out = capsys.readouterr().out
    assert "ddim (eta 0), 4 steps" in out and "2 steps" not in out
    again = json.loads(Path("sweep.json").read_text())
    assert again["points"][:3] == first["points"] and len(again["points"]) == 4
    figures.run.run(["--only", "sweep", "--out", "drawn"])
    for name in ("sweep-gamma", "sweep-steps", "class-loss-per-timestep"):
        assert Image.open(f"drawn/{name}.png").width > 700


def test_the_sweeps_points_are_told_apart_by_their_settings():
    """No two are the same, whatever default is chosen; ints and floats are one number."""
    found = sample.sweep.points()
    assert {steps for _, _, how, _ in found for steps in [how.steps]} >= {5, 300}
    assert {g.gamma for *_, g in found} >= {0, 10}
    one, same = ({"steps": 20, "gamma": g, "clip": True} for g in (2, 2.0))
    assert sample.sweep.key(one) == sample.sweep.key(same)
