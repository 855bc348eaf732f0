"""A second stage: a diffusion model that draws small pictures again, large.

The first stage decides what there is to see; the second only has to see it sharply. So it is a
UNet like the first, of twice the size, that is shown the small picture beside the noise:

    eps_hat = UNet( [x_t, low_s],  t/T,  s/T,  digit )          x_t  56x56, low_s  56x56

    low_s = q_sample(enlarged(low), s)        the small picture, enlarged by interpolation, noised

Why noise what it is shown? A picture from the first stage is not quite like a shrunk real one. A
network that was trained on the latter trusts its input too much, and enlarges its flaws. With some
noise on it the two look alike; and since the network is told the level s, it knows how far to trust
it. s is a knob when sampling: 0 copies every pixel, much lets the second stage invent. This is
conditioning augmentation, and what Imagen and DeepFloyd do.

What is shown is also known: shrunk back, the large picture should be the small one. With A for
shrinking and A⁺ for enlarging by repeating pixels, the nearest picture that shrinks to `low` is

    x_0_hat ← x_0_hat + A⁺ (low − A x_0_hat)                        DDNM, the null-space model

Put into every step, it leaves the network to decide just what the small picture leaves open: where
in its pixel an edge lies. `faithful` does that, and it is what makes this stage better than
interpolation, not only sharper (README). Without it the second stage may correct the first.

True 56x56 digits exist only as strokes. The pen draws them large; `shrunk` makes the small side:
the mean of each 2x2 pixels, blurred a little at random, since MNIST's digits are soft. What comes
out for MNIST's digits was never trained, and is measured (sample/evaluate.py).

A cascade is then two walks, one after the other, and the second needs no code of its own: what it
is shown travels in cond, a row for each picture, as a digit does.

Sources: cascaded diffusion models, arXiv:2106.15282 (conditioning augmentation: section 4);
Imagen, arXiv:2205.11487 (noise conditioning augmentation: section 2.4); DDNM, arXiv:2212.00490.

This is the last lecture. The scripts in train/, sample/ and figures/ put it all to use.
"""

import copy

import torch
import torch.nn.functional as F

from minidiff import checkpoint, machine, models
from minidiff.blocks import folded
from minidiff.diffusion import noise_like, q_sample
from minidiff.models import DigitModel

FACTOR = 2        # large side / small side
TOP = 0.5         # the highest level s that is trained, a share of T
LEVEL = 0.1       # the level that is used unless told, a share of T


def enlarged(low):
    """Return pictures low (B,C,H,W) at FACTOR times the size, by bilinear interpolation."""
    return F.interpolate(low, scale_factor=FACTOR, mode="bilinear", align_corners=False)


def shrunk(x_0, generator=None, softest=0.7):
    """Return pictures x_0 (B,C,H,W) at half the size: the mean of each 2x2 pixels, then a blur of
    random strength, as MNIST's digits are soft. softest: its largest deviation, small pixels."""
    low = F.avg_pool2d(x_0, FACTOR)
    sigma = softest * torch.rand(len(low), 1, 1, 1, generator=generator, device=low.device)
    side = torch.exp(-1 / (2 * sigma.clamp(min=0.1) ** 2))  # weight of a neighbour; the middle's: 1
    for dim in (2, 3):
        around = F.pad(low, (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0), mode="replicate")
        size = low.shape[dim]
        low = (low + side * (around.narrow(dim, 0, size) + around.narrow(dim, 2, size))) / (
            1 + 2 * side
        )
    return low


