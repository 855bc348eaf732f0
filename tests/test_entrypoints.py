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
import train.denoiser
import train.uncond
from minidiff import checkpoint, runs
from train.run import run

ROOT = Path(__file__).parent.parent
TINY = ["--dataset", "strokes", "--width", "2", "--batch-size", "64", "--epochs", "2",
        "--early-epoch", "1", "--device", "cpu"]
SCRIPT = """
from minidiff import strokes
whole = strokes.dataset
strokes.dataset = lambda n, seed, size=28: whole(130, seed, size)
from minidiff.config import main
from train.run import run
from train.uncond import JOB
main(lambda: run(JOB))
"""


def weights(folder):
    return checkpoint.load(Path(folder) / runs.LAST)["weights"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def launch(folder, *words):
    """Start a training in a process of its own."""
    command = [sys.executable, "-c", SCRIPT, *TINY, "--T", "20", "--run-dir", str(folder), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                            text=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one finished run of each kind."""
    place = tmp_path_factory.mktemp("trained")
    before = os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        from minidiff import strokes

        whole = strokes.dataset
        patch.setattr(strokes, "dataset", lambda n, seed, size=28: whole(130, seed, size))
        os.chdir(place)
        run(train.uncond.JOB, [*TINY, "--T", "20"])
        run(train.denoiser.JOB, TINY)
        os.chdir(before)
    return place


def test_a_run_folder_holds_what_it_promises(trained):
    """Recipe with the set really used, log, loss, weights and pictures at both marks."""
    for kind, pictures in (("uncond", ("samples", "frames")), ("denoiser", ("denoised", "levels"))):
        folder = trained / "runs" / kind / "001"
        about = json.loads((folder / "config.json").read_text())
        assert about["dataset"] == "strokes" and about["width"] == 2 and "cpu" in about["hardware"]
        assert [r["step"] for r in runs.read_log(folder)] == [3, 6]
        assert Image.open(folder / "loss.png").width > 300
        for mark in ("epoch-01", "epoch-02"):
            for name in pictures:
                assert Image.open(folder / f"{name}-{mark}.png").width > 200
            kept = checkpoint.load(folder / f"weights-{mark}.pt")
            assert kept["epoch"] == int(mark[-1]) and "training" not in kept
        assert same(kept["weights"], weights(folder))


def test_resuming_gives_the_bits_of_a_run_that_never_stopped(workplace):
    """Through the files: a run stopped in epoch 1 and resumed equals one that was not."""
    whole = run(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "whole"])

    def stop(*args):
        raise KeyboardInterrupt

    job = train.uncond.JOB._replace(draw=stop)
    with pytest.raises(KeyboardInterrupt):
        run(job, [*TINY, "--T", "20", "--run-dir", "cut"])
    assert checkpoint.load("cut/last.pt")["epoch"] == 0  # interrupted before epoch 1 was kept
    run(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    columns = ("step", "epoch", "loss", "lr")
    logs = [[[row[c] for c in columns] for row in runs.read_log(Path(f))] for f in ("whole", "cut")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_resumes_to_identical_weights(trained, tmp_path, how):
    """kill -9, SIGTERM, Ctrl-C in the middle of epoch 2: --resume ends with the same bits."""
    process = launch(tmp_path / "run")
    while "epoch 1: mean loss" not in process.stdout.readline() + process.stderr.readline():
        assert process.poll() is None, process.stderr.read()
    deadline = time.monotonic() + 60
    while checkpoint.load(tmp_path / "run" / "last.pt")["epoch"] < 1:
        assert time.monotonic() < deadline
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    expected = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how]
    assert process.returncode in (expected, 0)  # 0: it was done before the signal came
    process = launch(tmp_path / "run", "--resume")
    assert process.wait(60) == 0, process.stderr.read()
    assert same(weights(trained / "runs" / "uncond" / "001"), weights(tmp_path / "run"))


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
        "denoiser-noising.png", "denoiser-loss.png", "denoiser-digits-epoch-01.png",
        "denoiser-digits-epoch-02.png", "denoiser-levels.png", "uncond-loss.png",
        "uncond-samples-epoch-01.png", "uncond-samples-epoch-02.png",
        "uncond-frames-epoch-01.png", "uncond-frames-epoch-02.png", "uncond.gif",
    }
    out = capsys.readouterr().out
    assert all(name in out for name in drawn)


def test_figures_say_what_is_missing_and_which_target_makes_it(workplace, capsys):
    """With no run at all: both targets, and a failure."""
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.run.run([])
    err = capsys.readouterr().err
    assert "make train-denoiser" in err and "make train-uncond" in err


@pytest.mark.parametrize(
    "module, words, told",
    [
        ("train.uncond", ["--resume", "--run-dir", "nowhere"], "nowhere"),
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
        sample.uncond.run(["--steps", "21"])
