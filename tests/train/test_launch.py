"""train/launch.py and record.py: what happens around a training does not cost its results."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import train.uncond
from minidiff.data import strokes
from minidiff.files import checkpoint, runs
from minidiff.training import parallel
from tests.conftest import TINY, same, small, weights
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

    def loss(*args, **options):
        calls.append(0)
        if len(calls) == step:
            spoil(Path("run") / runs.LOG, how)
        return train.uncond.loss(*args, **options)

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
    done = subprocess.run(["bash", "-c", hint.partition("with: ")[2]], cwd=tmp_path, text=True,
                          capture_output=True)
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


def change(**values):
    """Return a function that changes entries of config.json; None removes one."""
    def edit(about):
        for place, value in values.items():
            *above, name = place.split("__")
            inner = about[above[0]] if above else about
            inner.pop(name) if value is None else inner.update({name: value})
    return edit


EDITS = [change(**{name: value}) for name, value in (
    *((name, None) for name in ("model", "device", "hardware", "config")),
    ("model", 3), ("model", "class"), ("device", ["cpu"]), ("hardware", "x" * 10**5),
    ("config", []), ("config__seed", 1.5), ("config__seed", True), ("config__seed", -1),
    ("config__width", "2"), ("config__width", 2.0), ("config__epochs", 10**12), ("config__lr", {}),
    ("config__recipe", "mine"), ("config__recipe", "auto"), ("config__decay", "steep"),
    ("config__dropout", 0.1), ("config__epochs", 3), ("config__T", 21), ("config__precision", "x"),
)]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_config_leaves_the_checkpoint_alone(workplace, done, edit):
    """A missing field, another type, an unknown recipe, another value: one sentence names the file,
    and last.pt is not replaced."""
    about = json.loads((done / runs.CONFIG).read_text())
    edit(about)
    (workplace / "run" / runs.CONFIG).write_text(json.dumps(about))
    refused(workplace / "run", "config.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 10**5, '{"a":' * 10**5, "\x00"])
def test_a_config_that_is_no_json_object_is_refused(workplace, done, text):
    """Nested too deep, too; the cure is not to delete the file."""
    (workplace / "run" / runs.CONFIG).write_text(text)
    refused(workplace / "run", "config.json is damaged: .*restore the file")


def adam(name, value):
    return lambda state: state["optimizer"]["state"][0].update({name: value})


STATES = {
    "empty": lambda state: state["optimizer"].update(state={}),
    "no optimizer": lambda state: state.pop("optimizer"),
    "no groups": lambda state: state["optimizer"].update(param_groups=[]),
    "no moment": lambda state: state["optimizer"]["state"][0].pop("exp_avg"),
    "no betas": lambda state: state["optimizer"]["param_groups"][0].pop("betas"),
    "betas": lambda state: state["optimizer"]["param_groups"][0].update(betas=(0.5, 2.0)),
    "lr": lambda state: state["optimizer"]["param_groups"][0].update(lr=float("nan")),
    "order": lambda state: state["optimizer"]["param_groups"][0].update(params=[1, 0]),
    "a vector of steps": adam("step", torch.ones(3)), "negative": adam("step", torch.tensor(-1.0)),
    "huge": adam("step", torch.tensor(1e9)), "half a step": adam("step", torch.tensor(2.5)),
    "text": adam("step", "3"), "shape": adam("exp_avg", torch.zeros(2)),
    "nan": lambda state: state["optimizer"]["state"][0]["exp_avg"].fill_(float("nan")),
    "below 0": lambda state: state["optimizer"]["state"][0]["exp_avg_sq"].fill_(-1),
    "generator": lambda state: state.update(generator=torch.zeros(16)),
    "short generator": lambda state: state.update(generator=torch.zeros(16, dtype=torch.uint8)),
    "no generator": lambda state: state.pop("generator"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_damaged_optimiser_is_not_resumed(workplace, done, name):
    """Anything that Adam would take for its state and compute with, or fail on."""
    found = checkpoint.load(done / runs.LAST)
    STATES[name](found["training"])
    checkpoint.save(workplace / "run" / runs.LAST, found)
    refused(workplace / "run", "last.pt cannot be resumed on cpu")


@pytest.mark.parametrize("values", [{"epoch": 3}, {"step": 4}, {"training": None}, {"epoch": 2}])
def test_a_checkpoint_that_contradicts_itself_is_not_resumed(workplace, done, values):
    """More epochs than the recipe has, steps that make no epoch, no state."""
    checkpoint.save(workplace / "run" / runs.LAST, {**checkpoint.load(done / runs.LAST), **values})
    refused(workplace / "run", "last.pt")


def test_a_run_is_not_resumed_on_other_data(workplace, done, monkeypatch):
    """An epoch of another length would end in the wrong place."""
    before = strokes.dataset
    monkeypatch.setattr(strokes, "dataset", lambda n, seed, size=28: [
        part[:64] for part in before(n, seed, size)])
    refused(workplace / "run", "3 steps in 1 of 2 epochs, but .* --data-dir")


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A folder with a run stopped in epoch 2."""
    place = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(place)
        cut("run")
    return place / "run"


@pytest.fixture
def done(interrupted, workplace):
    """That folder; a copy of it is run/ in the current folder."""
    shutil.copytree(interrupted, workplace / "run")
    return interrupted


def refused(folder, message):
    """Check that a folder is not resumed, and that nothing in it changes."""
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(ValueError, match=message) as found:
        launch(train.uncond.JOB, ["--resume", "--run-dir", str(folder)])
    assert len(str(found.value)) < 1000
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
