"""models/model.py: the contract, and what a checkpoint stores of it."""

import pytest
import torch

from minidiff.files import checkpoint, runs
from minidiff.models import model as chapter
from minidiff.models.generate import generate
from minidiff.models.model import Model, NoiseModel
from minidiff.models.zoo import load_model
from minidiff.network.unet import UNet
from minidiff.theory.schedule import cosine, linear
from minidiff.theory.velocity import v_of
from tests.models.conftest import Recorder, stored, unconditional


def test_the_network_receives_t_over_T():
    """Under the contract t is 1..T; the network's time is t/T in (0, 1]."""
    network = Recorder()
    model = NoiseModel(network, 200)
    model(torch.zeros(3, 1, 28, 28), torch.tensor([1, 50, 200]))
    assert torch.allclose(network.inputs[0][1], torch.tensor([0.005, 0.25, 1.0]))
    assert model.schedule.T == 200 and model.image_shape == (1, 28, 28)


def test_a_network_that_predicts_v_is_turned_into_one_that_predicts_the_noise(gaussian):
    """With the ideal v of Gaussian data, the model returns the ideal eps: its mean given x_t."""
    schedule = linear(300)
    data = gaussian(schedule)

    class IdealV(UNet):
        def forward(self, x_t, time, cond=None):
            t = (time * 300).round().long()
            ab = schedule.at(t)
            gain = ab.sqrt() * data.std**2 / (ab * data.std**2 + 1 - ab)
            x_0_hat = data.mean + gain * (x_t - ab.sqrt() * data.mean)
            return v_of(schedule, x_0_hat, t, data.eps(x_t, t))

    model = NoiseModel(IdealV(2, True), 300, predict="v")
    x_t, t = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor(
        [1, 60, 200, 300])
    assert torch.allclose(model(x_t, t), data.eps(x_t, t), atol=1e-5)
    assert model.description()["predict"] == "v"
    assert NoiseModel(UNet(2, True)).description()["predict"] == "eps"


def test_prompts_become_one_hot_rows_and_the_null_prompt_zeros():
    """embed(["7", ""]) is a one at 7, then zeros; labels give the same rows."""
    model = NoiseModel(UNet(2, True, 10), 300)
    cond = model.embed(["7", "", "0"])
    assert cond.dtype == torch.float32 and cond.shape == (3, 10)
    assert cond.nonzero().tolist() == [[0, 7], [2, 0]]
    assert torch.equal(model.condition(torch.tensor([7, 0])), cond[[0, 2]])


def test_an_unknown_prompt_lists_the_known_ones():
    """A digit model refuses a sentence, a model without classes refuses a digit."""
    with pytest.raises(ValueError, match="'a cat'.*'9'"):
        NoiseModel(UNet(2, True, 10), 300).embed(["a cat"])
    plain = unconditional()
    assert plain.embed(["", ""]) is None and not plain.conditional
    with pytest.raises(ValueError, match="'7'"):
        plain.embed(["7"])


def test_images_are_mapped_to_the_data_range_and_back():
    """to_unit and from_unit are inverse; -1..1 has its middle at 0.5."""
    model = NoiseModel(UNet(2, True), 20, data_range=(-1.0, 1.0))
    x = torch.tensor([-1.0, 0.0, 1.0])
    assert model.to_unit(x).tolist() == [0, 0.5, 1]
    assert torch.equal(model.from_unit(model.to_unit(x)), x)


def test_the_network_computes_in_bfloat16_and_the_rest_in_float32():
    """precision sets the format inside the network; its prediction is float32."""
    formats = []
    network = UNet(2, True)
    network.register_forward_hook(lambda module, inputs, output: formats.append(output.dtype))
    for precision in ("float32", "bfloat16"):
        model = NoiseModel(network, 20, precision=precision)
        assert model(torch.zeros(1, 1, 28, 28), torch.tensor([5])).dtype == torch.float32
    assert formats == [torch.float32, torch.bfloat16]


def test_a_checkpoint_holds_schedule_data_range_and_words(trained):
    """A finished training wrote the schedule's name and T, the data range and the words."""
    found = checkpoint.load(trained / "runs" / "class" / "001" / runs.LAST)["model"]
    assert found["schedule"] == "linear" and found["T"] == 20
    assert list(found["data_range"]) == [0, 1] and list(found["words"]) == [*"0123456789"]


def test_a_loaded_model_keeps_its_schedule_whatever_new_models_get(trained, monkeypatch):
    """The default is changed, the checkpoint is not: its model keeps the linear schedule, and a new
    model gets the cosine one."""
    monkeypatch.setattr(chapter, "SCHEDULE", "cosine")
    model = load_model(str(trained / "runs" / "class" / "001"))
    assert torch.equal(model.schedule.alpha_bar, linear(20).alpha_bar)
    assert model.data_range == (0.0, 1.0) and model.vocabulary.words == tuple("0123456789")
    assert torch.equal(unconditional().schedule.alpha_bar, cosine(20).alpha_bar)


@pytest.mark.parametrize("cls", [NoiseModel, Model])
def test_a_model_is_rebuilt_from_its_description(cls):
    """A model made of another's description describes itself alike."""
    model = cls(UNet(2, True, 3), T=30, schedule="cosine", predict="v", words=("red", "dog", "big"),
                data_range=(-1.0, 1.0))
    again = cls(UNet(2, True, 3), **model.description())
    assert again.description() == model.description()
    assert again.vocabulary.words == ("red", "dog", "big") and again.data_range == (-1.0, 1.0)


def test_a_stored_cosine_model_samples_on_the_cosine_schedule(tmp_path):
    """Saved and loaded, a model with schedule="cosine" generates what it generated before; on
    the linear schedule the result would differ."""
    torch.manual_seed(0)
    arguments = {"width": 4, "time": True, "classes": 0}
    made = {name: NoiseModel(UNet(**arguments).eval(), 20, name) for name in ("cosine", "linear")}
    made["linear"].network.load_state_dict(made["cosine"].network.state_dict())
    model = made["cosine"]
    stored(tmp_path / "c.pt", weights=model.network.state_dict(), model=model.description())
    loaded = load_model(str(tmp_path / "c.pt"))
    assert torch.equal(loaded.schedule.alpha_bar, cosine(20).alpha_bar)
    a, b, c = ([*generate(m, [""] * 2, steps=5)][-1].x_t for m in (loaded, *made.values()))
    assert torch.allclose(a, b, atol=1e-5) and (b - c).abs().max() > 1e-3
