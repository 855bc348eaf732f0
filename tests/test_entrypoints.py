"""Every main, on tiny data, as a person would call it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import figures.run
import sample.uncond
import train.classifier
import train.denoiser
import train.uncond
from minidiff import checkpoint, runs
from tests.conftest import small
from train.run import run

ROOT = Path(__file__).parent.parent
TINY = ["--dataset", "strokes", "--width", "2", "--batch-size", "64", "--epochs", "2",
        "--early-epoch", "1", "--device", "cpu"]
SCRIPT = """
import os, time
from tests.conftest import small
small()
from minidiff.config import main
from train.run import run
from train.uncond import JOB

def slow(cfg, device):
    loss = JOB.loss(cfg, device)
    def loss_fn(*args):
        time.sleep(float(os.environ["SLOW"]))
        return loss(*args)
    return loss_fn

main(lambda: run(JOB._replace(loss=slow)))
"""


def weights(folder):
    return checkpoint.load(Path(folder) / runs.LAST)["weights"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def launch(folder, *words, slow=0.0):
    """Start a training in a process of its own, each step slowed down by so many seconds."""
    command = [sys.executable, "-c", SCRIPT, *words, "--run-dir", str(folder), "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SLOW": str(slow)}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
                            text=True)


def wait_for(condition, process):
    """Wait until the condition holds, as long as the process lives."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one finished run of each kind."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(place)
        run(train.uncond.JOB, [*TINY, "--T", "20"])
        run(train.denoiser.JOB, TINY)
        run(train.classifier.JOB, TINY)
    return place


def test_a_run_folder_holds_what_it_promises(trained):
    """Recipe with the set really used, log, loss, weights and pictures at both marks."""
    for kind, pictures in (("uncond", ("samples", "frames")), ("denoiser", ("denoised", "levels")),
                           ("classifier", ("mistakes-strokes",))):
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
    run(train.uncond.JOB, [*TINY, "--T", "20"])
    out = capsys.readouterr().out
    for told in ("recipe    laptop: 2 epochs of 3 steps", "expected ", "other     full: width 64",
                 "strokes, 130 pictures", "cpu (", "runs/uncond/001", "epoch 2: mean loss",
                 "samples-epoch-02.png"):
        assert told in out, told


