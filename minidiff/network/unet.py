"""4b. The UNet: from a noisy image to a prediction of the same size.

A UNet goes down to small resolutions to see the whole image, comes up again to add detail, and
passes the features of each resolution across. With D channels at full size, its width:

    x  1,28,28 ── x0  D,28,28 ───────────────────────────────────────── u2  D,28,28 ── y  1,28,28
                    └── x1  D,14,14 ──────────────────── u1  D,14,14 ──┘
                          └── x2  2D,7,7 ── 1x1 ── z  2D,7,7 ──┘  ▲
                                                   ▲         condition 2
                                              condition 1

One class builds every UNet here. What each predicts depends on the loss it is trained with:

    UNet(D)                            a denoiser: noisy image -> clean image
    UNet(D, time=1)                    eps_hat(x_t, t/T)
    UNet(D, time=1, classes=10)        eps_hat(x_t, t/T, digit)
    UNet(D, time=1, scaled=True)       the velocity of a flow (second part, theory/flow.py)
    UNet(D, time=2, classes=10, size=56, channels=(2, 1))      an upsampler (second part)
    UNet(D, time=1, classes=40, size=32, channels=(3, 3), film=True)      doodles, from sentences
    UNet(D, time=1, mults=(1, 3, 6), film=True)      digits without a prompt: D, 3D and 6D channels

How does a number enter a stack of convolutions? An FCBlock turns it into one value per channel,
which shifts the whole channel (t/T, in 0 .. 1: t1, t2) or scales it (a one-hot class: c1, c2):

    z  <- c1 * z  + t1          2D channels, after Unflatten
    u1 <- c2 * u1 + t2           D channels, after the first UpBlock, before the next concatenation

All zeros means "no class". Ten digits need no more; sentences do, or colours are mixed up
(docs/results.md). With `film`, time and words act at all six levels:

    x  <- (1 + a) * x + b        x0, x1, x2, z, u1, u2       feature-wise linear modulation, FiLM

The first three have 1,975,361 / 1,996,417 / 2,019,201 parameters at D = 64. The last layer is a
plain convolution: with BatchNorm and GELU it could not return noise, which has both signs.

Remember: the way down finds out what is in the image, the way up says where, with the details that
were passed across. What concerns the whole image, time and class, is a number per channel.

Sources: UC Berkeley CS180, project 5 (Fall 2024); FiLM, arXiv:1709.07871.

Exercises
1. How many parameters does time add at D = 64, and how many the class? Count, then compare.
   test_unet.py: test_parameter_counts
2. Make the last layer a Conv (blocks.py). Which noise can it no longer return?
   test_unet.py: test_the_last_layer_is_a_plain_convolution
3. Leave the network in training mode and denoise one image twice, in two different batches.
   test_unet.py: test_rows_of_a_batch_are_independent_in_eval_mode_and_not_in_training_mode
Next: models/model.py
"""

from functools import partial

import torch
from torch import nn

from minidiff.network.blocks import ConvBlock, DownBlock, FCBlock, Flatten, Unflatten, UpBlock


