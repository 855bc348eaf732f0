"""models.py: the contract, and how a name becomes a model."""

import pytest
import torch

from minidiff.files import checkpoint, runs
from minidiff.models import zoo  # CHECK models  # CHECK shipped
from minidiff.models.generate import generate
from minidiff.models.model import FlowModel, NoiseModel
from minidiff.models.options import SampleOptions
from minidiff.network.unet import UNet
from sample.measure.evaluate import flags_of
from tests.conftest import attentive


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

    model = NoiseModel(Ear(2, time=True), 200)
    model(torch.zeros(3, 1, 28, 28), torch.tensor([1, 50, 200]))
    assert torch.allclose(heard[0], torch.tensor([0.005, 0.25, 1.0]))
    assert model.schedule.T == 200 and model.image_shape == (1, 28, 28)


def test_prompts_become_one_hot_rows_and_the_null_prompt_zeros():
    """embed(["7", ""]): a one at 7, and nothing at all."""
    cond = NoiseModel(UNet(2, True, 10), 300).embed(["7", "", "0"])
    assert cond.dtype == torch.float32 and cond.shape == (3, 10)
    assert cond.nonzero().tolist() == [[0, 7], [2, 0]]


def test_an_unknown_prompt_lists_the_known_ones():
    """A sentence for a digit model, a digit for a model without classes."""
    with pytest.raises(ValueError, match="'a cat'.*'9'"):
        NoiseModel(UNet(2, True, 10), 300).embed(["a cat"])
    plain = NoiseModel(UNet(2, True), 300)
    assert plain.embed(["", ""]) is None
    with pytest.raises(ValueError, match="'7'"):
        plain.embed(["7"])


def test_the_newest_run_a_folder_and_a_file_all_name_the_same_model(workplace):
    """load_model("uncond"), with the run's folder, or with the file: eval mode, same weights."""
    save(runs.RUNS / "uncond" / "001" / runs.LAST, seed=1)
    network = save(runs.RUNS / "uncond" / "002" / runs.LAST, seed=2)
    for place in ("uncond", "runs/uncond/002", "runs/uncond/002/last.pt"):
        model = zoo.load_model(place)
        assert not model.network.training and model.schedule.T == 50
        assert torch.equal(model.network.time1[0].weight, network.time1[0].weight)
        assert model.kind == "uncond" and "strokes" in model.summary


def test_a_model_of_another_kind_is_refused(workplace):
    """A denoiser cannot be sampled from: it knows no time."""
    save(workplace / "d.pt", kind="denoiser")
    with pytest.raises(ValueError, match="holds a 'denoiser' model, but 'uncond' or 'class'"):
        zoo.load_model("d.pt")


def plain(T=20):
    torch.manual_seed(0)
    return NoiseModel(UNet(4, time=True).eval(), T)


def test_a_walk_starts_from_standard_noise_and_repeats_with_its_seed():
    """N(0, 1) at t = T; same seed, same path; steps + 1 states, ending at 0."""
    a, b, c = (list(generate(plain(), [""] * 64, 5, s)) for s in (1, 1, 2))
    assert [s.t for s in a] == [20, 16, 12, 8, 4, 0]
    assert abs(a[0].x_t.mean()) < 0.02 and abs(a[0].x_t.std() - 1) < 0.02
    assert all(torch.equal(x.x_t, y.x_t) for x, y in zip(a, b))
    assert not torch.equal(a[-1].x_t, c[-1].x_t)


def test_large_numbers_go_through_the_network_in_chunks_with_the_same_result(monkeypatch):
    """Chunks bound the memory and change nothing else."""
    (*_, whole) = generate(plain(), [""] * 7, 3, 0)
    monkeypatch.setattr(zoo, "CHUNK", 2)
    (*_, parts) = generate(plain(), [""] * 7, 3, 0)
    assert torch.allclose(whole.x_t, parts.x_t, atol=1e-5)


def test_samples_end_in_the_datas_range():
    """Clipping x_0_hat bounds the last state, for the last step returns it."""
    (*_, last) = generate(plain(), [""] * 8, 4, 0)
    assert last.x_t.min() >= 0 and last.x_t.max() <= 1


def test_what_the_network_is_fed_is_never_clipped():
    """x_t has noise far outside [0, 1] at the start of a generate, and the network sees all of it."""
    heard = []

    class Ear(UNet):
        def forward(self, x, t, c=None):
            heard.append(x)
            return x

    *_, last = generate(NoiseModel(Ear(2, time=True), 20), [""] * 4, 3, 0)
    assert heard[0].min() < -2 and heard[0].max() > 2 and last.x_t.min() >= 0


def test_a_walk_gives_each_picture_what_it_was_asked_for():
    """The third of three pictures does not change with what the others are asked for, nor with
    guidance in chunks of two; it does with its own prompt."""
    asked = attentive(20)
    third = [
        list(generate(asked, prompts, 3, 0, gamma=3.0))[-1].x_t[2]
        for prompts in (["1", "2", "7"], ["", "9", "7"], ["1", "2", "8"])
    ]
    assert torch.allclose(third[0], third[1], atol=1e-4)
    assert (third[0] - third[2]).abs().max() > 1e-3


