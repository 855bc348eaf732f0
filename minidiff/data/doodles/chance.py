"""Random numbers for each image, independent of the batch that it is drawn in.

With one torch.Generator for a batch, images would change with the size of the batch: image 7 of a
hundred would not be image 7 of a thousand. Here every image has a key, and the j-th random number
of an image is a hash of (key, j) and of nothing else:

    u_j = hash(key + j · 0x9E3779B9) / 2³²          in [0, 1)

Such a generator is called counter-based. It has no state, so it makes no difference whether
images are drawn one by one, in batches or in another order; and at any size and in any medium an
image gets the same random numbers.

The hash multiplies and shifts 32-bit numbers until each bit of the result depends on all bits of
the input. int64 arithmetic wraps modulo 2⁶⁴, so the low 32 bits of a product are still correct.

Sources: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), for counters; Wellons,
"Prospecting for hash functions" (2018), for the constants of the hash (lowbias32).

Exercises
1. Sample ten thousand uniform numbers with key 1 and with key 2. How should they be correlated?
   test_doodles_kit.py: test_keys_are_independent
2. Use one torch.Generator for the whole batch instead. Which test notices?
   test_doodles_kit.py: test_an_image_has_its_numbers_in_any_batch
"""

import math

import torch

MASK = 0xFFFFFFFF        # the low 32 bits
GOLDEN = 0x9E3779B9      # 2³² / golden ratio; odd, so its multiples reach every 32-bit number


def mix(number: torch.Tensor) -> torch.Tensor:
    """Hash int64 numbers to int64 in 0..2³²-1, elementwise."""
    number = number & MASK
    number = ((number ^ (number >> 16)) * 0x7FEB352D) & MASK
    number = ((number ^ (number >> 15)) * 0x846CA68B) & MASK
    return number ^ (number >> 16)


def keys(seed: int, first: int, count: int) -> torch.Tensor:
    """Return the keys of `count` images of a seed, from image `first` on, int64 (count,)."""
    start = mix(torch.tensor(seed) + GOLDEN)
    return mix(start * GOLDEN + mix(torch.arange(first, first + count)))


class Chance:
    """The random numbers of a batch of images, an independent sequence for each image.

    key: int64 (n,). stream: a number for each purpose; two streams of a key are unrelated.
    """

    def __init__(self, key: torch.Tensor, stream: int = 0):
        self.n = len(key)
        self.key = mix(key + mix(torch.tensor(stream)))
        self.count = 0

    def uniform(self, low=0.0, high=1.0, shape=(1, 1)) -> torch.Tensor:
        """Return float (n, *shape), uniform in [low, high)."""
        many = math.prod(shape)
        counter = torch.arange(self.count, self.count + many)
        self.count += many
        bits = mix(self.key[:, None] + counter * GOLDEN)
        return low + (high - low) * (bits.float() / 2**32).view(self.n, *shape)

    def normal(self, shape=(1, 1)) -> torch.Tensor:
        """Return standard normal float (n, *shape): √2 · erf⁻¹(2u − 1)."""
        return math.sqrt(2) * torch.erfinv(self.uniform(-1, 1, shape).clamp(-0.9999, 0.9999))

    def integer(self, high: int, shape=()) -> torch.Tensor:
        """Return int64 (n, *shape), uniform in 0..high-1."""
        return self.uniform(0, high, shape).long().clamp(max=high - 1)

    def flip(self, p=0.5) -> torch.Tensor:
        """Return float (n, 1, 1), 1 with probability p and otherwise 0."""
        return (self.uniform() < p).float()
