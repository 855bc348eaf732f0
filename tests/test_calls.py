"""How many calls lead from the command line to the network."""

import sys

import train.class_cond
from minidiff.network.unet import UNet
from sample.class_cond import main as sample_class
from tests.conftest import TINY
from tests.test_house import ROOT
from train.launch import launch

OURS = tuple(str(ROOT / folder) for folder in ("minidiff", "train", "sample"))


def depths(monkeypatch, work):
    """Do the work; return, for each call of the network, the names of our functions on the stack
    from the script's own lines, which work stands for, to the network."""
    found, forward = [], UNet.forward

    def spy(self, *inputs):
        frame, names = sys._getframe(1), ["forward"]
        while frame.f_code is not work.__code__:
            name, file = frame.f_code.co_name, frame.f_code.co_filename
            if file.startswith(OURS) and name != "<listcomp>":  # inlined since Python 3.12
                names.append(name)
            frame = frame.f_back
        found.append([*names, "<module>"])
        return forward(self, *inputs)

    monkeypatch.setattr(UNet, "forward", spy)
    work()
    return found


def test_at_most_ten_calls_lead_to_the_network_in_sampling(workplace, monkeypatch):
    """From `python -m sample.class_cond` to the UNet, guided and not, both ends included."""
    def work():
        sample_class(["--steps", "4", "--digits", "3", "--per-digit", "1", "--guide-until", "0.5"])

    found = depths(monkeypatch, work)
    assert len(found) == 4 and max(map(len, found)) <= 10, max(found, key=len)


def test_at_most_eight_calls_lead_to_the_network_in_training(workplace, monkeypatch):
    """From `python -m train.class_cond` to the UNet, both ends included."""
    def work():
        launch(train.class_cond.JOB, [*TINY, "--epochs", "1", "--T", "20", "--sample-steps", "5"])

    found = [names for names in depths(monkeypatch, work) if "fit" in names and "add" not in names]
    assert len(found) == 3 and max(map(len, found)) <= 8, max(found, key=len)
