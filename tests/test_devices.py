"""Whatever touches a device works on each one that is here: cpu, cuda, mps."""

from functools import partial

import pytest
import torch

import minidiff
from minidiff.data.dataset import Dataset, batches
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.models.upsampler import Upsampler, upsample
from minidiff.network.registry import build
from minidiff.network.unet import UNet
from minidiff.theory.solvers import SAMPLERS
from minidiff.training.kinds import KINDS
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from tests.conftest import same

CPU = torch.device("cpu")


def small_set(device):
    """Return twelve random images with ten labels, on a device."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (12, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Dataset("noise", images, torch.arange(12) % 10).to(device)


def training(kind, device, **recipe):
    """Return a Training of a tiny network of this kind, and its data, on a device."""
    cfg, data = Recipe(width=2, batch_size=4, precision="float32", **recipe), small_set(device)
    arguments, loss = KINDS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(kind, {"width": 2, **arguments(data)}).to(device)
    model = zoo.MODELS[kind](network, **({} if kind == "denoiser" else {"T": 20}))
    return Training(model, partial(loss, cfg=cfg), cfg), data


def steps(run, data, n):
    """Do n training steps; return their losses."""
    made = [run.update(*batch, 1e-3) for batch in batches(data, 4, run.generator)]
    return made[:n] if n <= len(made) else made + steps(run, data, n - len(made))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_where_its_data_are(kind, device):
    """The losses are finite, of this device, and fall back on no other."""
    run, data = training(kind, device)
    losses = steps(run, data, 3)
    assert all(loss.isfinite() and loss.device.type == device.type for loss in losses)
    assert {p.device.type for p in run.network.parameters()} == {device.type}


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_training_goes_on_bit_for_bit_on_its_device(ema, device, tmp_path):
    """Three steps, a file, and three more give the weights of six steps, and of their average."""
    torch.backends.cudnn.deterministic = True
    whole, data = training("class", device, ema=ema)
    steps(whole, data, 6)
    first, _ = training("class", device, ema=ema)
    steps(first, data, 3)
    torch.save((first.final.state_dict(), first.state_dict()), tmp_path / "half.pt")
    weights, state = torch.load(tmp_path / "half.pt", map_location=CPU)
    second, _ = training("class", device, ema=ema)
    second.final.load_state_dict(weights)
    second.load_state_dict(state, 1, 3)
    steps(second, data, 3)
    assert same(second.final.state_dict(), whole.final.state_dict())
    assert same(second.network.state_dict(), whole.network.state_dict())


@pytest.mark.parametrize("kind", ["uncond", "class", "flow", "doodles"])
def test_the_shipped_weights_give_the_pixels_of_the_cpu(kind, device):
    """One seed, four steps: at most a hundredth of the range apart, whatever the device rounds."""
    prompts = {"class": ["3", "8"], "flow": ["3", "8"], "doodles": ["a red dog", "a skull"]}
    here, there = (
        minidiff.load(str(zoo.snapshots(kind)[-1]), device=str(d)).sample(
            prompts.get(kind, 2), steps=4, progress=False)
        for d in (device, CPU)
    )
    assert here.device == CPU and here.shape == there.shape
    torch.testing.assert_close(here, there, atol=0.01, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_runs_on_a_device(sampler, device):
    """The pixels are those of the CPU to within a hundredth of the range."""
    here, there = (
        minidiff.load(str(zoo.snapshots("class")[-1]), device=str(d)).sample(
            ["3"], steps=4, sampler=sampler, progress=False)
        for d in (device, CPU)
    )
    torch.testing.assert_close(here, there, atol=0.01, rtol=0)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_close_to_float32(precision, device):
    """A half format changes pixels by less than a tenth of the range on average."""
    if (device.type, precision) == ("cpu", "float16"):
        pytest.skip("the CPU has no fast float16")
    rough, exact = (
        minidiff.load(str(zoo.snapshots("class")[-1]), device=str(device), precision=p).sample(
            ["3"], steps=4, progress=False)
        for p in (precision, "float32")
    )
    assert not torch.equal(rough, exact) and (rough - exact).abs().mean() < 0.1


def test_the_second_stage_runs_on_a_device(device):
    """A tiny upsampler, two steps: the pixels of the CPU to within a hundredth of the range."""
    def enlarged(d):
        torch.manual_seed(0)
        network = UNet(2, time=2, classes=10, size=16, channels=(2, 1)).eval().to(d)
        return upsample(Upsampler(network, 20), torch.rand(2, 1, 8, 8), ["3", "8"], steps=2).cpu()

    torch.testing.assert_close(enlarged(device), enlarged(CPU), atol=0.01, rtol=0)


def test_a_checkpoint_of_one_device_is_read_on_another(device, tmp_path):
    """Weights saved on this device load on the CPU, unchanged."""
    run, _ = training("class", device)
    found = {"kind": "class", "network": {"width": 2, "time": 1, "classes": 10},
             "weights": run.final.state_dict(), "model": run.model.description(),
             "config": {"T": 20}, "dataset": "noise", "epoch": 1, "step": 1,
             "device": device.type, "hardware": "a device"}
    checkpoint.save(tmp_path / "a.pt", found)
    weights = checkpoint.load(tmp_path / "a.pt")["weights"]
    assert {w.device for w in weights.values()} == {CPU}
    assert same(weights, {k: v.cpu() for k, v in run.final.state_dict().items()})
