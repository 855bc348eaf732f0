"""Resuming: whatever stopped a training, it ends with the bits of one that nobody touched."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import train.uncond
from minidiff.files import checkpoint, runs
from minidiff.system.cli import program
from tests.conftest import TINY, same, weights
from train.launch import launch

ROOT = Path(__file__).parent.parent
SCRIPT = """
import os, time
from tests.conftest import small
small()
from train.launch import launch
from train.uncond import JOB

def slow(cfg, device):
    loss = JOB.loss(cfg, device)
    def loss_fn(*args):
        time.sleep(float(os.environ["SLOW"]))
        return loss(*args)
    return loss_fn

program(lambda: launch(JOB._replace(loss=slow)))
"""


def launch(folder, *words, slow=0.0):
    """Start a training in a process of its own, each step slowed down by so many seconds."""
    command = [sys.executable, "-c", SCRIPT, *words, "--launch-dir", str(folder), "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SLOW": str(slow)}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
                            text=True)


def wait_for(condition, process):
    """Wait until the condition holds, as long as the process lives."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)


def test_resuming_gives_the_bits_of_a_run_that_never_stopped(workplace):
    """Through the files: a launch stopped in epoch 2 and resumed equals one that was not."""
    whole = launch(train.uncond.JOB, [*TINY, "--T", "20", "--launch-dir", "whole"])

    drawn = []

    def stop_at_the_second(*args):
        drawn.append(args)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    job = train.uncond.JOB._replace(draw=stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        launch(job, [*TINY, "--T", "20", "--launch-dir", "cut"])
    assert checkpoint.load("cut/last.pt")["epoch"] == 1  # epoch 2 was not kept
    launch(train.uncond.JOB, ["--resume", "--launch-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    columns = ("step", "epoch", "loss", "lr")
    logs = [[[row[c] for c in columns] for row in runs.read_log(Path(f))] for f in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_killed_process_resumes_to_identical_weights(trained, tmp_path):
    """kill -9, SIGTERM, Ctrl-C in epoch 2, or kill -9 in epoch 1: --resume ends with the bits of
    a launch that nobody touched. (All four side by side: each mostly sleeps.)"""
    cases = {"early": (signal.SIGKILL, 0, -9), "kill": (signal.SIGKILL, 1, -9),
             "term": (signal.SIGTERM, 1, 143), "ctrl-c": (signal.SIGINT, 1, 130)}
    running = {name: launch(tmp_path / name, *TINY, "--T", "20", slow=1.0) for name in cases}
    for name, (how, epoch, _) in cases.items():
        sign = tmp_path / name / ("last.pt" if epoch else "metrics.csv")
        wait_for(sign.is_file, running[name])
        running[name].send_signal(how)
    for name, (how, epoch, status) in cases.items():
        process, folder = running[name], tmp_path / name
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


def test_resume_refuses_another_recipe(trained, monkeypatch):
    """A changed knob would not be the same launch; the same value is no change."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="own settings, but width = 3"):
        launch(train.uncond.JOB, ["--resume", "--width", "3"])


def test_a_run_that_is_not_one_cannot_be_resumed(trained, monkeypatch):
    """Another kind of launch, a damaged config: one sentence that names the file."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="launch of 'denoiser', not of 'uncond'"):
        launch(train.uncond.JOB, ["--resume", "--launch-dir", "runs/denoiser/001"])
    Path("broken").mkdir(exist_ok=True)
    Path("broken/config.json").write_text("{")
    with pytest.raises(ValueError, match="broken/config.json cannot be resumed"):
        launch(train.uncond.JOB, ["--resume", "--launch-dir", "broken"])


