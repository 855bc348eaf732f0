"""loop.py: the loop, its learning rate, and exact resuming."""

import math
from copy import deepcopy

import pytest
import torch

from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.guidance import drop_condition
from minidiff.theory.schedule import linear
from minidiff.training.loop import Diverged, Training, fit, learning_rate
from minidiff.training.recipe import Recipe
from tests.conftest import same


def config(**more):
    return Recipe(**{
        "width": 4, "batch_size": 64, "epochs": 2, "T": 20, "precision": "float32", **more
    })


def loss_fn(model, x_0, labels, generator):
    return noise_loss(model.schedule, model, x_0, None, generator)


def training(cfg, loss=loss_fn):
    torch.manual_seed(cfg.seed)
    model = NoiseModel(UNet(cfg.width, time=True), cfg.T, precision=cfg.precision)
    return Training(model, loss, cfg)


def finish(run, tiny):
    for _ in fit(run, tiny, log_every=1):
        pass
    return run.network.state_dict()


@pytest.mark.parametrize("decay", ["constant", "exponential", "linear"])
def test_resuming_at_an_epoch_gives_the_same_bits(tiny, decay):
    """Stopped after epoch 1 and resumed from a copy of its saved state, with the global random
    state disturbed: the weights are those of an uninterrupted run, bit for bit."""
    cfg = config(epochs=3, decay=decay, warmup=2)
    straight = finish(training(cfg), tiny)

    first = training(cfg)
    for p in fit(first, tiny):
        if p.epoch_ended:
            break
    saved = deepcopy((first.network.state_dict(), first.state_dict(), first.epoch, first.step))

    torch.manual_seed(12345)
    torch.rand(7)
    second = training(cfg)
    second.network.load_state_dict(saved[0])
    second.load_state_dict(*saved[1:])
    assert (second.epoch, second.step) == (1, 3)
    assert same(finish(second, tiny), straight)


@pytest.mark.parametrize("forgotten", ["optimizer", "generator"])
def test_forgetting_a_part_of_the_state_is_noticed(tiny, forgotten):
    """The test above can fail: without moments or random state the weights differ."""
    cfg = config(epochs=2)
    straight = finish(training(cfg), tiny)
    first = training(cfg)
    for p in fit(first, tiny):
        if p.epoch_ended:
            break
    state = first.state_dict()
    state[forgotten] = training(cfg).state_dict()[forgotten]
    second = training(cfg)
    second.network.load_state_dict(first.network.state_dict())
    second.load_state_dict(state, first.epoch, first.step)
    assert not same(finish(second, tiny), straight)


def test_a_run_resumes_in_another_memory_order(tiny):
    """Moments saved in torch's own order are loaded for weights in channels-last order, as when a
    run moves to another device: each moment finds its weight. Here the gradient is known, 2 w."""
    x, runs = tiny.images_at(slice(8)), []
    for _ in range(2):
        run = training(config(), lambda model, *_: sum(p.square().sum()
                                                       for p in model.network.parameters()))
        runs.append(run)
    straight, moved = runs
    straight.update(x, None, 1e-2)
    moved.network.to(memory_format=torch.channels_last)
    moved.network.load_state_dict(straight.network.state_dict())
    moved.load_state_dict(deepcopy(straight.state_dict()), 0, 1)
    for run in runs:
        run.update(x, None, 1e-2)
    assert same(straight.network.state_dict(), moved.network.state_dict())


def test_the_seed_decides_the_weights(tiny):
    """The same seed gives the same bits; another seed, another model."""
    a, b, c = (finish(training(config(seed=s, epochs=1)), tiny) for s in (0, 0, 1))
    assert same(a, b) and not same(a, c)


def test_two_batches_do_not_share_their_noise(tiny):
    """Reseeding at each step would train on the same noise again and again."""
    seen = []

    def spy(model, x_0, labels, generator):
        seen.append(torch.rand(1, generator=generator).item())
        return loss_fn(model, x_0, labels, generator)

    finish(training(config(), spy), tiny)
    assert len(set(seen)) == len(seen) == 6


def test_exponential_decay_is_by_epoch_and_ends_at_a_tenth():
    """Constant within an epoch, then times 0.1^(1/epochs); after every batch is a known mistake."""
    cfg = config(decay="exponential", epochs=20, lr=1e-3)
    rates = [learning_rate(cfg, step, 469) for step in range(20 * 469)]
    assert len(set(rates)) == 20 and rates[0] == rates[468] == 1e-3
    assert rates[469] / rates[468] == pytest.approx(0.1 ** (1 / 20))
    assert rates[-1] == pytest.approx(1e-3 * 0.1 ** (19 / 20))


