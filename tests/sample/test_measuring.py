"""sample.class_cond, sample.measure.evaluate and .sweep, and the sweep's figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import figures.build
import sample.class_cond
import sample.measure.evaluate
import sample.measure.sweep
from minidiff.data import strokes
from minidiff.evaluation import points
from minidiff.files import runs
from minidiff.models.options import SampleOptions
from minidiff.models.zoo import WEIGHTS
from tests.conftest import small

FEW = ["--steps", "3", "--device", "cpu"]
JUDGE = ["--judge", "runs/classifier/001"]


@pytest.fixture
def place(trained, monkeypatch):
    """The folder with a finished run of each kind, trained on strokes, as current folder."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(trained)
    return trained


def measured(words, judge=JUDGE):
    sample.measure.evaluate.main([*words, *judge, "--device", "cpu"])
    return json.loads(Path("evaluation.json").read_text())


def test_digits_are_labelled_and_have_a_column_each(place):
    """PNG, GIF, and an npz whose labels are the prompts."""
    sample.class_cond.main(["--digits", "370", "--per-digit", "2", *FEW, "--seed", "1",
                            "--out", "k.png", "--gif", "k.gif", "--npz", "k.npz"])
    found = np.load("k.npz")
    assert found["labels"].tolist() == [3, 7, 0, 3, 7, 0] and found["labels"].dtype == np.int64
    assert found["images"].shape == (6, 1, 28, 28) and found["images"].dtype == np.float32
    assert 0 <= found["images"].min() <= found["images"].max() <= 1
    assert Image.open("k.png").height > 100 and Image.open("k.gif").n_frames == 4


def test_guidance_changes_the_image(place):
    """With gamma 0 all digits are the same image; with 1 and 3 they are not, and differ."""
    made = {}
    for digit in "17":
        for gamma in ("0", "1", "3"):
            sample.class_cond.main(["--digits", digit, "--per-digit", "1", *FEW, "--gamma", gamma,
                                    "--npz", "g.npz"])
            made[digit, gamma] = np.load("g.npz")["images"]
    assert np.array_equal(made["1", "0"], made["7", "0"])
    assert not np.array_equal(made["1", "1"], made["7", "1"])
    assert not np.array_equal(made["1", "3"], made["7", "3"])
    assert not np.array_equal(made["1", "1"], made["1", "3"])


def test_a_gif_and_an_npz_need_no_name(place):
    """--gif and --npz alone write way.gif and samples.npz."""
    sample.class_cond.main(["--per-digit", "1", *FEW, "--gif", "--npz"])
    assert Image.open("way.gif").n_frames == 4 and len(np.load("samples.npz")["labels"]) == 10


def test_evaluating_a_model_and_its_npz_gives_the_same_numbers(place):
    """Whether the images are generated on the spot or read from the file that sampling wrote."""
    own = measured([*FEW[:2], "--n", "20"])
    assert own["kind"] == "class" and own["n"] == 20
    assert own["seed"] == 0 and own["steps"] == 3 and own["gamma"] == SampleOptions().gamma
    assert own["sampler"] == "ddpm" and own["model"] == "" and own["summary"].startswith("class")
    assert "cpu" in own["hardware"] and "strokes" in own["judge"]
    assert set(own["measures"]) == {"n", "accuracy", "confident", "distance", "floor", "ratio",
                                    "copying"}
    sample.class_cond.main(["--per-digit", "2", *FEW, "--npz", "two.npz"])
    again = measured(["--npz", "two.npz"])
    assert again["measures"] == pytest.approx(own["measures"], rel=1e-3)


@pytest.mark.parametrize("kind, names", [
    ("uncond", {"n", "confident", "distance", "floor", "ratio", "copying"}),
    ("denoiser", {"n", "loss"}), ("classifier", {"strokes"}),
])
def test_every_kind_is_measured_by_what_it_is_for(place, kind, names):
    """Samples without labels have no accuracy; a denoiser has its loss, a judge its accuracy."""
    samples = [*FEW[:2], "--n", "20", *JUDGE] if kind == "uncond" else []
    found = measured(["--model", f"runs/{kind}/001", *samples], judge=[])
    assert found["kind"] == kind and set(found["measures"]) == names
    assert all(np.isfinite(v) for v in found["measures"].values())


def test_the_score_trains_on_samples_alone(place, monkeypatch):
    """Two accuracies: after training on samples, and on as many real digits."""
    monkeypatch.setattr(sample.measure.evaluate, "SCORE_N", 1000)
    monkeypatch.setitem(sample.measure.evaluate.RECIPES["classifier"], "laptop",
                        {"width": 2, "epochs": 1, "early_epoch": 1, "batch_size": 20})
    found = measured([*FEW[:2], "--n", "20", "--score"])["measures"]
    assert 0 <= found["score"] <= 1 and 0 <= found["score_real"] <= 1
    assert found["n"] == 20 and found["score_n"] == 1000
    with pytest.raises(ValueError, match="needs labels"):
        measured(["--model", "runs/uncond/001", "--score"])
    np.savez("few.npz", images=np.zeros((3, 1, 28, 28)), labels=np.zeros(3, int))
    with pytest.raises(ValueError, match="1,000 images; there are 3"):
        measured(["--npz", "few.npz", "--score"])


