"""models.py: the contract, and how a name becomes a model."""

import pytest
import torch

from minidiff import checkpoint, models, runs
from minidiff.models import DigitModel
from minidiff.unet import UNet


def save(path, kind="uncond", epoch=1, seed=0):
    torch.manual_seed(seed)
    network = UNet(4, time=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, {
        "kind": kind, "network": {"width": 4, "time": True}, "weights": network.state_dict(),
        "config": {"T": 50}, "dataset": "strokes", "epoch": epoch, "step": 1,
    })
    return network


def test_the_network_hears_t_over_T():
    """Under the contract t is 1..T; the network's time is t/T in (0, 1]."""
    heard = []

    class Ear(UNet):
        def forward(self, x, t, c=None):
            heard.append(t)
            return x

    model = DigitModel(Ear(2, time=True), 200)
    model(torch.zeros(3, 1, 28, 28), torch.tensor([1, 50, 200]))
    assert torch.allclose(heard[0], torch.tensor([0.005, 0.25, 1.0]))
    assert model.schedule.T == 200 and model.image_shape == (1, 28, 28)


def test_prompts_become_one_hot_rows_and_the_null_prompt_zeros():
    """embed(["7", ""]): a one at 7, and nothing at all."""
    cond = DigitModel(UNet(2, True, 10), 300).embed(["7", "", "0"])
    assert cond.dtype == torch.float32 and cond.shape == (3, 10)
    assert cond.nonzero().tolist() == [[0, 7], [2, 0]]


def test_an_unknown_prompt_lists_the_known_ones():
    """A sentence for a digit model, a digit for a model without classes."""
    with pytest.raises(ValueError, match="'a cat'.*'9'"):
        DigitModel(UNet(2, True, 10), 300).embed(["a cat"])
    plain = DigitModel(UNet(2, True), 300)
    assert plain.embed(["", ""]) is None
    with pytest.raises(ValueError, match="'7'"):
        plain.embed(["7"])


def test_the_newest_run_a_folder_and_a_file_all_name_the_same_model(workplace):
    """load_model("uncond"), with the run's folder, or with the file: eval mode, same weights."""
    save(runs.RUNS / "uncond" / "001" / runs.LAST, seed=1)
    network = save(runs.RUNS / "uncond" / "002" / runs.LAST, seed=2)
    for place in ("", "runs/uncond/002", "runs/uncond/002/last.pt"):
        model, found = models.load_model("uncond", place)
        assert not model.network.training and model.schedule.T == 50
        assert torch.equal(model.network.time1[0].weight, network.time1[0].weight)
        assert found["dataset"] == "strokes"


def test_a_model_of_another_kind_is_refused(workplace):
    """A denoiser cannot be sampled from: it knows no time."""
    save(workplace / "d.pt", kind="denoiser")
    with pytest.raises(ValueError, match="holds a 'denoiser' model, but 'uncond' is wanted"):
        models.load_model("uncond", "d.pt")
