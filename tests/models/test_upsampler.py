"""upsampler.py and train/upsampler.py: the second stage, and that it hears what it is told."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import sample.class_cond
import train.upsampler
from minidiff.data import strokes
from minidiff.models import (
    generate,
    upsampler,
    zoo,  # CHECK models
)
from minidiff.models.upsampler import Upsampler, enlarged, shrunk, upsample
from minidiff.network.unet import UNet
from minidiff.theory.samplers import ddim_step, ddpm_step
from minidiff.theory.schedule import linear
from minidiff.training.recipe import Recipe


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attentive(T=20, size=56, channels=(2, 1)):
    """An upsampler with random weights that hears what it is told; fresh ones hardly do."""
    torch.manual_seed(0)
    network = UNet(4, time=2, classes=10, size=size, channels=channels)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.startswith(("class", "time")):
                p.mul_(10)
        for _ in range(10):  # BatchNorm sees what it will have to normalise
            one_hot = torch.eye(10)[torch.randint(10, (8,))]
            network(torch.randn(8, channels[0], size, size), torch.rand(8, 2), one_hot)
    return Upsampler(network.eval(), T)


@pytest.mark.parametrize(
    "size, channels, time", [(56, (2, 1), 2), (64, (6, 3), 2), (32, (3, 3), 1)]
)
def test_one_unet_takes_other_sizes_channels_and_times(size, channels, time):
    """Its parameters differ from the 28x28 model's in the bottleneck, the first and the last layer
    and the FCBlocks of time, by as many as one can count; and it keeps the picture's size."""
    D = 4
    network = UNet(D, time=time, classes=10, size=size, channels=channels).eval()
    base = sum(p.numel() for p in UNet(D, time=1, classes=10).parameters())
    more = (
        (2 * D) ** 2 * ((size // 4) ** 2 - 49) + 9 * D * (channels[0] - 1)
        + (9 * D + 1) * (channels[1] - 1) + 3 * D * (time - 1)
    )
    assert sum(p.numel() for p in network.parameters()) == base + more
    t = torch.rand(2, time) if time > 1 else torch.rand(2)
    x = network(torch.randn(2, channels[0], size, size), t, torch.zeros(2, 10))
    assert x.shape == (2, channels[1], size, size)


def test_enlarging_and_shrinking_keep_what_they_should():
    """A plain picture stays plain; shrinking keeps the mean, is the mean of 2x2 where nothing is
    blurred, and a blur makes it softer."""
    plain = torch.full((2, 1, 56, 56), 0.3)
    assert torch.allclose(enlarged(shrunk(plain)), plain, atol=1e-6)
    x = noise(200, 1, 56, 56)
    assert torch.allclose(shrunk(x, softest=0.0), F.avg_pool2d(x, 2), atol=1e-6)
    soft = shrunk(x, torch.Generator().manual_seed(0))
    assert soft.std() < 0.9 * F.avg_pool2d(x, 2).std()
    assert soft.mean().item() == pytest.approx(x.mean().item(), abs=2e-3)


def test_it_is_shown_the_small_picture_noised_to_its_level():
    """Of a plain picture of 0.8, level s has mean 0.8 sqrt(ab_s) and deviation sqrt(1 - ab_s)."""
    model = attentive(300)
    low = torch.full((20, 1, 28, 28), 0.8)
    for level in (0.0, 0.1, 0.5):
        shown = model.given(low, level, torch.Generator().manual_seed(0))
        ab = linear(300).alpha_bar[round(300 * level)].item()
        assert shown.low.mean().item() == pytest.approx(0.8 * ab**0.5, abs=0.01)
        assert shown.low.std().item() == pytest.approx((1 - ab) ** 0.5, abs=0.01)
    assert model.low is None  # the model itself is shown nothing


def test_picture_level_and_digit_all_reach_the_network():
    """Another of each changes eps_hat; the same does not."""
    model, x, t = attentive(), noise(2, 1, 56, 56), torch.tensor([10, 10])
    low = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))

    def told(low=low, level=0.0, digits=("3", "3")):
        shown = model.given(low, level, torch.Generator().manual_seed(0))
        return shown(x, t, shown.embed(list(digits)))

    plain = told()
    assert torch.equal(plain, told())
    assert (told(low=1 - low) - plain).abs().max() > 1e-3
    assert (told(digits=("3", "4"))[1] - plain[1]).abs().max() > 1e-3
    assert torch.equal(told(digits=("3", "4"))[0], plain[0])
    shown = model.given(low, 0.0)  # the same picture, only told another level
    shown.level = 10
    assert (shown(x, t, shown.embed(["3", "3"])) - plain).abs().max() > 1e-3