def test_linear_decay_falls_to_zero_after_the_warm_up():
    """It rises over `warmup` steps, then falls; the last step is the smallest, never negative."""
    cfg = config(decay="linear", epochs=2, warmup=10, lr=1.0)
    rates = [learning_rate(cfg, step, 50) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] and rates[-1] == pytest.approx(0.01)
    assert all(a > b for a, b in zip(rates[9:], rates[10:]))


def test_the_exponential_rate_is_torchs_own():
    """It is that of ExponentialLR stepped once an epoch, as the course says."""
    cfg = config(decay="exponential", epochs=5)
    p = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([p], cfg.lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1 / 5))
    for epoch in range(5):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(cfg, epoch * 3, 3))
        optimizer.step()
        scheduler.step()


def test_one_update_is_adam():
    """The first step of Adam moves every weight by lr · g / (|g| + eps), up to rounding."""
    cfg = config(lr=1e-3)
    run = training(cfg)
    before = NoiseModel(deepcopy(run.network), cfg.T)
    x_0, labels = torch.rand(8, 1, 28, 28), torch.zeros(8, dtype=torch.int64)
    before.network.train()
    loss_fn(before, x_0, labels, torch.Generator().manual_seed(cfg.seed)).backward()
    run.network.train()
    run.update(x_0, labels, 1e-3)
    for p, q in zip(before.network.parameters(), run.network.parameters()):
        expected = p - 1e-3 * p.grad / (p.grad.abs() + 1e-8)
        assert torch.allclose(q, expected, atol=2e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_through_the_model_is_the_direct_call(precision):
    """noise_loss with the model gives, bit for bit, the loss and every gradient of noise_loss with
    a direct call of the network at t/T under the same schedule; in bfloat16, within autocast."""
    torch.manual_seed(0)
    model = NoiseModel(UNet(4, time=True, classes=10), 20, precision=precision)
    network, x_0, labels = model.network, torch.rand(8, 1, 28, 28), torch.arange(8)
    found = []
    for direct in (False, True):
        network.zero_grad()
        g = torch.Generator().manual_seed(1)
        cond = drop_condition(model.condition(labels), 0.1, g)
        if direct:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = noise_loss(linear(20), lambda x, t, c: network(x, t / 20, c), x_0, cond, g)
        else:
            loss = noise_loss(model.schedule, model, x_0, cond, g)
        loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found)) and found[0][0] > 0.1


def test_training_learns(tiny):
    """Thirty epochs on 130 digits at least halve the loss of the first."""
    records = list(fit(training(config(epochs=30, lr=3e-3, width=8)), tiny))
    assert records[-1].loss < 0.5 * records[0].loss


def test_records_count_steps_epochs_and_images(tiny):
    """130 images in batches of 64: 3 steps an epoch, nothing counted twice."""
    records = list(fit(training(config(epochs=2)), tiny, log_every=2))
    assert [(p.epoch, p.step, p.images, p.epoch_ended) for p in records] == [
        (1, 2, 128, False), (1, 3, 2, True), (2, 5, 128, False), (2, 6, 2, True)
    ]
    assert all(p.steps == 6 for p in records)


def test_a_loss_that_is_not_finite_stops_the_run_before_the_epoch_counts(tiny):
    """NaN and infinity raise Diverged with the step, and epoch_ended is never reported."""
    for bad in (math.nan, math.inf):

        def explode(model, x_0, labels, generator, bad=bad):
            return loss_fn(model, x_0, labels, generator) * (bad if len(x_0) == 2 else 1)

        records = []
        with pytest.raises(Diverged, match="epoch 1, step 3; start again with a lower --lr"):
            for p in fit(training(config(), explode), tiny, log_every=1):
                records.append(p)
        assert [p.step for p in records] == [1, 2]


def test_weights_that_are_not_finite_are_caught_although_the_loss_was(tiny):
    """The last update of an epoch can break the weights after its loss was read."""
    run = training(config())
    update = run.update

    def spoil(x_0, labels, lr):
        loss = update(x_0, labels, lr)
        if run.step == 3:
            run.network.leave[-1].bias.data.fill_(math.nan)
        return loss

    run.update = spoil
    with pytest.raises(Diverged, match="weight"):
        list(fit(run, tiny))


def test_the_loop_trains_in_train_mode_even_if_the_loop_outside_samples(tiny):
    """The consumer may call eval() at a record; the next batch must be in training mode again."""
    run = training(config())
    modes = []

    def spy(model, *args):
        modes.append(model.network.training)
        return loss_fn(model, *args)

    run.loss_fn = spy
    for _ in fit(run, tiny, log_every=1):
        run.network.eval()
    assert all(modes) and len(modes) == 6


def test_bfloat16_follows_float32(tiny):
    """The fast format is nearly the same training: losses agree to a few percent."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        cfg = config(precision=precision, epochs=1)
        losses[precision] = [p.loss for p in fit(training(cfg), tiny, log_every=1)]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"] != losses["float32"]
