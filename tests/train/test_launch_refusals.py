"""train/launch.py: what a run's folder holds is checked whole before a training goes on with it."""

import importlib
import json
import shutil

import pytest
import torch

import train.uncond
from minidiff.data import strokes
from minidiff.files import checkpoint, runs
from tests.conftest import TINY, small
from tests.train.test_resume import cut
from train.launch import launch


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
    ("config__dropout", 0.1), ("config__T", 21), ("config__precision", "x"),
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


@pytest.mark.parametrize("script, words, flags", [
    ("uncond", ["--p-uncond", "0.2"], "--p-uncond"), ("flow", ["--T", "20"], "--T"),
    ("class_cond", ["--sigma", "0.2"], "--sigma"),
    ("denoiser", ["--T", "20", "--schedule", "cosine"], "--T, --schedule"),
    ("classifier", ["--sample-steps", "3"], "--sample-steps"),
    ("denoiser", ["--network", "wide"], "--network"),
])
def test_a_flag_without_effect_is_refused(workplace, script, words, flags):
    """Each training names those that it has no use for, before it makes a folder."""
    job = importlib.import_module(f"train.{script}").JOB
    with pytest.raises(ValueError, match=f"has no use for {flags}; leave"):
        launch(job, [*TINY, *words])
    assert not (workplace / "runs").exists()
