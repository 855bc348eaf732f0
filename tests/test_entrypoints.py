"""Every main, on tiny data, as a person would call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import figures.build
import sample.uncond
import train.class_cond
import train.classifier
import train.denoiser
import train.flow
import train.flow_uncond
import train.uncond
from minidiff.files import checkpoint, runs
from minidiff.models import zoo  # CHECK shipped
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, same, weights
from train.launch import launch

ROOT = Path(__file__).parent.parent


def test_a_run_folder_holds_what_it_promises(trained):
    """Recipe with the set really used, log, loss, weights and pictures at both marks."""
    for kind, pictures in (("uncond", ("samples", "frames")), ("class", ("samples", "frames")),
                           ("flow", ("samples", "frames")), ("flow-uncond", ("samples", "frames")),
                           ("denoiser", ("denoised", "levels")),
                           ("classifier", ("mistakes-strokes",)),
                           ("upsampler", ("upsampled",))):
        folder = trained / "runs" / kind / "001"
        about = json.loads((folder / "config.json").read_text())
        assert about["config"]["dataset"] == "strokes" and about["config"]["width"] == 2
        assert about["config"]["recipe"] == "laptop" and "cpu" in about["hardware"]
        assert [r["step"] for r in runs.read_log(folder)] == [3, 6]
        assert Image.open(folder / "loss.png").width > 300
        for mark in ("epoch-01", "epoch-02"):
            for name in pictures:
                assert Image.open(folder / f"{name}-{mark}.png").width > 200
            kept = checkpoint.load(folder / f"weights-{mark}.pt")
            assert kept["epoch"] == int(mark[-1]) and "training" not in kept
        assert same(kept["weights"], weights(folder))


def test_a_training_says_what_it_will_do_and_how_long(trained, workplace, capsys):
    """Recipe and its time, the other recipe, hardware, folder, each epoch's loss."""
    launch(train.uncond.JOB, [*TINY, "--T", "20"])
    out = capsys.readouterr().out
    for told in ("recipe    laptop: 2 epochs of 3 steps", "expected ", "other     full: width 64",
                 "strokes, 130 pictures", "cpu (", "runs/uncond/001", "epoch 2: mean loss",
                 "samples-epoch-02.png"):
        assert told in out, told


def test_samples_are_written_in_all_three_forms(trained, monkeypatch):
    """PNG, GIF and npz: float32 (N,1,28,28) in [0, 1]; the same seed gives the same file."""
    monkeypatch.chdir(trained)
    words = ["--n", "7", "--steps", "5", "--seed", "3", "--device", "cpu", "--out", "a.png",
             "--gif", "a.gif", "--npz"]
    sample.uncond.main([*words, "a.npz"])
    sample.uncond.main([*words, "b.npz", "--model", "runs/uncond/001"])
    sample.uncond.main([*words, "c.npz", "--seed", "4"])
    a, b, c = (np.load(f"{name}.npz")["images"] for name in "abc")
    assert a.shape == (7, 1, 28, 28) and a.dtype == np.float32 and 0 <= a.min() <= a.max() <= 1
    assert (a == b).all() and (a != c).any()
    assert Image.open("a.png").width > 200 and Image.open("a.gif").n_frames == 6


@pytest.mark.parametrize("words", [["--sampler", "ddim"], ["--sampler", "ddim", "--eta", "0.5"],
                                   ["--variance", "beta"], ["--clip", "none"]])
def test_every_way_of_sampling_runs_and_differs_from_the_default(trained, monkeypatch, words):
    """The flags reach the sampler."""
    monkeypatch.chdir(trained)
    common = ["--n", "2", "--steps", "4", "--device", "cpu", "--out", "d.png", "--npz"]
    sample.uncond.main([*common, "plain.npz"])
    sample.uncond.main([*common, "other.npz", *words])
    assert (np.load("plain.npz")["images"] != np.load("other.npz")["images"]).any()


def test_figures_are_drawn_from_the_runs_files(trained, monkeypatch, capsys):
    """Every figure of three sections, named on stdout; test_page.py has the others."""
    monkeypatch.chdir(trained)
    figures.build.run(["--only", "denoiser uncond class"])
    drawn = {p.name for p in Path("figures/out").glob("*.[pg][ni][gf]")}
    assert drawn == {
        "denoiser-noising.png", "denoiser-loss.png", "denoiser-denoised-epoch-01.png",
        "denoiser-denoised-epoch-02.png", "denoiser-levels-epoch-01.png",
        "denoiser-levels-epoch-02.png", "uncond-loss.png",
        "uncond-samples-epoch-01.png", "uncond-samples-epoch-02.png",
        "uncond-frames-epoch-01.png", "uncond-frames-epoch-02.png", "uncond.gif",
        "class-loss.png", "class-samples-epoch-01.png", "class-samples-epoch-02.png",
        "class-frames-epoch-01.png", "class-frames-epoch-02.png", "class.gif",
        "class-guidance.png",
    }
    out = capsys.readouterr().out
    assert all(name in out for name in drawn)


