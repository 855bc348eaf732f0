"""image_to_image.py: noising, the one-step prediction, SDEdit."""

import pytest
import torch

from minidiff.editing.image_to_image import noised, one_step, sdedit
from minidiff.editing.inpainting import inpaint
from minidiff.models.generate import prompted
from minidiff.theory.diffusion import predict_eps, q_sample
from minidiff.theory.samplers import ddim_step, sample, trajectory
from minidiff.theory.schedule import cosine, evenly, linear, strided
from tests.conftest import attentive


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noised_is_q_sample_with_noise_from_the_generator():
    """DDPM (4), with the same t for all images; at t = 0 the image itself."""
    schedule, x_0 = linear(), noise(2, 1, 8, 8)
    eps = torch.randn(x_0.shape, generator=seeded(3))
    expected = q_sample(schedule, x_0, torch.tensor([150, 150]), eps)
    assert torch.equal(noised(schedule, x_0, 150, seeded(3)), expected)
    assert torch.equal(noised(schedule, x_0, 0, seeded(3)), x_0)
    for t in (-1, 301):
        with pytest.raises(ValueError, match=r"0\.\.300"):
            noised(schedule, x_0, t)


def test_one_step_with_the_true_noise_returns_the_image():
    """DDPM (15) undoes (4), at every t."""
    schedule, x_0 = linear(), noise(2, 1, 8, 8)

    def true(x, at):
        return predict_eps(schedule, x, at, x_0)

    for t in (1, 150, 300):
        x_t = noised(schedule, x_0, t, seeded())
        assert torch.allclose(one_step(true, schedule, x_t, t), x_0, atol=1e-4)


def test_one_step_is_the_posterior_mean_of_gaussian_data(gaussian):
    """With the ideal predictor of N(m, s²), x_0_hat = m + sqrt(ab) s² (x_t - sqrt(ab) m) /
    (ab s² + 1 - ab): the mean of all images that may be under the noise, and at large t the data's
    mean. No other prediction has a smaller squared error."""
    schedule = cosine(1000)
    data = gaussian(schedule)
    x_0 = data.mean + data.std * noise(500, 1, 8, 8)
    for t in (100, 500, 900):
        ab = schedule.alpha_bar[t].item()
        x_t = noised(schedule, x_0, t, seeded(1))
        gain = ab**0.5 * data.std**2 / (ab * data.std**2 + 1 - ab)
        expected = data.mean + gain * (x_t - ab**0.5 * data.mean)
        found = one_step(data.eps, schedule, x_t, t)
        assert torch.allclose(found, expected, atol=1e-4)
        error = (found - x_0).square().mean().item()
        least = data.std**2 * (1 - ab) / (ab * data.std**2 + 1 - ab)  # the posterior's variance
        assert error == pytest.approx(least, rel=0.03)
    assert found.std() < 0.3 * data.std  # at t = 900: a blur


def test_sdedit_from_the_last_level_is_the_image_and_from_the_first_sampling(gaussian):
    """t = 0: nothing is noised and the network is not called. t = T, where nothing is left of the
    image: the same as sampling from that noise."""
    schedule = cosine(1000)
    levels, x_0 = strided(1000, 50), noise(2, 1, 4, 4)
    eps_fn = gaussian(schedule).eps
    states = list(sdedit(None, schedule, x_0, levels, 20, generator=seeded()))
    assert len(states) == 1 and torch.equal(states[0].x_t, x_0)
    *_, edited = sdedit(eps_fn, schedule, x_0, levels, 0, generator=seeded())
    g = seeded()
    plain = sample(eps_fn, schedule, torch.randn(x_0.shape, generator=g), levels, generator=g)
    assert torch.allclose(edited.x_t, plain, atol=1e-3)


def test_sdedit_on_gaussian_data_ends_where_the_closed_form_says(gaussian):
    """Ideal DDIM sampling maps x_t to m + s (x_t - sqrt(ab) m) / sqrt(ab s² + 1 - ab), so for an
    image x_0 the outputs' mean and deviation are known, at every start."""
    schedule = linear(300)
    data, x_0 = gaussian(schedule), torch.full((4000, 1, 1, 1), 1.5)
    levels = evenly(300, 300)
    for start in (100, 200, 260):
        ab = schedule.alpha_bar[levels[start]].item()
        *_, last = sdedit(
            data.eps, schedule, x_0, levels, start, generator=seeded(), step=ddim_step
        )
        width = (ab * data.std**2 + 1 - ab) ** 0.5
        mean = data.mean + data.std * ab**0.5 * (1.5 - data.mean) / width
        std = data.std * (1 - ab) ** 0.5 / width
        assert last.x_t.mean().item() == pytest.approx(mean, abs=0.02)
        assert last.x_t.std().item() == pytest.approx(std, abs=0.01)


@pytest.mark.parametrize("start", [-1, 21])
def test_a_start_outside_the_timesteps_is_rejected(start):
    """At once, with the range in the message."""
    with pytest.raises(ValueError, match=r"0\.\.20"):
        sdedit(None, linear(), noise(1, 1, 4, 4), evenly(300, 20), start)


def test_all_noise_comes_from_the_generator():
    """The global generator is neither used nor advanced: one seed, one image, on every device."""
    model = attentive()
    eps_fn, x_0 = prompted(model, ["3"], 1.0), noise(1, 1, 28, 28)
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., :14] = True
    levels, schedule = evenly(300, 4), model.schedule

    def everything():
        yield from sdedit(eps_fn, schedule, x_0, levels, 1, generator=seeded())
        yield from inpaint(
            eps_fn, schedule, x_0, mask, x_0, levels, resample=2, generator=seeded()
        )
        yield from trajectory(eps_fn, schedule, x_0, levels, generator=seeded())

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [s.x_t for s in everything()]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(a, s.x_t) for a, s in zip(first, everything()))