class Upsampler(DigitModel):
    """A UNet under the contract that draws what `given` showed it, larger.

    network: UNet with time=2 and twice the channels in. T: steps of its linear schedule.
    """

    low, level = None, 0

    def __init__(self, network, T: int):
        super().__init__(network, T)
        self.image_shape = (network.channels[1], network.size, network.size)

    def given(self, low, level=LEVEL, generator=None) -> "Upsampler":
        """Return this model, shown small pictures to draw.

        low: float (N,C,H,W) in the data's range, half the model's size. level: of the noise put on
        them, a share of T, 0 .. TOP. Raises ValueError for others.
        """
        c, height, width = self.image_shape
        if low.shape[1:] != (c, height // FACTOR, width // FACTOR):
            wanted = f"(N,{c},{height // FACTOR},{width // FACTOR})"
            raise ValueError(f"the upsampler wants pictures {wanted}, got {tuple(low.shape)}")
        if not 0 <= level <= TOP:
            raise ValueError(f"the level must lie in 0..{TOP}, got {level}")
        shown = copy.copy(self)
        shown.level = round(level * self.schedule.T)
        at = torch.full((len(low),), shown.level, device=low.device)
        large = enlarged(low)
        shown.low = q_sample(self.schedule, large, at, noise_like(large, generator))
        return shown

    def embed(self, prompts):
        """Return a row for each prompt: the digit's one-hot, s/T, and the picture it is shown."""
        if self.low is None or len(prompts) != len(self.low):
            shown = 0 if self.low is None else len(self.low)
            raise ValueError(f"{len(prompts)} prompts for {shown} pictures; show them with `given`")
        digit = super().embed(prompts)
        level = torch.full((len(prompts), 1), self.level / self.schedule.T, device=self.device)
        return torch.cat([digit, level, self.low.flatten(1)], 1)

    def __call__(self, x_t, t, cond):
        """Return eps_hat, like x_t (B,C,H,W). t: (B,) int64 in 1..T. cond: from `embed`."""
        digit, level, low = cond.split([self.network.classes, 1, x_t[0].numel()], 1)
        times = torch.cat([t[:, None] / self.schedule.T, level], 1)
        return self.network(torch.cat([x_t, low.view_as(x_t)], 1), times, digit)


def load(place="", device="cpu") -> Upsampler:
    """Load the upsampler: "" for the newest run or the shipped one, a checkpoint, or a run's
    folder. Raises ValueError where there is none."""
    file = models.find("upsampler", place)
    found = models.load_kind("upsampler", file)
    device = torch.device(device)
    network = folded(checkpoint.rebuild(found))
    network = network.to(device, memory_format=machine.memory_format(device))
    model = Upsampler(network, found["config"]["T"])
    model.file, model.kind, model.summary = file, found["kind"], checkpoint.summary(found)
    return model


def faithful(low, data_range):
    """Return what takes x_0_hat to the nearest picture that shrinks to low. DDNM.

    low: (B,C,H,W). data_range: (low, high), kept as well, which costs a little of the first.
    """

    def clip(x_0_hat):
        x_0_hat = x_0_hat.clamp(*data_range)
        missing = low - F.avg_pool2d(x_0_hat, FACTOR)
        return (x_0_hat + F.interpolate(missing, scale_factor=FACTOR)).clamp(*data_range)

    return clip


def upsample(
    model, low, prompts=None, *, steps=20, level=LEVEL, gamma=1.0, seed=0, held=True
):
    """Draw pictures low (N,C,H,W) again at twice the size; return (N,C,2H,2W), clipped to the
    data's range.

    model: Upsampler. prompts: N digits, "" for none, the default. steps: network calls. level: see
    `Upsampler.given`. gamma: of guidance. seed: of all noise. held: to what is shown, `faithful`.
    Raises ValueError as `models.walk`.
    """
    generator, low = torch.Generator().manual_seed(seed), low.to(model.device)
    shown = model.given(low, level, generator)
    prompts = [""] * len(low) if prompts is None else prompts
    clip = faithful(low, model.data_range) if held else model.data_range
    *_, last = models.walk(
        shown, prompts, steps, seed + 1, gamma=gamma, kind="beta_tilde", clip=clip
    )
    return last.x_t.clamp(*model.data_range)
