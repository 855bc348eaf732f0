"""Every main, on tiny data, called as a user calls it."""

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
from minidiff.models import zoo
from minidiff.models.flow_model import FlowModel
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, same, weights
from train.launch import launch

ROOT = Path(__file__).parent.parent


def test_a_run_folder_holds_what_it_promises(trained):
    """The recipe with the set that was used, log, loss, weights and figures of both snapshots."""
    for kind, drawn in (("uncond", ("samples", "frames")), ("class", ("samples", "frames")),
                           ("flow", ("samples", "frames")), ("flow-uncond", ("samples", "frames")),
                           ("denoiser", ("denoised", "levels")),
                           ("classifier", ("mistakes-strokes-test",)),
                           ("upsampler", ("upsampled",))):
        folder = trained / "runs" / kind / "001"
        about = json.loads((folder / "config.json").read_text())
        assert about["config"]["dataset"] == "strokes" and about["config"]["width"] == 2
        assert about["config"]["recipe"] == "laptop" and "cpu" in about["hardware"]
        assert [r["step"] for r in runs.read_log(folder)] == [3, 6]
        assert Image.open(folder / "loss.png").width > 300
        for epoch in ("epoch-01", "epoch-02"):
            for name in drawn:
                assert Image.open(folder / f"{name}-{epoch}.png").width > 200
            kept = checkpoint.load(folder / f"weights-{epoch}.pt")
            assert kept["epoch"] == int(epoch[-1]) and "training" not in kept
        assert same(kept["weights"], weights(folder))


def test_a_training_prints_what_it_will_do_and_how_long_it_takes(trained, workplace, capsys):
    """The recipe and its time, the other recipe, hardware, folder, each epoch's loss."""
    launch(train.uncond.JOB, [*TINY, "--T", "20"])
    out = capsys.readouterr().out
    for line in ("recipe    laptop: 2 epochs of 3 steps", "expected ", "other     full: width 64",
                 "strokes, 130 images", "cpu (", "runs/uncond/001", "epoch 2: mean loss",
                 "samples-epoch-02.png"):
        assert line in out, line


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
def test_every_sampler_runs_and_differs_from_the_default(trained, monkeypatch, words):
    """The flags reach the sampler."""
    monkeypatch.chdir(trained)
    common = ["--n", "2", "--steps", "4", "--device", "cpu", "--out", "d.png", "--npz"]
    sample.uncond.main([*common, "default.npz"])
    sample.uncond.main([*common, "other.npz", *words])
    assert (np.load("default.npz")["images"] != np.load("other.npz")["images"]).any()


def test_figures_are_drawn_from_the_files_of_runs(trained, monkeypatch, capsys):
    """Every figure of three sections is named on stdout; test_page.py has the others."""
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


def test_the_page_names_what_is_missing_and_which_target_makes_it(workplace, monkeypatch, capsys):
    """With no run and nothing shipped: every target is named, and it fails."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace)
    with pytest.raises(ValueError, match="could not draw any of"):
        figures.build.run([])
    err = capsys.readouterr().err
    for target in ("train-denoiser", "train-uncond", "train-class"):
        assert f"make {target}" in err


@pytest.mark.parametrize(
    "module, words, message",
    [
        ("train.uncond", ["--resume", "--run-dir", "nowhere"], "nowhere holds no run to resume"),
        ("train.uncond", ["--epochs", "0"], "epochs must lie in 1..10,000, got 0"),
        ("train.uncond", ["--dataset", "cifar"], "auto, mnist, fashion, strokes"),
        ("train.uncond", ["--precision", "float16"], "bfloat16"),
        ("train.denoiser", ["--width", "x"], "--width"),
        ("train.class_cond", ["--p-uncond", "2"], "p-uncond must lie in 0..1, got 2.0"),
        ("sample.uncond", ["--out", "a.jpg"], ".png"),
        ("sample.uncond", ["--gamma", "3"], "no use for --gamma"),
        ("sample.flow", ["--eta", "1"], "no use for --eta"),
        ("sample.class_cond", ["--digits", "1x"], "got '1x'"),
        ("sample.class_cond", ["--guide-until", "-1"], "0..1, got -1.0"),
        ("sample.flow", ["--steps", "0"], "steps must lie in 1..10,000, got 0"),
        ("sample.toy", ["--out", "a.png"], ".gif"),
        ("sample.measure.compare", ["--n", "3"], "n must lie in 10.."),
        ("sample.measure.evaluate", ["--out", "a.txt"], ".json"),
        ("sample.measure.evaluate", ["--model", "no.pt"], "there is no checkpoint"),
        ("sample.measure.evaluate", ["--model-dir", "x", "--n", "10"], "no effect without --model"),
        ("sample.measure.sweep", ["--out", "no/where.json"], "folder"),
        ("train.benchmarks.bench", ["--runs", "0"], "runs must lie in 1..10,000, got 0"),
        ("train.benchmarks.bench", ["--peers"], "make bench PEERS=1 installs"),
        ("train.benchmarks.speedrun", ["--out", "a.txt"], ".json"),
        ("train.ship", [], "name the runs"),
        ("train.ship", ["nowhere"], "no finished training"),
        ("sample.uncond", ["--model", "no.pt"], "there is no checkpoint"),
        ("figures", ["--only", "cats"], "denoiser uncond class sweep"),
    ],
)
def test_a_user_error_is_one_sentence_and_a_failure(
    tmp_path, monkeypatch, command, module, words, message
):
    """On stderr, exit status 2, without a traceback, and no file is written."""
    monkeypatch.chdir(tmp_path)
    status, err = command(module, *words)
    assert status == 2 and message in err and "Traceback" not in err
    assert not any((tmp_path / "runs").rglob("*"))


def test_a_process_of_its_own_prints_the_same(tmp_path):
    """One of these errors in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "train.uncond", "--epochs", "0"], cwd=tmp_path,
                          text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert done.stderr == "minidiff: epochs must lie in 1..10,000, got 0\n"