def test_figures_say_what_is_missing_and_which_target_makes_it(workplace, monkeypatch, capsys):
    """With no launch and nothing shipped: every target, and a failure."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace)
    with pytest.raises(ValueError, match="nothing could be drawn"):
        figures.build.run([])
    err = capsys.readouterr().err
    for target in ("train-denoiser", "train-uncond", "train-class"):
        assert f"make {target}" in err


@pytest.mark.parametrize(
    "module, words, told",
    [
        ("train.uncond", ["--resume", "--launch-dir", "nowhere"], "nowhere holds no launch to resume"),
        ("train.uncond", ["--epochs", "0"], "epochs must be at least 1, got 0"),
        ("train.uncond", ["--dataset", "cifar"], "auto, mnist, fashion, strokes"),
        ("train.uncond", ["--precision", "float16"], "bfloat16"),
        ("train.denoiser", ["--width", "x"], "--width"),
        ("train.class_cond", ["--p-uncond", "2"], "p-uncond must lie in 0..1, got 2.0"),
        ("sample.uncond", ["--out", "a.jpg"], ".png"),
        ("sample.uncond", ["--gamma", "3"], "--gamma"),
        ("sample.class_cond", ["--digits", "1x"], "got '1x'"),
        ("sample.class_cond", ["--guide-until", "-1"], "0..1, got -1.0"),
        ("sample.flow", ["--steps", "0"], "steps must be at least 1, got 0"),
        ("sample.toy", ["--out", "a.png"], ".gif"),
        ("sample.measure.compare", ["--n", "3"], "n must be at least 10, got 3"),
        ("sample.measure.evaluate", ["--out", "a.txt"], ".json"),
        ("sample.measure.evaluate", ["--model", "no.pt"], "there is no checkpoint"),
        ("sample.measure.sweep", ["--out", "no/where.json"], "folder"),
        ("train.benchmarks.bench", ["--runs", "0"], "runs must be at least 1, got 0"),
        ("train.benchmarks.bench", ["--peers"], "make bench PEERS=1 installs them"),
        ("train.benchmarks.speedrun", ["--out", "a.txt"], ".json"),
        ("minidiff.shipped", [], "name the runs"),
        ("minidiff.shipped", ["nowhere"], "no finished training"),
        ("sample.uncond", ["--model", "no.pt"], "there is no checkpoint"),
        ("figures", ["--only", "cats"], "denoiser uncond class sweep"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_failure(
    tmp_path, monkeypatch, command, module, words, told
):
    """On stderr, without a traceback, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    status, err = command(module, *words)
    assert status == 2 and told in err and "Traceback" not in err
    assert not any((tmp_path / "runs").rglob("*"))


def test_a_process_of_its_own_says_the_same(tmp_path):
    """One of them as a person would call it."""
    done = subprocess.run([sys.executable, "-m", "train.uncond", "--epochs", "0"], cwd=tmp_path,
                          text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert done.stderr == "minidiff: epochs must be at least 1, got 0\n"


def test_too_many_steps_are_refused_with_the_schedules_length(trained, monkeypatch):
    """The model of this launch has T = 20."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match=r"1\.\.20"):
        sample.uncond.main(["--steps", "21", "--device", "cpu"])


def test_the_schedules_numbers_are_printed():
    """python -m minidiff.schedule: how much signal is left at T."""
    done = subprocess.run([sys.executable, "-m", "minidiff.schedule"], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0 and "alpha_bar_T = 4.81e-02" in done.stdout


def test_the_network_is_trained_with_t_over_T():
    """What training feeds and what DigitModel feeds must be the same time, t/T in (0, 1]."""
    heard = []

    def network(x, t):
        heard.append(t)
        return x

    cfg = Recipe(T=20)
    loss = train.uncond.JOB.loss(cfg, torch.device("cpu"))
    loss(network, torch.zeros(500, 1, 28, 28), None, torch.Generator().manual_seed(0))
    assert torch.allclose(heard[0].unique(), torch.arange(1, 21) / 20)


def test_a_flows_losses_tell_t_itself_and_the_digit_now_and_then():
    """t is spread over 0 .. 1; of 4,000 pictures a share p_uncond hears no digit; and the loss of a
    network that returns nothing is E[x_1²] + 1, of a velocity and not of a noise."""
    heard = {}

    def network(x, t, c=None):
        heard.update(t=t, c=c)
        return torch.zeros_like(x)

    x_1, labels = torch.ones(4000, 1, 4, 4), torch.arange(4000) % 10
    for job in (train.flow.JOB, train.flow_uncond.JOB):
        loss = job.loss(Recipe(p_uncond=0.2), torch.device("cpu"))
        found = loss(network, x_1, labels, torch.Generator().manual_seed(0))
        assert found.item() == pytest.approx(2, rel=0.02)
        assert 0 <= heard["t"].min() < 0.001 and 0.999 < heard["t"].max() < 1
        if job is train.flow.JOB:
            told = heard["c"].sum(1) > 0
            assert abs((~told).float().mean() - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
            assert torch.equal(heard["c"][told].argmax(1), labels[told])
    assert heard["c"] is None and train.flow_uncond.JOB.network["scaled"]


def test_the_class_loss_hides_the_digit_now_and_then_and_tells_t_over_T():
    """Of 4,000 pictures a share p_uncond hears no digit, within 4 deviations; the others hear their
    own; time is t/T in (0, 1]."""
    heard = {}

    def network(x, t, c):
        heard.update(t=t, c=c)
        return x

    labels = torch.arange(4000) % 10
    loss = train.class_cond.JOB.loss(Recipe(T=20, p_uncond=0.2), torch.device("cpu"))
    loss(network, torch.zeros(4000, 1, 28, 28), labels, torch.Generator().manual_seed(0))
    told = heard["c"].sum(1) > 0
    assert abs((~told).float().mean() - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
    assert torch.equal(heard["c"][told].argmax(1), labels[told]) and heard["c"].max() == 1
    assert torch.allclose(heard["t"].unique(), torch.arange(1, 21) / 20)
