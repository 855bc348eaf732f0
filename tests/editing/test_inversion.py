"""inversion.py: there and back, and the arc between two noises."""

import pytest
import torch

from minidiff.editing.inversion import invert, slerp
from minidiff.theory.samplers import ddim_step, sample
from minidiff.theory.schedule import cosine, evenly, linear


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_inversion_and_sampling_return_the_image_and_more_steps_do_it_better(gaussian):
    """On Gaussian data with the ideal predictor; the error about halves as the steps double."""
    schedule = cosine(1000)
    data, x_0 = gaussian(schedule), 0.7 + 0.3 * noise(4, 1, 8, 8)
    errors = []
    for steps in (20, 40, 80, 160):
        levels = evenly(1000, steps)
        x_T = invert(data.eps, schedule, x_0, levels)
        back = sample(data.eps, schedule, x_T, levels, step=ddim_step)
        errors.append((back - x_0).abs().max().item())
    assert all(a / b > 1.8 for a, b in zip(errors, errors[1:])) and errors[-1] < 0.04, errors


def test_the_noise_of_data_is_standard_normal(gaussian):
    """Inverted, many images of Gaussian data have the mean and deviation of noise."""
    schedule = cosine(1000)
    data, x_0 = gaussian(schedule), 0.7 + 0.3 * noise(200, 1, 8, 8)
    x_T = invert(data.eps, schedule, x_0, evenly(1000, 250))
    assert abs(x_T.mean()) < 0.03 and x_T.std().item() == pytest.approx(1, abs=0.03)


def test_with_a_perfect_predictor_one_step_is_exact():
    """The noise comes back that the image was made of."""
    schedule, x_0, eps = linear(), noise(2, 1, 4, 4), noise(2, 1, 4, 4, seed=1)
    x_T = invert(lambda x, t: eps, schedule, x_0, [300, 100, 0])
    back = sample(lambda x, t: eps, schedule, x_T, [300, 0], step=ddim_step)
    assert torch.allclose(back, x_0, atol=1e-4)


def test_the_arc_has_its_ends_and_keeps_its_length():
    """Between noises of the same length every point has that length; a mean is shorter."""
    a, b = noise(3, 1, 8, 8), noise(3, 1, 8, 8, seed=1)
    b = b / b.flatten(1).norm(dim=1).view(3, 1, 1, 1) * a.flatten(1).norm(dim=1).view(3, 1, 1, 1)
    assert torch.allclose(slerp(a, b, 0.0), a, atol=1e-6)
    assert torch.allclose(slerp(a, b, 1.0), b, atol=1e-6)
    for share in (0.2, 0.5, 0.9):
        found = slerp(a, b, share).flatten(1).norm(dim=1)
        assert torch.allclose(found, a.flatten(1).norm(dim=1), rtol=1e-4)
    assert torch.allclose(slerp(a, a, 0.3), a, atol=1e-5)


def test_timesteps_that_do_not_fit_are_refused():
    """As in sampling."""
    with pytest.raises(ValueError, match="end at 0"):
        invert(lambda x, t: x, linear(), noise(1, 1, 4, 4), [300, 100])
