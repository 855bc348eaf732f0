"""train/launch.py and record.py: what happens around a training does not cost its results."""

import errno
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import train.uncond
from minidiff.files import checkpoint, runs
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.training import parallel
from minidiff.training.loop import Diverged, Training
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, same, weights
from tests.train.test_resume import ROOT, SCRIPT, WAIT, cut, start, wait_for
from train.launch import launch

TWO = [*TINY, "--T", "20", "--run-dir", "run"]  # two epochs of three steps
REFERENCE = Path("runs/uncond/001")  # in the folder `trained`: the same recipe, undisturbed


def test_of_several_trainings_started_at_once_in_one_folder_one_goes_on(tmp_path):
    """The others end with a sentence; the one is not disturbed."""
    running = [start(tmp_path / "run", *TINY, "--T", "20") for _ in range(3)]
    ends = [(p.communicate(timeout=WAIT)[1], p.returncode) for p in running]
    assert sorted(status for _, status in ends) == [0, 2, 2], ends
    assert all("another training" in err or "not empty" in err for err, status in ends if status)
    assert checkpoint.load(tmp_path / "run" / "last.pt")["epoch"] == 2


def test_a_running_training_cannot_be_resumed_but_a_dead_one_can(workplace, trained):
    """Its lock dies with it."""
    first = start(workplace / "run", *TINY, "--T", "20", stop=4)
    wait_for(workplace / "run.sign", first)
    for words in (["--resume", "--run-dir", "run"], TWO):
        with pytest.raises(ValueError, match="another training is running|not empty"):
            launch(train.uncond.JOB, words)
    first.kill()
    first.communicate()
    launch(train.uncond.JOB, ["--resume", "--run-dir", "run"])
    assert same(weights("run"), weights(trained / REFERENCE))


def spoil(path, how):
    """Do to the log what a user or a program can do while the training writes to it."""
    text = path.read_text()
    path.unlink()
    if how == "cut":
        path.write_text(text[:-4])
    elif how == "text":
        path.write_text("my notes")
    elif how == "folder":
        path.mkdir()


@pytest.mark.parametrize("step", [2, 5])
@pytest.mark.parametrize("how", ["deleted", "cut", "text", "folder"])
def test_a_log_that_is_spoilt_while_training_costs_no_epoch(workplace, trained, monkeypatch, how,
                                                            step):
    """In the first epoch or the second: the weights are those of an undisturbed run."""
    calls = []

    def loss(model, *args, **options):
        calls.extend([0] * model.network.training)  # not those of the validation
        if len(calls) == step and model.network.training:
            spoil(Path("run") / runs.LOG, how)
        return train.uncond.JOB.loss(model, *args, **options)

    monkeypatch.setattr("train.record.seconds_per_step", lambda *_: 1.0)
    launch(train.uncond.JOB._replace(loss=loss), TWO)
    assert len(calls) == 6 and same(weights("run"), weights(trained / REFERENCE))


@pytest.mark.parametrize("error", [ValueError("no ink"), MemoryError(), OSError(errno.EIO, "disk")])
@pytest.mark.parametrize("where", ["figure", "curve", "log"])
def test_a_failing_figure_curve_or_log_is_a_note(workplace, trained, monkeypatch, capsys, where,
                                                 error):
    """Said once, with the reason; the training goes on to the same weights."""
    def fail(*args, **options):
        raise error

    job = train.uncond.JOB._replace(draw=fail) if where == "figure" else train.uncond.JOB
    if where != "figure":
        name = {"curve": "train.record.save_curves", "log": "minidiff.files.runs.append_log"}[where]
        monkeypatch.setattr(name, fail)
    launch(job, TWO)
    assert capsys.readouterr().err.count(f"note: a {where}".replace("a log", "a row of the log")
                                         .replace("a curve", "the loss curve")) == 1
    assert same(weights("run"), weights(trained / REFERENCE))


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize("error", [RuntimeError("unexpected pos"), OSError(errno.ENOSPC, "full")])
def test_a_full_disk_says_how_to_go_on(workplace, trained, monkeypatch, epoch, error):
    """Whichever error torch makes of it; the run then resumes to the same bits."""
    save = torch.save

    def full(content, f):
        if content["epoch"] == epoch:
            raise error
        save(content, f)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        kept = "last complete epoch is kept" if epoch == 2 else "no epoch is complete yet"
        with pytest.raises(OSError, match=f"free some space.*{kept}.*--resume --run-dir run"):
            launch(train.uncond.JOB, TWO)
    launch(train.uncond.JOB, ["--resume", "--run-dir", "run"])
    assert same(weights("run"), weights(trained / REFERENCE))


@pytest.mark.parametrize("end", [">&-", "2>&-", ">&- 2>&-", ">/dev/full 2>/dev/full", "| head -1"])
def test_a_training_outlives_its_terminal(tmp_path, trained, end):
    """Closed or full streams, a reader that leaves: the same weights, and exit status 0."""
    words = f'"$0" -c "$1" {" ".join(TINY)} --T 20 --run-dir run {end}; exit ${{PIPESTATUS[0]}}'
    env = {**os.environ, "PYTHONPATH": str(ROOT), "STOP": "-1", "SIGN": "sign"}
    done = subprocess.run(["bash", "-c", words, sys.executable, SCRIPT], cwd=tmp_path, env=env,
                          capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert same(weights(tmp_path / "run"), weights(trained / REFERENCE))


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("folder", ["runs/1", "my runs/1", "it's", 'a "b"', "$HOME", "a;b", "`ls`",
                                    "a\\b", "ü & $(x)"])
def test_the_line_that_says_how_to_resume_can_be_pasted(tmp_path, folder):
    """Shell and make hand the folder's name on as it is."""
    hint = parallel.resume_hint("resume", "train.uncond", shlex.join(["--run-dir", folder]), 1)
    (tmp_path / "Makefile").write_text("resume:\n\t@printf '%s\\n' $(ARGS)\n")
    own = {name: v for name, v in os.environ.items() if not name.startswith("MAKE")}  # of make test
    done = subprocess.run(["bash", "-c", hint.partition("with: ")[2]], cwd=tmp_path, text=True,
                          capture_output=True, env=own)
    assert done.stdout == f"--run-dir\n{folder}\n", (hint, done.stderr)


def test_a_training_stopped_in_its_first_epoch_promises_nothing(workplace, monkeypatch, capsys):
    """No checkpoint is there yet; in the second epoch there is one."""
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            launch(train.uncond.JOB, TWO)
    assert "no epoch is complete yet" in capsys.readouterr().err
    cut("second")
    assert "the last complete epoch is kept" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("epochs", [0, 1])
def test_a_diverged_run_is_told_only_what_is_so(epochs, precision):
    """A checkpoint is kept after the first epoch; float32 helps where it is not in use."""
    run = Training(NoiseModel(UNet(2, time=True), 20), None, Recipe(precision=precision))
    run.network.leave[-1].bias.data.fill_(float("nan"))
    run.epoch = epochs
    with pytest.raises(Diverged) as found:
        run.check_finite()
    assert ("checkpoint is kept" in str(found.value)) == (epochs > 0)
    assert ("float32" in str(found.value)) == (precision == "bfloat16")
