"""Resuming: whatever stopped a training, it ends bit for bit like one that never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import train.class_cond
import train.uncond
from minidiff.data import catalog, dataset
from minidiff.files import checkpoint, runs
from minidiff.models import model
from tests.conftest import TINY, same, weights
from train.launch import launch

ROOT = Path(__file__).parents[2]
WAIT = 1800  # seconds until a process counts as hung, however slow the machine is
SCRIPT = """
import os, sys, time
from pathlib import Path
from tests.conftest import small
small()
import train.launch
from minidiff.system.cli import program
from train.uncond import JOB

fit, stop, sign = train.launch.fit, int(os.environ["STOP"]), Path(os.environ["SIGN"])

def hanging(training, data):
    update = training.update
    def _update(*args):
        while training.step == stop:  # until a signal comes
            sign.touch()
            time.sleep(0.1)
        return update(*args)
    training.update = _update
    return fit(training, data)

train.launch.fit = hanging
with program():
    train.launch.launch(JOB)
"""


def start(folder, *words, stop=-1):
    """Start a training in a process of its own; after `stop` steps it hangs until a signal comes,
    and writes a file to say so."""
    command = [sys.executable, "-c", SCRIPT, *words, "--run-dir", str(folder), "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "STOP": str(stop), "SIGN": f"{folder}.sign"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
                            text=True)


def wait_for(file, process):
    """Wait until a file exists, as long as the process is alive."""
    deadline = time.monotonic() + WAIT
    while not file.is_file():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)


def cut(folder, job=train.uncond.JOB):
    """Run a training that is interrupted in epoch 2, after epoch 1 was saved."""
    drawn = []

    def stop_at_the_second(*args):
        drawn.append(args)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(job._replace(draw=stop_at_the_second), [*TINY, "--T", "20", "--run-dir", folder])
    assert checkpoint.load(f"{folder}/last.pt")["epoch"] == 1


def test_resuming_gives_the_bits_of_a_run_that_never_stopped(workplace):
    """Through the files: a run stopped in epoch 2 and resumed equals one that was not."""
    whole = launch(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "whole"])
    cut("cut")
    launch(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    columns = ("step", "epoch", "loss", "lr")
    logs = [[[row[c] for c in columns] for row in runs.read_log(Path(f))] for f in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_resuming_is_exact_where_an_endless_set_changes(workplace, monkeypatch):
    """Each epoch has images of its own. Stopped at the change and resumed, a run ends with the bits
    of one that never stopped; with the first images again it would not."""
    read = catalog.load

    def endless(*args):
        found = read(*args)
        return replace(found, renewed=lambda k: replace(found, images=found.images.roll(k, 3)))

    monkeypatch.setattr(dataset, "RENEW", 1)
    same_again = launch(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "unchanged"])
    monkeypatch.setattr(catalog, "load", endless)
    whole = launch(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "whole"])
    cut("cut")
    launch(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    assert not same(weights(whole), weights(same_again))


def test_a_killed_process_resumes_to_identical_weights(trained, tmp_path):
    """kill -9, SIGTERM or Ctrl-C in epoch 2, or kill -9 in epoch 1: --resume ends bit for bit
    like a run that never stopped. (Each process hangs in its epoch until the signal comes.)"""
    cases = {"early": (signal.SIGKILL, 0, -9), "kill": (signal.SIGKILL, 1, -9),
             "term": (signal.SIGTERM, 1, 143), "ctrl-c": (signal.SIGINT, 1, 130)}
    running = {name: start(tmp_path / name, *TINY, "--T", "20", stop=3 * epoch + 1)
               for name, (_, epoch, _) in cases.items()}  # three steps an epoch
    for name, (how, _, _) in cases.items():
        wait_for(tmp_path / f"{name}.sign", running[name])
        running[name].send_signal(how)
    for name, (how, epoch, status) in cases.items():
        process, folder = running[name], tmp_path / name
        _, err = process.communicate(timeout=WAIT)
        assert process.returncode == status, (name, err)
        assert "Traceback" not in err and (how == signal.SIGKILL or "--resume" in err)
        kept = checkpoint.load(folder / "last.pt")["epoch"] if (folder / "last.pt").exists() else 0
        assert kept == epoch, name
    running = {name: start(tmp_path / name, "--resume") for name in cases}
    for name, process in running.items():
        _, err = process.communicate(timeout=WAIT)
        assert process.returncode == 0, (name, err)
        assert same(weights(trained / "runs" / "uncond" / "001"), weights(tmp_path / name)), name


def test_resume_refuses_another_recipe(trained, monkeypatch):
    """With another value it would be another run; the same value is no change."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="own settings, but width = 3"):
        launch(train.uncond.JOB, ["--resume", "--width", "3"])


def test_a_run_that_is_not_one_cannot_be_resumed(trained, monkeypatch):
    """Another kind of run, a damaged config: one sentence that names the file."""
    monkeypatch.chdir(trained)
    with pytest.raises(ValueError, match="run of 'denoiser', not of 'uncond'"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "runs/denoiser/001"])
    Path("broken").mkdir(exist_ok=True)
    Path("broken/config.json").write_text("{")
    with pytest.raises(ValueError, match="broken/config.json is damaged: .*; restore the file"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "broken"])


def test_a_new_field_of_the_recipe_leaves_old_runs_resumable(workplace):
    """A run whose config.json and last.pt lack a field of Recipe resumes with the field's default
    and ends bit for bit like a run that never stopped."""
    whole = launch(train.uncond.JOB, [*TINY, "--T", "20", "--run-dir", "whole"])
    cut("cut")
    edit("cut", lambda config: config.pop("sigma"))
    launch(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    assert same(weights(whole), weights("cut"))
    assert checkpoint.load("cut/last.pt")["config"]["sigma"] == 0.5


def test_an_unknown_field_of_the_recipe_is_refused(workplace):
    """A run of another version, whose recipe has a field unknown here, is not resumed
    without that field: one sentence names file and field."""
    cut("cut")
    edit("cut", lambda config: config.update(dropout=0.1), runs.LAST)
    with pytest.raises(ValueError, match="^cut/last.pt: unknown in the recipe: dropout"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "cut"])
    edit("cut", lambda config: config.update(dropout=0.1), runs.CONFIG)
    with pytest.raises(ValueError, match="^cut/config.json cannot be resumed: .*recipe: dropout"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "cut"])


def edit(folder, change, *files):
    """Change the recipe in a run's files, by default both."""
    for file in files or (runs.LAST, runs.CONFIG):
        path = Path(folder) / file
        content = checkpoint.load(path) if file == runs.LAST else json.loads(path.read_text())
        change(content["config"])
        checkpoint.save(path, content) if file == runs.LAST else runs.write_json(path, content)


def test_resuming_keeps_the_schedule_of_the_checkpoint(workplace, monkeypatch):
    """The schedule of new models may change between two epochs of a run: it goes on with its own
    and ends bit for bit like a run that never stopped. --schedule gives a new run another."""
    job = train.class_cond.JOB
    whole = launch(job, [*TINY, "--T", "20", "--run-dir", "whole"])
    cut("cut", job)
    monkeypatch.setattr(model, "SCHEDULE", "cosine")
    launch(job, ["--resume", "--run-dir", "cut"])
    assert checkpoint.load("cut/last.pt")["model"]["schedule"] == "linear"
    assert same(weights(whole), weights("cut"))
    words = ["--T", "20", "--schedule", "cosine", "--run-dir", "new"]
    new = launch(job, [*TINY, *words])
    assert checkpoint.load(new / "last.pt")["model"]["schedule"] == "cosine"
    assert not same(weights(whole), weights(new))
