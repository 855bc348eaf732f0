"""blur.py: the Gaussian blur against its definition and torchvision's; the best of several."""

import pytest
import torch
import torch.nn.functional as F

from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised
from minidiff.system.torchvision_ops import torchvision_functional
from minidiff.theory.schedule import linear


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_blur_is_a_gaussian_with_mirrored_edges():
    """Against the sum written out: weights exp(-d²/2σ²), normalised, edges reflected."""
    x = noise(1, 1, 9, 9).double()
    d = torch.arange(-2, 3).double()
    w = torch.exp(-(d**2) / (2 * 1.3**2))
    w = (w[:, None] * w) / (w[:, None] * w).sum()
    expected = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), w.view(1, 1, 5, 5))
    assert torch.allclose(gaussian_blur(x, 5, 1.3), expected)


@pytest.mark.parametrize("kernel, sigma", [(1, 1.0), (3, 0.5), (5, 2.0), (13, 2.1), (33, 5.0)])
@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 64, 40)])
def test_the_blur_is_torchvisions(shape, kernel, sigma):
    """An independent implementation: the same to 1e-7 per unit of x, in grey and colour."""
    x = noise(*shape)
    expected = torchvision_functional().gaussian_blur(x, [kernel, kernel], [sigma, sigma])
    assert (gaussian_blur(x, kernel, sigma) - expected).abs().max() <= 1e-7 * x.abs().max()


def test_blurring_keeps_the_mean_and_reduces_noise_as_the_weights_say():
    """Weights that sum to 1 keep a constant; white noise keeps the sum of their squares, which is
    1 / (4 pi sigma²) for a wide Gaussian."""
    assert torch.allclose(gaussian_blur(torch.full((1, 1, 9, 9), 0.3)), torch.tensor(0.3))
    blurred = gaussian_blur(noise(1, 1, 1000, 1000), 13, 2.0)
    assert blurred.var().item() == pytest.approx(1 / (4 * torch.pi * 4), rel=0.03)


def test_two_blurs_are_one_with_the_sum_of_the_variances():
    """G_a * G_b = G_c with c² = a² + b², up to sampling on pixels; here far from the edges."""
    x = noise(1, 1, 61, 61).double()
    twice = gaussian_blur(gaussian_blur(x, 17, 1.5), 17, 2.0)
    once = gaussian_blur(x, 33, 2.5)
    assert (twice - once)[..., 20:41, 20:41].abs().max() < 2e-3


def test_the_best_blur_is_the_best():
    """Neither another sigma of the list nor the course's kernel gives a smaller error; more noise
    needs a wider blur."""
    x_0 = F.avg_pool2d(noise(4, 1, 36, 36), 9, 1)
    found = {}
    for t in (30, 150):
        x_t = noised(linear(), x_0, t, seeded(1))
        found[t], best = best_blur(x_t, x_0)
        error = F.mse_loss(best, x_0)
        assert error <= F.mse_loss(gaussian_blur(x_t), x_0)
        for sigma in (0.5, 1.0, 4.0):
            other = gaussian_blur(x_t, 2 * int(3 * sigma) + 1, sigma)
            assert error <= F.mse_loss(other, x_0) + 1e-7
    assert found[30] < found[150]


def test_the_best_blur_has_a_window_of_six_sigma():
    """3 sigma to each side, as the figures' captions say; narrower where the image is small."""
    x_0 = F.avg_pool2d(noise(4, 1, 36, 36), 9, 1)
    x_t = noised(linear(), x_0, 100, seeded(1))
    for sigma in (0.7, 1.0, 2.0, 4.0):
        _, best = best_blur(x_t, x_0, (sigma,))
        assert torch.equal(best, gaussian_blur(x_t, 2 * round(3 * sigma) + 1, sigma))
    _, best = best_blur(x_t[..., :8, :8], x_0[..., :8, :8], (4.0,))
    assert torch.equal(best, gaussian_blur(x_t[..., :8, :8], 15, 4.0))


@pytest.mark.parametrize("kernel, sigma", [(4, 1.0), (17, 1.0), (-1, 1.0), (5, 0.0)])
def test_a_blur_that_is_impossible_is_rejected(kernel, sigma):
    """Windows of even size, windows wider than the mirrored image, sigma 0."""
    with pytest.raises(ValueError, match="odd kernel below 16"):
        gaussian_blur(torch.zeros(1, 1, 8, 8), kernel, sigma)
