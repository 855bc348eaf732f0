"""train/first.py: chapter 1 computes what the library computes."""

import torch
import torch.nn.functional as F
from PIL import Image

from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.theory.diffusion import noise_like, noise_loss, stratified_timesteps
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import sample
from tests.conftest import attentive
from train import class_cond, first


def test_the_constants_are_the_librarys(tiny):
    """Schedule, share of hidden labels and network are those of the class-conditioned model."""
    model = NoiseModel(UNet(1, **first.NETWORK), first.T)
    assert torch.allclose(model.schedule.alpha_bar[1:], first.ALPHA_BAR, rtol=1e-5)
    assert len(first.ALPHA_BAR) == first.T == model.schedule.T
    assert first.P_UNCOND == 0.1 and class_cond.JOB.network(tiny) == first.NETWORK


def test_the_loss_is_noise_loss():
    """For the same images, timesteps, noise and labels, value and gradient are those of noise_loss
    with the model's schedule."""
    torch.manual_seed(0)
    model = NoiseModel(UNet(2, time=True, classes=10))
    x_0, c = torch.rand(6, 1, 28, 28), F.one_hot(torch.arange(6), 10).float()
    ours = noise_loss(model.schedule, model, x_0, c, torch.Generator().manual_seed(1))
    g = torch.Generator().manual_seed(1)
    t = stratified_timesteps(6, 300, g)
    theirs = first.loss(model.network, x_0, c, t, noise_like(x_0, g))
    found = []
    for loss in (ours, theirs):
        model.network.zero_grad()
        loss.backward()
        found.append(model.network.enter[0][0].weight.grad.clone())
    assert torch.allclose(ours, theirs, rtol=1e-5) and torch.allclose(*found, rtol=1e-3, atol=1e-6)


def test_the_samples_are_those_of_guided_ddpm():
    """For the same noise, `sample` is our DDPM trajectory with variance beta, guidance, and no
    clipping."""
    model, digits = attentive(), torch.tensor([3, 8])
    torch.manual_seed(0)
    theirs = first.sample(model.network, digits, 2.0, steps=30)
    cond, null = model.embed(["3", "8"]), model.embed(["", ""])
    torch.manual_seed(0)
    x = torch.randn(2, 1, 28, 28)
    ours = sample(guided(model, cond, null, 2.0), model.schedule, x, list(range(30, -1, -1)))
    assert torch.allclose(ours, theirs, atol=1e-3), (ours - theirs).abs().max()


def test_a_few_steps_train(tiny):
    """The loss falls by 40% within 60 steps on 130 digits."""
    torch.manual_seed(0)
    x, labels = tiny.images_at(slice(None)), tiny.labels
    batches = [(x[k : k + 26], labels[k : k + 26]) for k in range(0, 130, 26)] * 12
    found = list(first.train(UNet(4, **first.NETWORK), batches))
    assert len(found) == 60 and sum(found[-10:]) < 0.6 * sum(found[:10])


def test_the_learning_rate_falls_to_zero_over_the_steps(tiny):
    """With `steps` given, the last of four steps moves a weight by about a quarter of lr: early
    steps of Adam move it by the learning rate."""
    torch.manual_seed(0)
    x, labels = tiny.images_at(slice(8)), tiny.labels[:8]
    network, moved = UNet(1, **first.NETWORK), []
    weight = network.leave[-1].bias
    before = weight.item()
    for _ in first.train(network, [(x, labels)] * 4, 1e-2, steps=4):
        moved.append(abs(weight.item() - before) / 1e-2)
        before = weight.item()
    assert all(abs(a - b) < 0.2 for a, b in zip(moved, (1, 0.75, 0.5, 0.25))), moved


def test_a_tenth_of_the_labels_is_hidden(monkeypatch, tiny):
    """`train` gives the network one-hot labels, of which about a tenth are zeros, and t in 1..T."""
    seen = []

    def loss(network, x_0, c, t, eps):
        seen.append((c, t))
        return F.mse_loss(network(x_0, t / first.T, c), eps)

    monkeypatch.setattr(first, "loss", loss)
    torch.manual_seed(0)
    labels = torch.arange(500) % 10
    next(first.train(UNet(1, **first.NETWORK), [(torch.rand(500, 1, 28, 28), labels)]))
    ((c, t),) = seen
    given = c.sum(1) > 0
    assert 0.85 < given.float().mean() < 0.95 and torch.equal(c[given].argmax(1), labels[given])
    assert 1 <= t.min() < 20 and 280 < t.max() <= 300


def test_the_script_writes_forty_digits(workplace, monkeypatch, capsys):
    """main() trains on whatever data set is found and writes a grid of ten columns, four rows."""
    monkeypatch.setattr(first, "sample", lambda network, digits, gamma: torch.rand(
        len(digits), 1, 28, 28) * (1 - network.training))
    first.main(width=1)
    with Image.open(workplace / "first.png") as grid:
        assert grid.size == (840, 336) and grid.getextrema()[1] > 200
    assert "wrote first.png" in capsys.readouterr().out
