"""sample/measure: what does not fit is refused in one sentence, before any work, and no earlier
measurement is lost."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sample.measure.compare
import sample.measure.evaluate
import sample.measure.sweep
from minidiff.api import pipeline
from minidiff.files import checkpoint
from minidiff.theory.samplers import State
from sample.measure import enlargement
from tests.conftest import small

FEW = ["--device", "cpu"]
JUDGE = ["--judge", "runs/classifier/001", *FEW]
COMMANDS = {
    "evaluate": (sample.measure.evaluate.main, "evaluation.json"),
    "sweep": (sample.measure.sweep.main, "sweep.json"),
    "compare": (sample.measure.compare.main, "versus.json"),
}


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """An empty folder that sees a finished run of each kind, trained on strokes."""
    small(monkeypatch.setattr)
    (tmp_path / "runs").symlink_to(trained / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def idle(place, monkeypatch):
    """The same, where sampling is a failure."""
    def fail(*_, **__):
        raise AssertionError("samples were generated")

    for module in (pipeline, enlargement):
        monkeypatch.setattr(module, "generate", fail)
    return place


def another(kind, data):
    """Write the run of a kind as if it had been trained on `data`; return the file."""
    found = checkpoint.load(f"runs/{kind}/001/last.pt")
    found.pop("minidiff")
    checkpoint.save(f"{kind}-{data}.pt", {**found, "dataset": data})
    return f"{kind}-{data}.pt"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("command", COMMANDS)
def test_samples_that_are_not_finite_leave_no_file(place, monkeypatch, command, value):
    """One pixel of one sample is enough; infinity is not clipped away."""
    def generate(model, prompts, **_):
        x = torch.zeros(len(prompts), 1, 28, 28)
        x[3, 0, 9, 9] = value
        yield State(0, x, None)

    monkeypatch.setattr(pipeline, "generate", generate)
    main, out = COMMANDS[command]
    with pytest.raises(ValueError, match="the samples are not finite, so nothing is written"):
        main(["--n", "10", *JUDGE])
    assert not Path(out).exists()


@pytest.mark.parametrize("kind", ["denoiser", "upsampler"])
def test_a_measure_that_is_not_a_number_is_not_written(place, monkeypatch, kind):
    """Of models without samples, too."""
    monkeypatch.setitem(sample.measure.evaluate.ALONE, "denoiser", lambda *_: {"loss": np.nan})
    monkeypatch.setattr(enlargement, "measure", lambda *_: {"measures": {"psnr_ours": np.nan}})
    with pytest.raises(ValueError, match="not a number: (loss|psnr_ours); nothing is written"):
        sample.measure.evaluate.main(["--model", f"runs/{kind}/001", *FEW])
    assert not Path("evaluation.json").exists()


def test_an_upsampler_that_returns_nan_is_not_measured(place, monkeypatch):
    """Whether the network or its consistent form does."""
    monkeypatch.setattr(enlargement.upsampler, "upsample",
                        lambda model, low, **_: torch.full((len(low), 1, 56, 56), np.nan))
    with pytest.raises(ValueError, match="the samples are not finite"):
        sample.measure.evaluate.main(["--model", "runs/upsampler/001", "--n", "10", *JUDGE])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words, message", [
    (["--judge", "nowhere"], "there is no .*nowhere"),
    (["--judge", "runs/class/001"], "'class' model, but 'classifier' is needed"),
    (["--judge", "classifier-fashion.pt"], "judge was trained on fashion, the model on strokes; "
     'train one: make train-classifier ARGS="--dataset strokes", or name another: --judge'),
    (["--n", "9"], r"n must lie in 10\.\.100,000, got 9"),
    (["--n", "100001"], r"n must lie in 10\.\.100,000, got 100001"),
])
def test_a_wrong_judge_or_n_is_told_before_sampling(idle, command, words, message):
    """In all three commands."""
    another("classifier", "fashion")
    with pytest.raises(ValueError, match=message):
        COMMANDS[command][0]([*JUDGE, *words])


def test_a_model_of_other_things_than_the_judges_is_refused(idle):
    """Clothes, and photos."""
    for data, cure in (("fashion", 'ARGS="--dataset fashion"'), ("cifar10", "--judge")):
        message = f"trained on strokes, the model on {data}.*{cure}"
        for command, kind in (("evaluate", "uncond"), ("evaluate", "upsampler"), ("sweep", "class"),
                              ("compare", "class")):
            with pytest.raises(ValueError, match=message):
                COMMANDS[command][0](["--model", another(kind, data), *JUDGE])
    with pytest.raises(ValueError, match="trained on strokes, the model on fashion"):
        sample.measure.compare.main(["--flow", another("flow", "fashion"), *JUDGE])


def test_handwritten_and_drawn_digits_may_be_mixed_with_a_note(place, capsys):
    """A model of MNIST, judged by a judge of strokes."""
    model = another("uncond", "mnist")
    sample.measure.evaluate.main(["--model", model, "--steps", "2", "--n", "10", *JUDGE])
    assert "note: the judge was trained on strokes, the model on mnist" in capsys.readouterr().out


def test_a_judge_of_clothes_is_not_asked_to_read_strokes(place, monkeypatch):
    """Its own test set alone is measured."""
    loaded = []
    whole = sample.measure.evaluate.catalog.load
    monkeypatch.setattr(sample.measure.evaluate.catalog, "load",
                        lambda name, *rest: loaded.append(name) or whole("strokes", "test"))
    sample.measure.evaluate.main(["--model", another("classifier", "fashion"), *FEW])
    assert loaded == ["fashion"]


def test_the_first_stage_of_an_upsampler_must_fit_it(place, monkeypatch, capsys):
    """A first stage of clothes is left out, with a line that says so."""
    found = {**checkpoint.load("runs/class/001/last.pt"), "dataset": "fashion"}
    monkeypatch.setattr(enlargement.checkpoint, "load", lambda file: found)
    options = SimpleNamespace(steps=2, seed=0)
    assert enlargement._samples(10, "strokes", options, "cpu") == (None, None)
    assert "the upsampler was trained on strokes, the model on fashion" in capsys.readouterr().out


@pytest.mark.parametrize("model, words", [
    ("denoiser", ["--steps", "5"]), ("denoiser", ["--n", "20"]), ("denoiser", ["--judge", "x"]),
    ("classifier", ["--seed", "1"]), ("classifier", ["--score"]), ("upsampler", ["--gamma", "2"]),
    ("upsampler", ["--score"]), ("", ["--npz", "x.npz", "--steps", "5"]),
    ("uncond", ["--npz", "x.npz"]), ("", ["--npz", "x.npz", "--n", "20"]),
])
def test_options_that_have_no_effect_are_refused(idle, model, words):
    """With the name of the option, for every kind that is measured without sampling."""
    typed = ["--model", f"runs/{model}/001"] if model else []
    flag = "--model" if model == "uncond" else words[-1] if words[-1] == "--score" else words[-2]
    with pytest.raises(ValueError, match=f"no use for {flag}; leave it out"):
        sample.measure.evaluate.main([*typed, *words, *FEW])


@pytest.mark.parametrize("command", ["sweep", "compare"])
def test_a_damaged_file_is_told_before_any_work(idle, monkeypatch, command):
    """Before data are loaded, too."""
    monkeypatch.setattr(sample.measure.evaluate.catalog, "load", None)
    main, out = COMMANDS[command]
    for text in ("{", "[]", '{"n": 20}'):
        Path(out).write_text(text)
        with pytest.raises(ValueError, match=f"{out} is damaged"):
            main(JUDGE)
        assert Path(out).read_text() == text


def test_a_comparison_continues_and_keeps_what_has_other_settings(place, monkeypatch, capsys):
    """As a sweep does: known points are not measured again, and n = 20 does not replace n = 10."""
    def compared(n, steps):
        monkeypatch.setattr(sample.measure.compare, "STEPS", steps)
        capsys.readouterr()
        sample.measure.compare.main(["--n", str(n), *JUDGE])
        points = json.loads(Path("versus.json").read_text())["points"]
        return points, capsys.readouterr().out.count("steps, gamma")

    first, count = compared(10, (2,))
    assert count == len(first) == 6
    again, count = compared(10, (2, 3))
    assert count == 6 and len(again) == 12 and all(p in again for p in first)
    assert compared(20, (2,))[1] == 6
    assert json.loads(Path("versus-1.json").read_text())["points"] == again