def test_too_many_steps_are_refused_with_the_length_of_the_schedule(trained, monkeypatch):
    """The model of this run has T = 20."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match=r"1\.\.20"):
        sample.uncond.main(["--steps", "21", "--device", "cpu"])


class Recorder(UNet):
    """A UNet that records its inputs and returns zeros, or its input."""

    def __init__(self, classes=0, zeros=False):
        super().__init__(2, time=True, classes=classes)
        self.zeros = zeros

    def forward(self, x, t, c=None):
        self.t, self.c = t, c
        return torch.zeros_like(x) if self.zeros else x


def loss_of(job, model, x, **recipe):
    """Return the loss of a training of images x, labels 0 .. 9 in turn."""
    labels, generator = torch.arange(len(x)) % 10, torch.Generator().manual_seed(0)
    return job.loss(model, x, labels, generator, Recipe(**recipe)), labels


def test_the_network_is_trained_with_t_over_T():
    """In training, too, its time is t/T in (0, 1]."""
    model = NoiseModel(Recorder(), 20)
    loss_of(train.uncond.JOB, model, torch.zeros(500, 1, 28, 28))
    assert torch.allclose(model.network.t.unique(), torch.arange(1, 21) / 20)


@pytest.mark.parametrize("job", [train.flow.JOB, train.flow_uncond.JOB], ids=lambda job: job.name)
def test_a_flow_is_trained_with_t_itself_and_a_digit_that_is_sometimes_hidden(job, tiny):
    """t is uniform in 0 .. 1; of 4,000 images a share p_uncond has its digit hidden; the loss of a
    network that returns 0 is E[x_1²] + 1, that of a velocity, not of a noise."""
    classes = job.network(tiny).get("classes", 0)
    model = FlowModel(Recorder(classes, zeros=True))
    loss, labels = loss_of(job, model, torch.ones(4000, 1, 4, 4), p_uncond=0.2)
    t, c = model.network.t, model.network.c
    assert loss.item() == pytest.approx(2, rel=0.02)
    assert 0 <= t.min() < 0.001 and 0.999 < t.max() < 1
    if classes:
        seen = c.sum(1) > 0
        assert abs((~seen).float().mean() - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
        assert torch.equal(c[seen].argmax(1), labels[seen])
    else:
        assert c is None and job.network(tiny)["scaled"]


def test_the_class_model_is_trained_with_t_over_T_and_a_digit_that_is_sometimes_hidden():
    """Of 4,000 images a share p_uncond has its digit hidden, within 4 deviations; the others have
    their own; time is t/T in (0, 1]."""
    model = NoiseModel(Recorder(10), 20)
    _, labels = loss_of(train.class_cond.JOB, model, torch.zeros(4000, 1, 28, 28), p_uncond=0.2)
    c = model.network.c
    seen = c.sum(1) > 0
    assert abs((~seen).float().mean() - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
    assert torch.equal(c[seen].argmax(1), labels[seen]) and c.max() == 1
    assert torch.allclose(model.network.t.unique(), torch.arange(1, 21) / 20)
