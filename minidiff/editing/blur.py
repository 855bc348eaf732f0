"""Gaussian blur: the classical way to remove noise, and the low pass of hybrid images.

    blurred = G_sigma * x,   G_sigma(i, j) proportional to exp(-(i² + j²) / (2 sigma²))

Noise varies from pixel to pixel and images do not, so a mean over neighbours keeps more of the
image than of the noise. Edges are lost along with it.
"""

import math

import torch
import torch.nn.functional as F


def gaussian_blur(x_t, kernel=5, sigma=2.0):
    """Return images x_t (B,C,H,W) blurred by a Gaussian.

    kernel: side of its window in pixels, odd. sigma: its standard deviation in pixels. Edges are
    mirrored. Raises ValueError for a kernel that is even or wider than the image allows.
    """
    if kernel % 2 == 0 or not 0 < kernel < 2 * min(x_t.shape[2:]) or not sigma > 0:
        raise ValueError(
            f"expected an odd kernel below {2 * min(x_t.shape[2:])} pixels and sigma > 0, got "
            f"{kernel} and {sigma}"
        )
    reach = (kernel - 1) / (2 * math.sqrt(2))  # in units of sqrt(2) pixels: weights are exp(-r²)
    r = torch.linspace(-reach, reach, kernel, dtype=x_t.dtype, device=x_t.device) / sigma
    weights = (-(r**2)).softmax(0)
    window = (weights[:, None] * weights).expand(x_t.shape[1], 1, kernel, kernel)
    padded = F.pad(x_t, [kernel // 2] * 4, mode="reflect")
    return F.conv2d(padded, window, groups=x_t.shape[1])


def best_blur(x_t, x_0, sigmas=(0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)):
    """Return (sigma, blurred): the blur of x_t that is closest to x_0 in squared error.

    x_t, x_0: (B,C,H,W). It uses the answer, so no blur can do better. sigma: in pixels.
    """
    widest = 2 * min(x_t.shape[2:]) - 1
    blurred = {s: gaussian_blur(x_t, min(2 * round(3 * s) + 1, widest), s) for s in sigmas}
    return min(blurred.items(), key=lambda found: F.mse_loss(found[1], x_0).item())
