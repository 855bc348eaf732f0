"""Each of these is added with one function in one file, and the command line knows it at once.

A function that is added is the test's first inner function; its number of lines is asserted. Each
is entered in a table: SCHEDULES, VIEWS, SAMPLERS, PREDICTIONS, the doodles' subjects, SETS.
"""

import inspect

import numpy as np
import torch

import train.class_cond
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.data.doodles import scenes, world
from minidiff.editing.views import VIEWS, rearranged
from minidiff.files import checkpoint, runs
from minidiff.models import model
from minidiff.theory.diffusion import predict_eps
from minidiff.theory.schedule import SCHEDULES, Schedule
from minidiff.theory.solvers import SAMPLERS
from sample.anagram import main as sample_anagram
from sample.class_cond import main as sample_class
from tests.conftest import TINY
from train.launch import launch

FAST = ["--steps", "3", "--device", "cpu", "--npz", "s.npz"]


def lines(function):
    """Return how many lines a function has."""
    return len(inspect.getsource(function).splitlines())


def written():
    """Return the images that a script wrote last."""
    return np.load("s.npz")["images"]


def test_a_schedule(workplace, monkeypatch):
    """Trained with and sampled from; its name is in the checkpoint."""
    def quadratic(T=300):
        return Schedule(torch.linspace(1, 0.1, T + 1) ** 2)

    monkeypatch.setitem(SCHEDULES, "quadratic", quadratic)
    folder = launch(train.class_cond.JOB, [*TINY, "--T", "20", "--schedule", "quadratic"])
    assert checkpoint.load(folder / runs.LAST)["model"]["schedule"] == "quadratic"
    sample_class([*FAST, "--digits", "3", "--per-digit", "1"])
    assert np.isfinite(written()).all() and lines(quadratic) == 2


def test_a_view(workplace, monkeypatch):
    """Of an anagram."""
    def halves(image):
        return image.roll(image.shape[3] // 2, 3)

    monkeypatch.setitem(VIEWS, "halves", rearranged(halves))
    sample_anagram([*FAST, "--prompts", "6", "9", "--view", "halves", "--n", "1"])
    assert written().shape == (1, 1, 28, 28) and lines(halves) == 2


def test_a_sampler(workplace, monkeypatch):
    """A step that only uses the prediction: x_0_hat and eps_hat, put together at the next level."""
    def plain(schedule, x_t, t, s, eps_hat, clip=None):
        ab, ab_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
        x_0_hat = ((x_t - (1 - ab).sqrt() * eps_hat) / ab.sqrt()).clamp(0, 1)
        return ab_s.sqrt() * x_0_hat + (1 - ab_s).sqrt() * eps_hat, x_0_hat

    monkeypatch.setitem(SAMPLERS, "plain", plain)
    sample_class([*FAST, "--digits", "3", "--per-digit", "1", "--sampler", "plain"])
    first = written()
    sample_class([*FAST, "--digits", "3", "--per-digit", "1", "--sampler", "ddim"])
    assert abs(first - written()).max() < 0.2 and lines(plain) == 4


def test_a_prediction_target(workplace, monkeypatch):
    """The image itself: trained, kept in the checkpoint, and sampled with."""
    monkeypatch.setitem(model.PREDICTIONS, "image", predict_eps)
    folder = launch(train.class_cond.JOB, [*TINY, "--T", "20", "--predict", "image"])
    assert checkpoint.load(folder / runs.LAST)["model"]["predict"] == "image"
    sample_class([*FAST, "--digits", "3", "--per-digit", "1"])
    assert np.isfinite(written()).all()


def test_a_data_set(workplace, monkeypatch):
    """Trained on and sampled by its words."""
    def squares(split, root, size):
        labels = torch.arange(40 if split == "train" else 8) % 2
        images = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8)
        images[labels == 1, :, 2:6, 2:6] = 255
        return Dataset("squares", images, labels, ("nothing", "square"))

    monkeypatch.setitem(catalog.SETS, "squares", squares)
    folder = launch(train.class_cond.JOB, ["--dataset", "squares", *TINY[2:]])
    assert checkpoint.load(folder / runs.LAST)["model"]["words"] == ["nothing", "square"]
    sample_class([*FAST, "--prompts", "a square", "--per-digit", "1"])
    assert written().shape == (1, 3, 8, 8) and lines(squares) == 5


def test_a_subject_of_doodles(monkeypatch):
    """Drawn in every medium, and named by its captions."""
    def moon(c):
        c.stand()
        c.ball(0, 0, 0.7, 0.7, c.main((240, 230, 200)))

    monkeypatch.setattr(world, "PAINTERS", (*world.PAINTERS, moon))
    monkeypatch.setitem(scenes.PHRASES, "moon", None)
    for module in (scenes, world):
        monkeypatch.setattr(module, "SUBJECTS", (*scenes.PHRASES,))
    drawn = torch.cat([world.draw(world.scene("moon", medium, count=2), seed=1)
                       for medium in scenes.MEDIA])
    assert drawn.shape == (8, 3, 32, 32) and len(drawn.flatten(1).unique(dim=0)) == 8
    _, captions, answers = world.dataset(400, 0, 8, "train")
    named = [text for text, k in zip(captions, answers[0].tolist()) if k == 14]
    assert named and all("moon" in text for text in named) and lines(moon) == 3
