"""Each of these is added with one function in one file, and the command line knows it at once.

A function that is added is the test's first inner function; its number of lines is asserted. Each
is entered in a table: SCHEDULES, VIEWS, SAMPLERS, PREDICTIONS, the doodles' subjects, SETS.
"""

import inspect

import numpy as np
import pytest
import torch

import train.class_cond
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.data.doodles import scenes, world
from minidiff.editing.views import VIEWS, rearranged
from minidiff.files import checkpoint, runs
from minidiff.models import model
from minidiff.network.unet import UNet
from minidiff.theory.diffusion import noise_loss, predict_eps
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


@pytest.mark.parametrize("target", ["eps", "v", "image"])
def test_a_prediction_target_has_its_own_loss(monkeypatch, target):
    """The loss is |output - target|², written out for a network that returns 0.25 everywhere: each
    t counts 1, 1/ab or (1 - ab)/ab times an error of the noise. So is its gradient."""
    monkeypatch.setitem(model.PREDICTIONS, "image", predict_eps)
    ab, seen = torch.tensor([1, 0.99, 0.8, 0.5, 0.1]), []
    monkeypatch.setitem(SCHEDULES, "four", lambda T: Schedule(ab))
    predictor = model.NoiseModel(UNet(2, time=True), 4, "four", target)
    output = torch.full((4, 1, 28, 28), 0.25, requires_grad=True)
    predictor.evaluate = lambda x_t, time, cond: seen.append((x_t, time)) or output
    x_0 = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    loss = noise_loss(predictor.schedule, predictor, x_0, None, torch.Generator().manual_seed(1))
    (x_t, time), = seen
    t, ab = torch.arange(1, 5), ab[1:].view(4, 1, 1, 1)
    assert torch.equal(time, t / 4)
    eps = (x_t - ab.sqrt() * x_0) / (1 - ab).sqrt()
    wanted = {"eps": eps, "v": ab.sqrt() * eps - (1 - ab).sqrt() * x_0, "image": x_0}[target]
    assert loss.item() == pytest.approx((0.25 - wanted).square().mean().item(), rel=1e-5)
    weights = {"eps": [1, 1, 1, 1], "v": [1 / 0.99, 1.25, 2, 10], "image": [1 / 99, 0.25, 1, 9]}
    found = (1 / predictor.gain(t) ** 2).flatten().tolist()
    assert found == pytest.approx(weights[target], rel=1e-5)
    loss.backward()
    assert torch.allclose(output.grad, 2 * (0.25 - wanted) / wanted.numel(), atol=1e-7)


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