def test_without_the_digit_the_picture_is_still_shown():
    """The null condition of guidance hides the digit and nothing else."""
    shown = attentive().given(torch.rand(2, 1, 28, 28), 0.25)
    asked, null = shown.embed(["3", "5"]), shown.embed(["", ""])
    assert torch.equal(asked[:, 10:], null[:, 10:]) and null[:, :10].sum() == 0
    assert asked[:, 10].tolist() == [0.25, 0.25]
    assert torch.equal(asked[:, 11:].view(2, 1, 56, 56), shown.low)


def test_each_picture_is_shown_its_own_in_chunks_and_under_guidance(monkeypatch):
    """A walk in chunks of two is the walk in one: rows and pictures stay together."""
    model, low = attentive(), torch.rand(5, 1, 28, 28)
    asked = {"prompts": list("01234"), "steps": 3, "gamma": 2.0}
    whole = upsample(model, low, **asked)
    monkeypatch.setattr(zoo, "CHUNK", 8)  # of 28x28, so two of 56x56
    assert torch.allclose(upsample(model, low, **asked), whole, atol=1e-4)
    assert whole.shape == (5, 1, 56, 56) and 0 <= whole.min() <= whole.max() <= 1


def test_colour_and_other_sizes_are_settings():
    """RGB, 32 to 64: each picture's own three channels are shown beside the noise, and held to."""
    model = attentive(size=64, channels=(6, 3))
    low = 0.3 + 0.4 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    large = upsample(model, low, ["3", ""], steps=3, gamma=2.0)
    assert large.shape == (2, 3, 64, 64)
    free = upsample(model, low, ["3", ""], steps=3, gamma=2.0, held=False)
    missed = [F.mse_loss(F.avg_pool2d(x, 2), low) for x in (large, free)]
    assert missed[0] < 0.1 * missed[1]
    shown = model.given(low, 0.0)
    assert torch.allclose(shown.embed(["", ""])[:, 11:].view(2, 3, 64, 64), enlarged(low))


def test_the_second_stage_has_noise_of_its_own():
    """Neither x_T nor the noise on what is shown is what the first stage draws from the same seed
    or a neighbour, nor are they alike; and the same seed gives them again."""
    model, heard = attentive(), []
    hook = model.network.register_forward_pre_hook(lambda network, args: heard.append(args[0]))
    for _ in range(2):
        upsample(model, torch.zeros(2, 1, 28, 28), steps=1, level=0.5, seed=3)
    hook.remove()
    assert torch.equal(*heard)
    x_T, low = heard[0][:, :1], heard[0][:, 1:]
    first = [noise(2, 1, 56, 56, seed=seed) for seed in range(6)]
    for a, b in [(x_T, low), *((own, other) for own in (x_T, low) for other in first)]:
        assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].abs() < 0.06


def test_what_is_held_shrinks_back_to_what_was_shown():
    """x + A⁺ (low - A x) shrinks to low, changes x by no more than it must, and leaves alone what
    shrinks to low already; a whole walk ends there, and a free one does not."""
    x = torch.rand(3, 1, 56, 56, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.4
    low = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(2)) * 0.2 + 0.4
    held = upsampler.consistent(low, (0.0, 1.0))(x)
    assert torch.allclose(F.avg_pool2d(held, 2), low, atol=1e-6)
    moved = held - x  # the same for the four pixels of a block: nothing smaller would do
    assert torch.allclose(moved, F.interpolate(F.avg_pool2d(moved, 2), scale_factor=2), atol=1e-6)
    assert torch.allclose(upsampler.consistent(low, (0.0, 1.0))(held), held, atol=1e-6)
    back = F.avg_pool2d(upsample(attentive(), low, steps=3), 2)
    free = F.avg_pool2d(upsample(attentive(), low, steps=3, held=False), 2)
    assert F.mse_loss(back, low) < 0.1 * F.mse_loss(free, low)


