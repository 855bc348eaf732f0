"""models/upsampler.py and train/upsampler.py: the second stage, and that each input counts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import sample.class_cond
import train.upsampler
from minidiff.data import strokes
from minidiff.models import generate, upsampler, zoo
from minidiff.models.options import options_for
from minidiff.models.upsampler import Upsampler, consistent, enlarged, shrunk, upsample
from minidiff.network.unet import UNet
from minidiff.theory.samplers import ddim_step, ddpm_step
from minidiff.theory.schedule import linear
from minidiff.training.recipe import Recipe


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sensitive(T=20, size=56, channels=(2, 1)):
    """An upsampler with random weights that depends on all its inputs."""
    torch.manual_seed(0)
    network = UNet(4, time=2, classes=10, size=size, channels=channels)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.startswith(("class", "time")):
                p.mul_(10)
        for _ in range(10):  # BatchNorm needs statistics
            one_hot = torch.eye(10)[torch.randint(10, (8,))]
            network(torch.randn(8, channels[0], size, size), torch.rand(8, 2), one_hot)
    return Upsampler(network.eval(), T)


@pytest.mark.parametrize("size, c, time", [(56, (2, 1), 2), (64, (6, 3), 2), (32, (3, 3), 1)])
def test_one_unet_takes_other_sizes_channels_and_times(size, c, time):
    """The number of parameters differs from the 28x28 model's in the bottleneck, the first and the
    last layer and the FCBlocks of time, as counted by hand; the image keeps its size."""
    D = 4
    network = UNet(D, time=time, classes=10, size=size, channels=c).eval()
    base = sum(p.numel() for p in UNet(D, time=1, classes=10).parameters())
    more = (
        (2 * D) ** 2 * ((size // 4) ** 2 - 49) + 9 * D * (c[0] - 1)
        + (9 * D + 1) * (c[1] - 1) + 3 * D * (time - 1)
    )
    assert sum(p.numel() for p in network.parameters()) == base + more
    t = torch.rand(2, time) if time > 1 else torch.rand(2)
    x = network(torch.randn(2, c[0], size, size), t, torch.zeros(2, 10))
    assert x.shape == (2, c[1], size, size)


def test_enlarging_and_shrinking_keep_what_they_should():
    """A uniform image stays uniform; shrinking keeps the mean, is the mean of 2x2 pixels without
    blur, and blur makes it softer."""
    uniform = torch.full((2, 1, 56, 56), 0.3)
    assert torch.allclose(enlarged(shrunk(uniform)), uniform, atol=1e-6)
    x = noise(200, 1, 56, 56)
    assert torch.allclose(shrunk(x, softest=0.0), F.avg_pool2d(x, 2), atol=1e-6)
    soft = shrunk(x, torch.Generator().manual_seed(0))
    assert soft.std() < 0.9 * F.avg_pool2d(x, 2).std()
    assert soft.mean().item() == pytest.approx(x.mean().item(), abs=2e-3)


def test_the_small_image_is_noised_to_its_level():
    """Of a uniform image of 0.8, level s has mean 0.8 sqrt(ab_s) and deviation sqrt(1 - ab_s)."""
    model = sensitive(300)
    low = torch.full((20, 1, 28, 28), 0.8)
    for level in (0.0, 0.1, 0.5):
        given = model.given(low, level, torch.Generator().manual_seed(0))
        ab = linear(300).alpha_bar[round(300 * level)].item()
        assert given.low.mean().item() == pytest.approx(0.8 * ab**0.5, abs=0.01)
        assert given.low.std().item() == pytest.approx((1 - ab) ** 0.5, abs=0.01)
    assert model.low is None  # `given` returns a copy


def test_image_level_and_digit_all_reach_the_network():
    """Changing one of them changes eps_hat; changing none does not."""
    model, x, t = sensitive(), noise(2, 1, 56, 56), torch.tensor([10, 10])
    low = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))

    def predicted(low=low, level=0.0, digits=("3", "3")):
        given = model.given(low, level, torch.Generator().manual_seed(0))
        return given(x, t, given.embed(list(digits)))

    first = predicted()
    assert torch.equal(first, predicted())
    assert (predicted(low=1 - low) - first).abs().max() > 1e-3
    assert (predicted(digits=("3", "4"))[1] - first[1]).abs().max() > 1e-3
    assert torch.equal(predicted(digits=("3", "4"))[0], first[0])
    given = model.given(low, 0.0)  # the same image, but the network is given another level
    given.level = 10
    assert (given(x, t, given.embed(["3", "3"])) - first).abs().max() > 1e-3


def test_without_the_digit_the_image_is_still_given():
    """The null condition of guidance hides the digit and nothing else."""
    given = sensitive().given(torch.rand(2, 1, 28, 28), 0.25)
    cond, null = given.embed(["3", "5"]), given.embed(["", ""])
    assert torch.equal(cond[:, 10:], null[:, 10:]) and null[:, :10].sum() == 0
    assert cond[:, 10].tolist() == [0.25, 0.25]
    assert torch.equal(cond[:, 11:].view(2, 1, 56, 56), given.low)


def test_each_small_image_stays_with_its_large_one_in_chunks_and_under_guidance(monkeypatch):
    """Sampling in chunks of two gives the images of one batch."""
    model, low = sensitive(), torch.rand(5, 1, 28, 28)
    options = {"prompts": list("01234"), "steps": 3, "gamma": 2.0}
    whole = upsample(model, low, **options)
    monkeypatch.setattr(generate, "CHUNK", 8)  # of 28x28, so two of 56x56
    sizes = []
    hook = model.network.register_forward_pre_hook(lambda n, inputs: sizes.append(len(inputs[0])))
    assert torch.allclose(upsample(model, low, **options), whole, atol=1e-4)
    hook.remove()
    assert max(sizes) == 2
    assert whole.shape == (5, 1, 56, 56) and 0 <= whole.min() <= whole.max() <= 1


def test_colour_and_other_sizes_are_settings():
    """RGB, 32 to 64 pixels: each image is given its own three channels, and is consistent with
    them."""
    model = sensitive(size=64, channels=(6, 3))
    low = 0.3 + 0.4 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    large = upsample(model, low, ["3", ""], steps=3, gamma=2.0)
    assert large.shape == (2, 3, 64, 64)
    free = upsample(model, low, ["3", ""], steps=3, gamma=2.0, held=False)
    errors = [F.mse_loss(F.avg_pool2d(x, 2), low) for x in (large, free)]
    assert errors[0] < 0.1 * errors[1]
    given = model.given(low, 0.0)
    assert torch.allclose(given.embed(["", ""])[:, 11:].view(2, 3, 64, 64), enlarged(low))


def test_the_second_stage_has_noise_of_its_own():
    """Neither x_T nor the noise on the small image is what the first stage generates from the same
    seed or a neighbour, nor are they alike; the same seed gives them again."""
    model, inputs = sensitive(), []
    hook = model.network.register_forward_pre_hook(lambda network, args: inputs.append(args[0]))
    for _ in range(2):
        upsample(model, torch.zeros(2, 1, 28, 28), steps=1, level=0.5, seed=3)
    hook.remove()
    assert torch.equal(*inputs)
    x_T, low = inputs[0][:, :1], inputs[0][:, 1:]
    first = [noise(2, 1, 56, 56, seed=seed) for seed in range(6)]
    for a, b in [(x_T, low), *((own, other) for own in (x_T, low) for other in first)]:
        assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].abs() < 0.06


def test_a_consistent_image_shrinks_back_to_the_input():
    """x + A⁺ (low - A x) shrinks to low, changes x by no more than necessary, and leaves alone what
    shrinks to low already; a whole sampling ends there, and a free one does not."""
    x = torch.rand(3, 1, 56, 56, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.4
    low = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(2)) * 0.2 + 0.4
    clip = consistent(low, (0.0, 1.0))
    assert torch.allclose(F.avg_pool2d(clip(x), 2), low, atol=1e-6)
    change = clip(x) - x  # the same for the four pixels of a block: nothing smaller would do
    repeated = F.interpolate(F.avg_pool2d(change, 2), scale_factor=2)
    assert torch.allclose(change, repeated, atol=1e-6)
    assert torch.allclose(clip(clip(x)), clip(x), atol=1e-6)
    back = F.avg_pool2d(upsample(sensitive(), low, steps=3), 2)
    free = F.avg_pool2d(upsample(sensitive(), low, steps=3, held=False), 2)
    assert F.mse_loss(back, low) < 0.1 * F.mse_loss(free, low)


@pytest.mark.parametrize("step", [ddpm_step, ddim_step])
def test_a_function_may_replace_clipping(step):
    """It is given x_0_hat, and eps_hat follows from what it returns: clamping by hand is clip."""
    x_t, eps_hat = noise(2, 1, 8, 8), noise(2, 1, 8, 8, seed=1)
    a, b = (step(linear(), x_t, 200, 100, eps_hat, clip=clip,
                 generator=torch.Generator().manual_seed(9))
            for clip in ((-1.0, 1.0), lambda x: x.clamp(-1, 1)))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


def test_what_does_not_fit_is_refused():
    """Images of another size, levels outside the training, and another number of prompts."""
    model = sensitive()
    with pytest.raises(ValueError, match=r"\(N,1,28,28\)"):
        model.given(torch.zeros(1, 1, 56, 56))
    with pytest.raises(ValueError, match=r"0\.\.0\.5"):
        model.given(torch.zeros(1, 1, 28, 28), 0.6)
    with pytest.raises(ValueError, match="given"):
        model.embed(["3"])
    with pytest.raises(ValueError, match="2 prompts for 1"):
        model.given(torch.zeros(1, 1, 28, 28)).embed(["3", "3"])


def test_the_loss_gives_the_network_the_small_image_at_every_level():
    """The network's input is x_t next to the enlarged image at level s; it is given t/T and s/T, s
    uniform in 0 .. TOP T; the digit is hidden with probability p_uncond."""
    inputs = {}

    def record(network, args):
        inputs.update(x=args[0], t=args[1], c=args[2])

    images, labels = strokes.dataset(400, seed=1, size=56)
    model = sensitive()
    model.network.register_forward_pre_hook(record)
    train.upsampler.loss(model, images.float() / 255, labels, torch.Generator().manual_seed(0),
                         Recipe(T=20, p_uncond=0.3))
    assert inputs["x"].shape == (400, 2, 56, 56)
    s = (inputs["t"][:, 1] * 20).round().long()
    assert s.unique().tolist() == list(range(11))
    assert torch.allclose(inputs["t"][:, 0].unique() * 20, torch.arange(1.0, 21), atol=1e-4)
    clean = inputs["x"][s == 0, 1:]
    assert (clean - images[s == 0].float() / 255).abs().mean() < 0.05
    hidden = inputs["c"].sum(1) == 0
    assert 0.2 < hidden.float().mean() < 0.4
    assert torch.equal(inputs["c"][~hidden].argmax(1), labels[~hidden])
    rough = [inputs["x"][s == k, 1:].diff(dim=3).std() for k in (0, 5, 10)]
    assert rough[0] < rough[1] < rough[2]


@pytest.mark.skipif(not zoo.snapshots("upsampler"), reason="no upsampler is shipped")
def test_a_cascade_is_the_first_stage_and_then_the_second(tmp_path, monkeypatch):
    """With --upsample or without, the first stage generates the same images, bit for bit; the
    second is given exactly these, and its images, twice as large, shrink back to them."""
    given = []

    def recorded(model, low, *args, **options):
        given.append(low)
        return upsample(model, low, *args, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(upsampler, "upsample", recorded)
    words = ["--digits", "0123456789", "--per-digit", "1", "--device", "cpu", "--npz"]
    sample.class_cond.main([*words, "small.npz"])
    assert not given
    sample.class_cond.main([*words, "large.npz", "--upsample"])
    small, large = (torch.from_numpy(np.load(f"{n}.npz")["images"]) for n in ("small", "large"))
    model = zoo.load_model("class")
    options = options_for(model)
    *_, last = generate.generate(model, [*"0123456789"], steps=20, seed=0, kind="beta_tilde",
                                 **options.guidance)
    assert torch.equal(given[0], last.x_t.clamp(0, 1)) and torch.equal(small, given[0])
    assert large.shape == (10, 1, 56, 56)
    assert F.mse_loss(F.avg_pool2d(large, 2), small).item() < 1e-3  # 30 dB


@pytest.mark.skipif(not zoo.snapshots("upsampler"), reason="no upsampler is shipped")
def test_the_shipped_upsampler_beats_interpolation():
    """On eight strokes outside the training set it is nearer to the truth than bicubic, and
    sharper."""
    model = zoo.load_model("", kinds=("upsampler",))
    x_0 = strokes.dataset(8, seed=77, size=56)[0].float() / 255
    low = F.avg_pool2d(x_0, 2)
    ours, bicubic = upsample(model, low), F.interpolate(low, scale_factor=2, mode="bicubic")
    assert F.mse_loss(ours, x_0) < F.mse_loss(bicubic, x_0)
    assert ours.diff(dim=3).std() > 1.1 * bicubic.diff(dim=3).std()