def test_a_sweep_continues_where_it_was_stopped_and_is_drawn(place, monkeypatch, capsys):
    """Points that are in the file are not measured again; with another n all of them are; the
    figures show every group."""
    everywhere = SampleOptions(steps=2, guide_until=0.0, device="cpu")
    every = [
        ("gamma", "at every step", everywhere),
        ("clip", "clipped", everywhere),
        ("steps", "ddim", SampleOptions(steps=2, sampler="ddim", device="cpu")),
        ("steps", "ddim", SampleOptions(steps=4, sampler="ddim", device="cpu")),
    ]

    def swept(n, count):
        capsys.readouterr()
        monkeypatch.setattr(sample.measure.sweep, "points", lambda T, best: every[:count])
        sample.measure.sweep.main(["--n", str(n), "--device", "cpu", *JUDGE])
        found = json.loads(Path("sweep.json").read_text())
        assert {p["n"] for p in found["points"]} == {n} == {found["n"]}
        return found["points"], capsys.readouterr().out.count("steps, gamma")

    first, measurements = swept(20, 3)
    assert measurements == 2 and [p["group"] for p in first] == ["gamma", "clip", "steps"]
    again, measurements = swept(20, 4)
    assert measurements == 1 and again[:3] == first
    assert swept(10, 4)[1] == 3 and runs.read_json(Path("sweep-1.json"))["points"] == again
    assert swept(20, 4)[1] == 3 and runs.read_json(Path("sweep-2.json"))["n"] == 10
    figures.build.run(["--only", "sweep", "--out", "drawn"])
    for name in ("sweep-gamma", "sweep-clip", "sweep-steps"):
        assert Image.open(f"drawn/{name}.png").width > 700


def test_an_upsampler_is_measured_against_interpolation(place, monkeypatch):
    """Each method's error, similarity and sharpness. This network is untrained, so interpolation
    wins, and bicubic is sharper than bilinear."""
    whole = strokes.dataset
    monkeypatch.setattr(strokes, "dataset", lambda *args: [x[:20] for x in whole(*args)])
    about = measured(["--model", "runs/upsampler/001", "--steps", "30", "--seed", "4"])
    found = about["measures"]
    assert about["kind"] == "upsampler" and about["n"] == 20
    assert about["steps"] == 20 and about["seed"] == 4 and about["level"] == 0.1  # 20: its T
    assert "runs/classifier" in about["judge"] and "runs/class/001" in about["first_stage"]
    assert found["psnr_bicubic"] > found["psnr_bilinear"] > found["psnr_free"]
    assert found["perceptual_bicubic"] < found["perceptual_free"]
    assert 0.5 < found["sharpness_bilinear"] < found["sharpness_bicubic"] < 1
    assert found["psnr_bicubic"] < found["psnr_bicubic_held"] < found["psnr_contrast_held"]
    for kind in ("strokes", "samples"):
        assert found[f"consistency_free_{kind}"] < found[f"consistency_ours_{kind}"]
        assert 0 <= found[f"agreement_ours_{kind}"] <= 1


def test_a_sweep_refuses_what_it_cannot_measure(place):
    """Another kind, too few samples, a damaged file: one sentence each."""
    with pytest.raises(ValueError, match="holds a 'uncond' model, but 'class' is needed"):
        sample.measure.sweep.main(["--model", "runs/uncond/001"])
    with pytest.raises(ValueError, match="10..100,000, got -5"):
        sample.measure.sweep.main(["--n", "-5"])
    for text in ("{", "[]"):
        Path("bad.json").write_text(text)
        with pytest.raises(ValueError, match="bad.json is damaged"):
            sample.measure.sweep.main(["--out", "bad.json", "--device", "cpu", *JUDGE])


def test_the_sweeps_points_cover_what_they_promise():
    """Both variances and DDIM from 5 to 300 steps, gamma from 0 to 10, with and without clipping; a
    short schedule shortens them."""
    found = sample.measure.sweep.points(300, SampleOptions())
    for curve in ("ddpm, beta_tilde", "ddpm, beta", "ddim"):
        assert [o.steps for _, c, o in found if c == curve] == [5, 10, 20, 50, 100, 300]
    assert [o.gamma for _, c, o in found if c == "at every step"] == [0, 1, 1.5, 2, 3, 5, 7, 10]
    early = [o for _, c, o in found if c == "until t/T = 0.3"]
    assert [o.gamma for o in early] == [1.5, 2, 3, 5, 7, 10]
    assert {o.guide_until for o in early} == {0.3}
    assert {o.clip for group, _, o in found if group == "clip"} == {"range", "none"}
    short = sample.measure.sweep.points(8, SampleOptions())
    assert max(o.steps for *_, o in short) == 8


def test_the_shipped_points_are_recognised_by_the_sweep():
    """A point of an older file, with other fields, has the same key as the setting."""
    point = runs.read_json(WEIGHTS / "sweep.json")["points"][0]
    (_, _, options), *_ = sample.measure.sweep.points(300, SampleOptions(**{
        name: point[name] for name in ("gamma", "guide_until")}))
    names = sample.measure.sweep.NAMES
    assert points.key(point, names) == points.key(vars(options), names)