def test_a_function_may_take_the_place_of_clipping():
    """It is given x_0_hat, and eps_hat follows from what it returns: clamping by hand is clip."""
    x_t, eps_hat = noise(2, 1, 8, 8), noise(2, 1, 8, 8, seed=1)
    for step in (ddpm_step, ddim_step):
        a, b = (step(linear(), x_t, 200, 100, eps_hat, clip=clip,
                     generator=torch.Generator().manual_seed(9))
                for clip in ((-1.0, 1.0), lambda x: x.clamp(-1, 1)))
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


def test_what_does_not_fit_is_refused():
    """Pictures of another size, levels never trained, as many prompts as pictures."""
    model = attentive()
    with pytest.raises(ValueError, match=r"\(N,1,28,28\)"):
        model.given(torch.zeros(1, 1, 56, 56))
    with pytest.raises(ValueError, match=r"0\.\.0\.5"):
        model.given(torch.zeros(1, 1, 28, 28), 0.6)
    with pytest.raises(ValueError, match="given"):
        model.embed(["3"])
    with pytest.raises(ValueError, match="2 prompts for 1"):
        model.given(torch.zeros(1, 1, 28, 28)).embed(["3", "3"])


def test_training_shows_the_shrunk_picture_at_every_level_and_tells_it():
    """What the loss feeds: x_t beside the enlarged picture at level s, told t/T and s/T, s spread
    over 0 .. TOP; the digit hidden with probability p_uncond."""
    heard = {}

    def network(x, t, c):
        heard.update(x=x, t=t, c=c)
        return x[:, :1]

    images, labels = strokes.dataset(400, seed=1, size=56)
    loss = train.upsampler.loss(Recipe(T=20, p_uncond=0.3), torch.device("cpu"))
    loss(network, images.float() / 255, labels, torch.Generator().manual_seed(0))
    assert heard["x"].shape == (400, 2, 56, 56)
    s = (heard["t"][:, 1] * 20).round().long()
    assert s.unique().tolist() == list(range(11))
    assert torch.allclose(heard["t"][:, 0].unique() * 20, torch.arange(1.0, 21), atol=1e-4)
    clean = heard["x"][s == 0, 1:]
    assert (clean - images[s == 0].float() / 255).abs().mean() < 0.05
    assert 0.2 < (heard["c"].sum(1) == 0).float().mean() < 0.4
    rough = [heard["x"][s == k, 1:].diff(dim=3).std() for k in (0, 5, 10)]
    assert rough[0] < rough[1] < rough[2]


@pytest.mark.skipif(not zoo.snapshots("upsampler"), reason="no upsampler is shipped")
def test_the_cascade_is_the_first_stage_and_then_the_second(tmp_path, monkeypatch):
    """With --upsample or without, the first stage draws what `generate.generate` does, bit for bit; the
    second is shown exactly that, and its pictures, twice as large, shrink back to it."""
    shown = []

    def recorded(model, low, *args, **how):
        shown.append(low)
        return upsample(model, low, *args, **how)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(upsampler, "upsample", recorded)
    words = ["--digits", "0123456789", "--per-digit", "1", "--device", "cpu", "--npz"]
    sample.class_cond.main([*words, "small.npz"])
    assert not shown
    sample.class_cond.main([*words, "large.npz", "--upsample"])
    small, large = (torch.from_numpy(np.load(f"{n}.npz")["images"]) for n in ("small", "large"))
    model = zoo.load_model("class")
    *_, last = generate.generate(model, [*"0123456789"], 20, 0, kind="beta_tilde", **model.guidance)
    assert torch.equal(shown[0], last.x_t.clamp(0, 1)) and torch.equal(small, shown[0])
    assert large.shape == (10, 1, 56, 56)
    assert F.mse_loss(F.avg_pool2d(large, 2), small).item() < 1e-3  # 30 dB


@pytest.mark.skipif(not zoo.snapshots("upsampler"), reason="no upsampler is shipped")
def test_the_shipped_upsampler_beats_interpolation():
    """On eight unseen strokes: nearer to the truth than bicubic, and sharper."""
    model = upsampler.load()
    x_0 = strokes.dataset(8, seed=77, size=56)[0].float() / 255
    low = F.avg_pool2d(x_0, 2)
    ours, bicubic = upsample(model, low), F.interpolate(low, scale_factor=2, mode="bicubic")
    assert F.mse_loss(ours, x_0) < F.mse_loss(bicubic, x_0)
    assert ours.diff(dim=3).std() > 1.1 * bicubic.diff(dim=3).std()
