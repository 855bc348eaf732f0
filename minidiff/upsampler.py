"""A second stage: a diffusion model that draws small pictures again, large.

The first stage decides what there is to see; the second only has to see it sharply. So it is a
UNet like the first, of twice the size, that is shown the small picture beside the noise:

    eps_hat = UNet( [x_t, low_s],  t/T,  s/T,  digit )          [ ]: two channels of 56x56

    low_s = q_sample(enlarged(low), s)        the small picture, enlarged by interpolation, noised

Why noise what it is shown? A picture from the first stage is not quite like a shrunk real one. A
network that was trained on the latter trusts its input too much, and enlarges its flaws. With some
noise on it the two look alike; and since the network is told the level s, it knows how far to trust
it. s is a knob when sampling: at 0 every pixel shown is trusted, much lets the second stage invent.
This is conditioning augmentation, and what Imagen and DeepFloyd do, which draw from sentences.

What is shown is also known: shrunk back, the large picture should be the small one. With A for the
mean of each 2x2 pixels and A⁺ for enlarging by repeating pixels, A A⁺ = 1, and the nearest picture
that shrinks to `low` is

    x_0_hat ← x_0_hat + A⁺ (low − A x_0_hat)                        DDNM, the null-space model

Put into every step, it leaves the network to decide just what the small picture leaves open: where
in its pixel an edge lies. `faithful` does that, and most of what is measured is its doing (README):
interpolation with its contrast stretched, held in the same way, comes within 1.7 dB of this stage
on strokes without any network. The network adds those. Left free it draws lines as sharp as true
ones, but lines of its own, and pixel by pixel is farther from the truth than interpolation.

True 56x56 digits exist only as strokes. The pen draws them large; `shrunk` makes the small side:
the mean of each 2x2 pixels, blurred a little at random, since MNIST's digits are soft. What comes
out for MNIST's digits was never trained, and is measured (sample/evaluate.py).

A cascade is then two walks, one after the other, and the second needs no code of its own: what it
is shown travels in cond, a row for each picture, as a digit does.

Sources: cascaded diffusion models, arXiv:2106.15282 (conditioning augmentation: section 3);
Imagen, arXiv:2205.11487 (noise conditioning augmentation: section 2.4); DDNM, arXiv:2212.00490.

Exercises
1. Enlarge by interpolation in place of A⁺. Does the result still shrink to what was shown?
   test_exercises.py: test_interpolation_is_no_inverse_of_shrinking
2. What does the second stage see when guidance hides the digit from it?
   test_upsampler.py: test_without_the_digit_the_picture_is_still_shown
3. Let it invent: more and more noise on what it is shown, and nothing held.
   figures/upsampler.py

Next: hub.py
"""

import copy

import torch
import torch.nn.functional as F

from minidiff import checkpoint, models
from minidiff.diffusion import noise_like, q_sample
from minidiff.models import DigitModel

FACTOR = 2        # large side / small side
TOP = 0.5         # the highest level s that is trained, a share of T
LEVEL = 0.1       # the level that is used unless told, a share of T
OWN = 0x9E3779B9  # mixed into the seed: the two stages of a cascade share one, but no noise


def enlarged(low):
    """Return pictures low (B,C,H,W) at FACTOR times the size, by bilinear interpolation."""
    return F.interpolate(low, scale_factor=FACTOR, mode="bilinear", align_corners=False)


def shrunk(x_0, generator=None, softest=0.7):
    """Return pictures x_0 (B,C,H,W) at half the size: the mean of each 2x2 pixels, then a blur of
    random strength, as MNIST's digits are soft. softest: the largest deviation, in small pixels, of
    the Gaussian whose three middle values make the blur; cut off there, it is a little less."""
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

    network: UNet with time=2 and twice the channels in. T, precision: of DigitModel.
    """

    low = None  # what it is shown: enlarged and noised, like x_t; `given` fills it in
    level = 0   # of that noise, 0..T

    def __init__(self, network, T: int, precision: str = "float32"):
        super().__init__(network, T, precision)
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
        return self.ask(torch.cat([x_t, low.view_as(x_t)], 1), times, digit)


def load(place="", device="cpu", precision="float32") -> Upsampler:
    """Load the upsampler: "" for the newest run or the shipped one, a checkpoint, or a run's
    folder. Raises ValueError where there is none, and as `models.load_model`."""
    file = models.find("upsampler", place)
    found = checkpoint.load(file)
    model = models.from_checkpoint(
        found, file, device, precision, kinds=("upsampler",), made=Upsampler
    )
    model.file = file
    return model


def faithful(low, data_range):
    """Return what takes x_0_hat to the nearest picture that shrinks to low. DDNM.

    low: the small pictures (B,C,H,W). data_range: (least, most) of a pixel, kept as well, which
    costs a little of the first.
    """

    def clip(x_0_hat):
        x_0_hat = x_0_hat.clamp(*data_range)
        factor = x_0_hat.shape[3] // low.shape[3]
        missing = low - F.avg_pool2d(x_0_hat, factor)
        return (x_0_hat + F.interpolate(missing, scale_factor=factor)).clamp(*data_range)

    return clip


def upsample(
    model, low, prompts=None, *, steps=20, level=LEVEL, gamma=1.0, seed=0, held=True, **options
):
    """Draw pictures low (N,C,H,W) again at the model's size; return them, clipped to the data's
    range.

    model: Upsampler, or any with `given`. prompts: N of them, "" for none, the default. steps:
    network calls. level: see `Upsampler.given`. gamma: of guidance. seed: of all noise, none of
    which a walk of that seed or its neighbours has. held: to what is shown, `faithful`. options: of
    `models.walk`. Raises ValueError as it does.
    """
    generator, low = torch.Generator().manual_seed(seed ^ OWN), low.to(model.device)
    shown = model.given(low, level, generator)
    prompts = [""] * len(low) if prompts is None else prompts
    options = {"kind": "beta_tilde", "clip": model.data_range, **options}
    if held:
        options["clip"] = faithful(low, model.data_range)
    onward = int(torch.randint(2**32, (), generator=generator))  # a seed, independent too
    *_, last = models.walk(shown, prompts, steps, onward, gamma=gamma, **options)
    return last.x_t.clamp(*model.data_range)