def test_resuming_gives_the_bits_of_a_run_that_never_stopped(workplace):
    """Through the files: a run stopped in epoch 2 and resumed equals one that was not."""
    whole = run(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "whole"])

    drawn = []

    def stop_at_the_second(*args):
        drawn.append(args)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    job = train.uncond.JOB._replace(draw=stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(job, [*TINY, "--T", "20", "--run-dir", "cut"])
    assert checkpoint.load("cut/last.pt")["epoch"] == 1  # epoch 2 was not kept
    run(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    columns = ("step", "epoch", "loss", "lr")
    logs = [[[row[c] for c in columns] for row in runs.read_log(Path(f))] for f in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_killed_process_resumes_to_identical_weights(trained, tmp_path):
    """kill -9, SIGTERM, Ctrl-C in epoch 2, or kill -9 in epoch 1: --resume ends with the bits of
    a run that nobody touched. (All four side by side: each mostly sleeps.)"""
    cases = {"kill": (signal.SIGKILL, 1, -9), "term": (signal.SIGTERM, 1, 143),
             "ctrl-c": (signal.SIGINT, 1, 130), "early": (signal.SIGKILL, 0, -9)}
    running = {name: launch(tmp_path / name, *TINY, "--T", "20", slow=1.0) for name in cases}
    for name, (how, epoch, status) in cases.items():
        process, folder = running[name], tmp_path / name
        sign = folder / ("last.pt" if epoch else "metrics.csv")
        wait_for(sign.is_file, process)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status, (name, err)
        assert "Traceback" not in err and (how == signal.SIGKILL or "--resume" in err)
        kept = checkpoint.load(folder / "last.pt")["epoch"] if (folder / "last.pt").exists() else 0
        assert kept == epoch, name
    running = {name: launch(tmp_path / name, "--resume") for name in cases}
    for name, process in running.items():
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, (name, err)
        assert same(weights(trained / "runs" / "uncond" / "001"), weights(tmp_path / name)), name


def test_samples_are_written_in_all_three_forms(trained, monkeypatch):
    """PNG, GIF and npz: float32 (N,1,28,28) in [0, 1]; the same seed gives the same file."""
    monkeypatch.chdir(trained)
    words = ["--n", "7", "--steps", "5", "--seed", "3", "--device", "cpu", "--out", "a.png",
             "--gif", "a.gif", "--npz"]
    sample.uncond.run([*words, "a.npz"])
    sample.uncond.run([*words, "b.npz", "--checkpoint", "runs/uncond/001"])
    sample.uncond.run([*words, "c.npz", "--seed", "4"])
    a, b, c = (np.load(f"{name}.npz")["images"] for name in "abc")
    assert a.shape == (7, 1, 28, 28) and a.dtype == np.float32 and 0 <= a.min() <= a.max() <= 1
    assert (a == b).all() and (a != c).any()
    assert Image.open("a.png").width > 200 and Image.open("a.gif").n_frames == 6


@pytest.mark.parametrize("words", [["--sampler", "ddim"], ["--sampler", "ddim", "--eta", "0.5"],
                                   ["--variance", "beta_tilde"], ["--no-clip"]])
def test_every_way_of_sampling_runs_and_differs_from_the_default(trained, monkeypatch, words):
    """The flags reach the sampler."""
    monkeypatch.chdir(trained)
    common = ["--n", "2", "--steps", "4", "--device", "cpu", "--out", "d.png", "--npz"]
    sample.uncond.run([*common, "plain.npz"])
    sample.uncond.run([*common, "other.npz", *words])
    assert (np.load("plain.npz")["images"] != np.load("other.npz")["images"]).any()


def test_figures_are_drawn_from_the_runs_files(trained, monkeypatch, capsys):
    """Every figure of both sections, named on stdout."""
    monkeypatch.chdir(trained)
    figures.run.run([])
    drawn = {p.name for p in Path("figures/out").iterdir()}
    assert drawn == {
        "denoiser-noising.png", "denoiser-loss.png", "denoiser-denoised-epoch-01.png",
        "denoiser-denoised-epoch-02.png", "denoiser-levels-epoch-01.png",
        "denoiser-levels-epoch-02.png", "uncond-loss.png",
        "uncond-samples-epoch-01.png", "uncond-samples-epoch-02.png",
        "uncond-frames-epoch-01.png", "uncond-frames-epoch-02.png", "uncond.gif",
    }
    out = capsys.readouterr().out
    assert all(name in out for name in drawn)


def test_figures_say_what_is_missing_and_which_target_makes_it(workplace, capsys):
    """With no run at all: both targets, and a failure."""
    with pytest.raises(ValueError, match="nothing could be drawn"):
        figures.run.run([])
    err = capsys.readouterr().err
    assert "make train-denoiser" in err and "make train-uncond" in err


@pytest.mark.parametrize(
    "module, words, told",
    [
        ("train.uncond", ["--resume", "--run-dir", "nowhere"], "nowhere holds no run to resume"),
        ("train.uncond", ["--epochs", "0"], "epochs must be at least 1, got 0"),
        ("train.uncond", ["--dataset", "cifar"], "auto, mnist, fashion, strokes"),
        ("train.uncond", ["--precision", "float16"], "bfloat16"),
        ("train.denoiser", ["--width", "x"], "--width"),
        ("sample.uncond", [], "make train-uncond"),
        ("sample.uncond", ["--out", "a.jpg"], ".png"),
        ("sample.uncond", ["--checkpoint", "no.pt"], "there is no checkpoint"),
        ("figures", ["--only", "cats"], "denoiser uncond"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_failure(tmp_path, module, words, told):
    """On stderr, without a traceback, nothing left behind."""
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=tmp_path, text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert not any((tmp_path / "runs").rglob("*"))


def test_resume_refuses_another_recipe(trained, monkeypatch):
    """A changed knob would not be the same run; the same value is no change."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="own settings, but width = 3"):
        run(train.uncond.JOB, ["--resume", "--width", "3"])


def test_too_many_steps_are_refused_with_the_schedules_length(trained, monkeypatch):
    """The model of this run has T = 20."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match=r"1\.\.20"):
        sample.uncond.run(["--steps", "21", "--device", "cpu"])


def test_a_run_that_is_not_one_cannot_be_resumed(trained, monkeypatch):
    """Another kind of run, a damaged config: one sentence that names the file."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="run of 'denoiser', not of 'uncond'"):
        run(train.uncond.JOB, ["--resume", "--run-dir", "runs/denoiser/001"])
    Path("broken").mkdir(exist_ok=True)
    Path("broken/config.json").write_text("{")
    with pytest.raises(ValueError, match="broken/config.json cannot be resumed"):
        run(train.uncond.JOB, ["--resume", "--run-dir", "broken"])


def test_the_schedules_numbers_are_printed():
    """python -m minidiff.schedule: how much signal is left at T."""
    done = subprocess.run([sys.executable, "-m", "minidiff.schedule"], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0 and "alpha_bar_T = 4.81e-02" in done.stdout