def flowing():
    """A flow with random weights that hears its class, and the batches it is asked: (t, size)."""
    asked, inner = [], attentive()

    class Ear(FlowModel):
        def __call__(self, x_t, t, cond=None):
            asked.append((round(t[0].item(), 2), len(t)))
            return super().__call__(x_t, t, cond)

    return Ear(inner.network), asked


def test_a_flow_is_walked_from_t_0_and_hears_t_itself():
    """N(0, 1) at t = 0; the network's time is t, not t/T; the last state is at 1."""
    heard = []

    class Ear(UNet):
        def forward(self, x, t, c=None):
            heard.append(t)
            return x

    path = list(generate(FlowModel(Ear(2, time=1)), [""] * 64, 5, 1))
    assert [round(t[0].item(), 3) for t in heard] == [0, 0.2, 0.4, 0.6, 0.8]
    assert [s.t for s in path] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert abs(path[0].x_t.mean()) < 0.02 and abs(path[0].x_t.std() - 1) < 0.02
    assert torch.allclose(path[1].x_t, 1.2 * path[0].x_t)


def test_guidance_of_a_flow_ends_near_the_data():
    """guide_until is the share of the way that is left, for either model: with 0.4 of a flow's five
    steps the first four, t = 0 .. 0.6, are asked for both branches, and the last is not."""
    model, asked = flowing()
    list(generate(model, ["3"], 5, 0, gamma=4.0, guide_until=0.4))
    assert asked == [(0, 2), (0.2, 2), (0.4, 2), (0.6, 2), (0.8, 1)]
    asked.clear()
    list(generate(model, ["3"], 2, 0, gamma=0.0, guide_until=0.4))
    assert asked == [(0, 1), (0.5, 1)]


def test_a_flow_is_loaded_as_one_and_takes_no_flags_of_a_diffusion(workplace):
    """Its kind decides; --eta and the like are refused by name, its own defaults are the course's
    50 steps."""
    for kind in zoo.FLOWS:
        save(runs.RUNS / kind / "001" / runs.LAST, kind=kind)
        assert isinstance(zoo.load_model(kind), FlowModel)
    assert flags_of("flow", {"seed": 3}) == SampleOptions(steps=50, seed=3)
    assert flags_of("class", {"eta": 1.0}) == SampleOptions(eta=1.0)
    with pytest.raises(ValueError, match="no use for --clip, --eta"):
        flags_of("flow-uncond", {"eta": 1.0, "clip": True})


def test_guidance_until_the_start_is_plain_conditioning():
    """1 guides nowhere, 0 everywhere; without classes guidance is refused."""
    asked, prompts = attentive(20), ["3", "4"]
    ends = {
        name: list(generate(asked, prompts, 4, 0, **how))[-1].x_t
        for name, how in {
            "plain": {}, "nowhere": {"gamma": 5.0, "guide_until": 1.0},
            "all": {"gamma": 5.0}, "early": {"gamma": 5.0, "guide_until": 0.5},
        }.items()
    }
    assert torch.equal(ends["plain"], ends["nowhere"])
    assert not torch.equal(ends["all"], ends["plain"])
    assert not torch.equal(ends["all"], ends["early"])
    with pytest.raises(ValueError, match="knows no classes"):
        generate(plain(), [""], 4, 0, gamma=5.0)


def test_a_loaded_model_samples_with_its_batchnorm_in_eval_mode(workplace):
    """The running means move in training only: a generate leaves them as they are."""
    save(runs.RUNS / "uncond" / "001" / runs.LAST)
    model = zoo.load_model("uncond")
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    list(generate(model, [""] * 4, 3, 0))
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())


def test_without_a_run_the_last_shipped_mark_is_meant(workplace, monkeypatch):
    """And without either, the message names the target."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace)
    with pytest.raises(ValueError, match="make train-uncond"):
        zoo.find("uncond")
    for epoch in (1, 12):
        save(workplace / f"uncond-epoch-{epoch:02d}.pt", epoch=epoch)
    assert zoo.find("uncond").name == "uncond-epoch-12.pt"
    assert "shipped" in zoo.origin(zoo.find("uncond"))
    save(runs.RUNS / "uncond" / "001" / runs.LAST)
    assert zoo.find("uncond") == runs.RUNS / "uncond" / "001" / runs.LAST
    assert "001" in zoo.origin(zoo.find("uncond"))
    assert zoo.find("class", "uncond") == zoo.find("uncond")  # a kind is a name, too


def test_a_walk_hears_a_learned_variance_and_guidance_below_1_holds_to_the_end():
    """The contract allows (eps_hat, v), in chunks too; gamma 0 ignores the prompt at every step."""
    inner = attentive(20)

    class Learned(NoiseModel):
        def __call__(self, x_t, t, cond=None):
            return inner(x_t, t, cond), torch.ones_like(x_t)

    learned = Learned(inner.network, 20)
    *_, a = generate(learned, ["7"] * 3, 4, 0, gamma=2.0, kind="learned")
    *_, b = generate(inner, ["7"] * 3, 4, 0, gamma=2.0, kind="beta")  # v = 1 is beta
    assert torch.allclose(a.x_t, b.x_t, atol=1e-5)
    *_, a = generate(inner, ["7"], 4, 0, gamma=0.0, guide_until=0.5)
    *_, b = generate(inner, ["1"], 4, 0, gamma=0.0, guide_until=0.5)
    assert torch.equal(a.x_t, b.x_t)