class UNet(nn.Module):
    """Map images to images, conditioned on time and class if it was built for them.

    width: channels D at full size, >= 1. time: how many values t forward takes for an image, 0, 1
    or more (True is 1). classes: how many (0: none). size: side of the images in pixels, a multiple
    of 4. channels: of the images in and out. scaled: time multiplies instead of being added, as in
    the course's flow without classes. film: time and class act on the features everywhere instead.
    mults: channels at full, half and quarter size, over D. Raises ValueError for what does not fit.
    """

    def __init__(
        self, width: int, time: int = 0, classes: int = 0, size=28, channels=(1, 1), scaled=False,
        *, film=False, mults=(1, 1, 2),
    ):
        super().__init__()
        if width < 1 or classes < 0 or len(mults) != 3 or min(mults) < 1:
            raise ValueError("UNet needs width >= 1, classes >= 0 and three multiples of the width "
                             f">= 1, got {width}, {classes} and {mults}")
        if time < 0 or len(channels) != 2 or min(channels) < 1:
            raise ValueError(f"UNet needs time >= 0 and two channels >= 1, got {time}, {channels}")
        if (classes or film) and not time:
            raise ValueError("a UNet with classes needs time=True: class and time enter together")
        if size < 4 or size % 4:
            raise ValueError(f"UNet needs a size that is a multiple of 4 pixels, got {size}")
        self.time, self.classes, self.size = int(time), classes, size
        self.channels, self.scaled = tuple(channels), scaled
        a, b, c = (width * m for m in mults)                 # D, D, 2D
        self.enter = ConvBlock(channels[0], a)
        self.down1 = DownBlock(a, b)
        self.down2 = DownBlock(b, c)
        self.flatten = Flatten(size // 4)
        self.unflatten = Unflatten(c, size // 4)
        self.up1 = UpBlock(2 * c, b)
        self.up2 = UpBlock(2 * b, a)
        self.leave = nn.Sequential(ConvBlock(2 * a, a), nn.Conv2d(a, channels[1], 3, 1, 1))
        self.film = nn.ModuleList(
            FCBlock(self.time + classes, 2 * n) for n in (a, b, c, c, b, a)
        ) if film else None
        for block in self.film or ():                        # at first they change nothing
            nn.init.zeros_(block[2].weight)
            nn.init.zeros_(block[2].bias)
        if time and not film:
            self.time1, self.time2 = FCBlock(self.time, c), FCBlock(self.time, b)
        if classes and not film:
            self.class1, self.class2 = FCBlock(classes, c), FCBlock(classes, b)

    def forward(self, x, t=None, c=None):
        """Return the predicted image or noise, (B,1,28,28) unless channels or size differ.

        x: (B,1,28,28) float, likewise. t: (B,) float, t/T in (0, 1], if built with time; (B,time)
        for more than one. c: (B,classes) float one-hot, zeros for no class, if built with classes.
        Raises ValueError if these do not fit.
        """
        self._check(x, t, c)
        place = partial(self._modulate if self.film else self._condition, t, c)
        x0 = place(0, self.enter(x))                         # D, 28, 28 (or size, size)
        x1 = place(1, self.down1(x0))                        # D, 14, 14
        x2 = place(2, self.down2(x1))                        # 2D, 7, 7
        z = place(3, self.unflatten(self.flatten(x2)))       # 2D, 7, 7
        u1 = place(4, self.up1(torch.cat([x2, z], 1)))       # D, 14, 14
        u2 = place(5, self.up2(torch.cat([x1, u1], 1)))      # D, 28, 28
        return self.leave(torch.cat([x0, u2], 1))            # 1, 28, 28

    def _modulate(self, t, c, place, features):
        """Scale and shift features by time and class together, per channel: FiLM."""
        with torch.autocast(features.device.type, enabled=False):
            known = t.view(-1, self.time) if c is None else torch.cat([t.view(-1, self.time), c], 1)
            a, b = self.film[place](known)[..., None, None].to(features.dtype).chunk(2, 1)
        return (1 + a) * features + b

    def _condition(self, t, c, place, features):
        """Scale features by class and shift (or scale) them by time, per channel, at z and u1."""
        if place not in (3, 4):
            return features
        # In float32 whatever autocast says: bfloat16 would round t/T to steps coarser than 1/300.
        with torch.autocast(features.device.type, enabled=False):
            if self.classes:
                scale = (self.class1 if place == 3 else self.class2)(c)
                features = scale[..., None, None].to(features.dtype) * features
            if self.time:
                value = (self.time1 if place == 3 else self.time2)(t.view(-1, self.time))
                value = value[..., None, None].to(features.dtype)
                features = features * value if self.scaled else features + value
        return features

    def _check(self, x, t, c):
        c_in, size = self.channels[0], self.size
        if x.dim() != 4 or x.shape[1:] != (c_in, size, size):
            expected = f"(B,{c_in},{size},{size})"
            raise ValueError(f"UNet needs images of shape {expected}, got {tuple(x.shape)}")
        times = x.shape[:1] if self.time == 1 else (len(x), self.time)
        conditions = ("t", t, self.time, times), ("c", c, self.classes, (len(x), self.classes))
        for name, value, built, shape in conditions:
            if not built and value is not None:
                raise ValueError(f"this UNet was built without {name}, but {name} was passed")
            got = "none" if value is None else f"{value.dtype} {tuple(value.shape)}"
            fits = value is not None and value.shape == shape and value.is_floating_point()
            if built and not fits:
                raise ValueError(f"UNet needs {name} as float of shape {tuple(shape)}, got {got}")
