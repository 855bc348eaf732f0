"""ema.py: the average, in closed form; what is saved, resumed and sampled from."""

import shutil

import pytest
import torch

import train.uncond
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.network.unet import UNet
from minidiff.training import ema
from tests.conftest import TINY, same
from train.launch import launch


def test_the_average_is_the_weighted_sum_of_all_weights():
    """Written out: with d_k the decay of step k, weights k count (1 - d_k) d_{k+1} ... d_n."""
    network, decay, n = UNet(2), 0.6, 30
    average, first = ema.begin(network), {k: v.clone() for k, v in network.state_dict().items()}
    history = []
    for step in range(1, n + 1):
        for k, v in network.state_dict().items():
            v.copy_(first[k] + step if v.is_floating_point() else torch.tensor(step))
        ema.update(average, network, decay, step)
        history.append(float(step))
    d = [min(decay, (1 + k) / (10 + k)) for k in range(1, n + 1)]
    expected = 0.0
    for share, value in zip(d, history):
        expected = share * expected + (1 - share) * value
    for name, v in average.state_dict().items():
        if v.is_floating_point():
            assert torch.allclose(v - first[name], torch.full_like(v, expected), atol=1e-4), name
        else:
            assert v.item() == n  # BatchNorm's count of batches


def test_the_average_is_apart_from_the_network():
    """It needs no gradient, is in eval mode, and stays when the network changes."""
    network = UNet(2)
    average = ema.begin(network.train())
    assert network.training and not average.training
    assert not any(p.requires_grad for p in average.parameters())
    before = {k: v.clone() for k, v in average.state_dict().items()}
    for p in network.parameters():
        p.data.add_(1)
    assert same(before, average.state_dict())


WORDS = [*TINY, "--T", "20"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run with the average, and one without."""
    from tests.conftest import small

    place = tmp_path_factory.mktemp("averaged")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(place)
        launch(train.uncond.JOB, [*WORDS, "--ema", "0.9", "--run-dir", "with"])
        launch(train.uncond.JOB, [*WORDS, "--run-dir", "without"])
    return place


def test_the_checkpoint_has_the_average_and_training_goes_on_from_the_raw_weights(runs):
    """The raw weights are bit for bit those of a run without --ema; the average is not."""
    found, plain = (checkpoint.load(runs / name / "last.pt") for name in ("with", "without"))
    assert same(found["training"]["weights"], plain["weights"])
    assert not same(found["weights"], plain["weights"])
    snapshot = checkpoint.load(runs / "with" / "weights-epoch-02.pt")
    assert same(snapshot["weights"], found["weights"]) and "training" not in snapshot
    assert "EMA 0.9" in zoo.load_model(str(runs / "with")).summary


def test_resuming_is_exact(runs, workplace):
    """Stopped after the first epoch, a run with the average ends bit for bit alike."""
    shutil.copytree(runs / "with", "whole")
    launch(train.uncond.JOB, [*WORDS, "--epochs", "1", "--ema", "0.9", "--decay", "constant",
                              "--run-dir", "cut"])
    launch(train.uncond.JOB, ["--resume", "--run-dir", "cut", "--epochs", "2"])
    launch(train.uncond.JOB, [*WORDS, "--ema", "0.9", "--decay", "constant", "--run-dir", "one"])
    a, b = (checkpoint.load(f"{name}/last.pt") for name in ("cut", "one"))
    assert same(a["weights"], b["weights"])
    assert same(a["training"]["weights"], b["training"]["weights"])
    assert a["config"] == b["config"] and a["step"] == b["step"]


def test_raw_weights_that_are_damaged_are_refused(runs, workplace):
    """In one sentence, before anything is trained."""
    shutil.copytree(runs / "with", "bad")
    found = checkpoint.load("bad/last.pt")
    found["training"]["weights"]["enter.conv.weight" if "enter.conv.weight" in found["training"][
        "weights"] else next(iter(found["training"]["weights"]))].fill_(float("nan"))
    checkpoint.save("bad/last.pt", dict(found))
    with pytest.raises(ValueError, match="cannot be resumed"):
        launch(train.uncond.JOB, ["--resume", "--run-dir", "bad"])
