"""A second stage: a diffusion model that enlarges small images.

The first stage decides what is in the image; the second adds detail. It is a UNet of its own, for
twice the size, that is given the small image in addition to the noise:

    eps_hat = UNet( [x_t, low_s],  t/T,  s/T,  digit )          [ ]: channels side by side, 56x56

    low_s = q_sample(enlarged(low), s)        the small image, interpolated and noised to level s

Why noise its input? A sample of the first stage is not quite like a shrunk real image. A network
trained on the latter trusts its input too much and enlarges its flaws. With some noise on them the
two look alike; and because the network is given the level s, it knows how far to trust its input. s
is an option of sampling: at 0 every pixel is trusted, a large s lets the second stage invent. This
is conditioning augmentation, which Imagen and DeepFloyd use as well.

The small image is also a constraint: shrunk back, the large image should equal it. With A for the
mean of each 2x2 pixels and A⁺ for repeating pixels, A A⁺ = 1, and the nearest image that shrinks to
`low` is

    x_0_hat ← x_0_hat + A⁺ (low − A x_0_hat)                        DDNM, the null-space model

Applied in every step (`consistent`), it leaves the network to decide only what the small image
leaves open: where inside a pixel an edge lies. Most of what is measured comes from it
(docs/results.md): interpolation with its contrast stretched, made consistent in the same way, comes
within 1.7 dB of this stage on strokes without any network. Without the constraint the network's
lines are as sharp as true ones, but a little out of place, so that pixel by pixel it is farther
from the truth than interpolation.

True 56x56 digits exist only as strokes, drawn at that size. `shrunk` makes the small side: the mean
of each 2x2 pixels, blurred a little at random, since MNIST's digits are soft.

A cascade is two stages sampled one after the other, and the second needs no extra code: the small
image is part of cond, one row per image, just as the digit is.

Sources: cascaded diffusion models, arXiv:2106.15282 (conditioning augmentation: section 3);
Imagen, arXiv:2205.11487 (noise conditioning augmentation: section 2.4); DDNM, arXiv:2212.00490.

Exercises
1. Enlarge by interpolation instead of A⁺. Does the result still shrink to the input?
   test_exercises.py: test_interpolation_is_no_inverse_of_shrinking
2. What does the second stage get when guidance hides the digit from it?
   test_upsampler.py: test_without_the_digit_the_image_is_still_given
3. Let it invent: put more and more noise on its input, and drop the constraint.
   figures/part_b/upsampler.py
Next: data/strokes.py
"""

import copy

import torch
import torch.nn.functional as F

from minidiff.models.generate import generate, generators
from minidiff.models.model import NoiseModel
from minidiff.theory.diffusion import noise_like, q_sample

FACTOR = 2        # large side / small side
TOP = 0.5         # the highest level s in training, a share of T
LEVEL = 0.1       # the default level in sampling, a share of T
OWN = 0x9E3779B9  # mixed into the seed: the two stages of a cascade share a seed, but no noise


def enlarged(low):
    """Return images low (B,C,H,W) at FACTOR times the size, by bilinear interpolation."""
    return F.interpolate(low, scale_factor=FACTOR, mode="bilinear", align_corners=False)


def shrunk(x_0, generator=None, softest=0.7):
    """Return images x_0 (B,C,H,W) at half the size: the mean of each 2x2 pixels, then a blur of
    random strength, as MNIST's digits are soft. softest: the largest standard deviation, in small
    pixels, of the Gaussian whose three middle values are the blur's kernel."""
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


class Upsampler(NoiseModel):
    """A UNet that enlarges the images passed to `given`.

    network: UNet with time=2 and twice the channels in. The rest as in `NoiseModel`.
    """

    low = None  # the input, enlarged and noised, like x_t; set by `given`
    level = 0   # of that noise, 0..T

    def given(self, low, level=LEVEL, generator=None) -> "Upsampler":
        """Return this model with small images to enlarge.

        low: float (N,C,H,W) in the data range, half the model's size. level: of the noise put on
        them, a share of T, 0 .. TOP. Raises ValueError for others.
        """
        c, height, width = self.image_shape
        if low.shape[1:] != (c, height // FACTOR, width // FACTOR):
            expected = f"(N,{c},{height // FACTOR},{width // FACTOR})"
            raise ValueError(f"the upsampler needs images {expected}, got {tuple(low.shape)}")
        if not 0 <= level <= TOP:
            raise ValueError(f"the level must lie in 0..{TOP}, got {level}")
        made = copy.copy(self)
        made.level = round(level * self.schedule.T)
        at = torch.full((len(low),), made.level, device=low.device)
        made.low = self.noised(low, at, generator)
        return made

    def noised(self, low, s, generator):
        """Return small images enlarged and noised to levels s, int64 (N,) in 0..T."""
        large = enlarged(low)
        return q_sample(self.schedule, large, s, noise_like(large, generator))

    def rows(self, digit, s, low):
        """Return the condition: digit (N, words), level s (N,), low as `noised` returns it."""
        return torch.cat([digit, s[:, None] / self.schedule.T, low.flatten(1)], 1)

    def embed(self, prompts):
        """Return a row for each prompt: the digit as one-hot, s/T, and the image given."""
        if self.low is None or len(prompts) != len(self.low):
            count = 0 if self.low is None else len(self.low)
            raise ValueError(f"{len(prompts)} prompts for {count} images; pass them to `given`")
        level = torch.full((len(prompts),), self.level, device=self.device)
        return self.rows(self.vocabulary.embed(prompts).to(self.device), level, self.low)

    def __call__(self, x_t, t, cond):
        """Return eps_hat, like x_t (B,C,H,W). t: (B,) int64 in 1..T. cond: from `embed`."""
        digit, level, low = cond.split([self.network.classes, 1, x_t[0].numel()], 1)
        times = torch.cat([t[:, None] / self.schedule.T, level], 1)
        with self.number_format():
            output = self.evaluate(torch.cat([x_t, low.view_as(x_t)], 1), times, digit).float()
        return self.eps_hat(x_t, t, output)


def consistent(low, data_range):
    """Return a clip for x_0_hat: the nearest image in the data range that shrinks to low. DDNM.

    low: the small images (B,C,H,W). data_range: (low, high) of a pixel; keeping it costs a little
    of the consistency.
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
    """Return images low (N,C,H,W) enlarged to the model's size, clipped to its data range.

    model: Upsampler, or any model with `given`. prompts: N of them, "" for none, the default.
    steps: network calls. level: see `Upsampler.given`. gamma: of guidance. seed: of all noise, none
    of which the first stage uses with that seed or its neighbours. held: make each step
    `consistent` with low. options: of `generate`. Raises ValueError as it does.
    """
    low = low.to(model.device)
    given = model.given(low, level, generators(seed ^ OWN, len(low)))
    prompts = [""] * len(low) if prompts is None else prompts
    if "step" not in options:
        options = {"kind": "beta_tilde", **options}
    options = {"clip": model.data_range, **options}
    if held:
        options["clip"] = consistent(low, model.data_range)
    second_seed = int(torch.randint(2**62, (), generator=generators(seed ^ OWN, 1)[0]))
    *_, last = generate(given, prompts, steps=steps, seed=second_seed, gamma=gamma, **options)
    return last.x_t.clamp(*model.data_range)
