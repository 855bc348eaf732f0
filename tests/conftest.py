"""Shared fixtures: closed-form Gaussian data, tiny data, an empty folder to run in."""

from pathlib import Path

import pytest
import torch

import train.class_cond
import train.classifier
import train.denoiser
import train.flow
import train.flow_uncond
import train.uncond
import train.upsampler
from minidiff import checkpoint, runs, strokes
from minidiff.data import Dataset
from minidiff.models import DigitModel
from minidiff.unet import UNet
from train.run import run

TINY = ["--dataset", "strokes", "--width", "2", "--batch-size", "64", "--epochs", "2",
        "--early-epoch", "1", "--device", "cpu"]
torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


class Gaussian:
    """Data N(mean, std²) for every pixel, whose ideal predictor is known.

    x_t is then Gaussian too, and E[eps | x_t] = sqrt(1 - ab) (x_t - sqrt(ab) m) / (ab s² + 1 - ab).
    """

    def __init__(self, schedule, mean=0.7, std=0.3):
        self.schedule, self.mean, self.std = schedule, mean, std

    def eps(self, x_t, t):
        ab = self.schedule.alpha_bar[t].view(-1, 1, 1, 1)
        return (
            (1 - ab).sqrt() * (x_t - ab.sqrt() * self.mean) / (ab * self.std**2 + 1 - ab)
        )


@pytest.fixture
def gaussian():
    return Gaussian


@pytest.fixture(scope="session")
def tiny():
    """130 drawn digits: two batches of 64 and a rest of 2."""
    return Dataset("strokes", *strokes.dataset(130, seed=5))


def small(set_attribute=setattr):
    """Make every strokes set 130 digits long, so that a whole training takes a second."""
    whole = strokes.dataset
    set_attribute(strokes, "dataset", lambda n, seed, size=28: whole(130, seed, size))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current folder, no data set on disk, small strokes."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with one finished run of each kind."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(place)
        run(train.uncond.JOB, [*TINY, "--T", "20"])
        run(train.class_cond.JOB, [*TINY, "--T", "20"])
        run(train.flow.JOB, [*TINY, "--sample-steps", "10"])
        run(train.flow_uncond.JOB, [*TINY, "--sample-steps", "10"])
        run(train.denoiser.JOB, TINY)
        run(train.classifier.JOB, TINY)
        run(train.upsampler.JOB, [*TINY, "--T", "20"])
    return place


def attentive(T=300):
    """A model with random weights that hears its class: fresh ones hardly do."""
    torch.manual_seed(0)
    network = UNet(4, time=True, classes=10)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.startswith("class"):
                p.mul_(30)
        for _ in range(30):  # BatchNorm sees what it will have to normalise
            one_hot = torch.eye(10)[torch.randint(10, (16,))]
            network(torch.randn(16, 1, 28, 28), torch.rand(16), one_hot)
    return DigitModel(network.eval(), T)


def weights(folder):
    """Return the weights a run's folder has reached."""
    return checkpoint.load(Path(folder) / runs.LAST)["weights"]


def same(a, b):
    """Tell whether two state dicts are equal bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
