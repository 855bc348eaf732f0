"""editing.py: restoring, SDEdit, anagrams and hybrids; inpainting has a file of its own."""

import pytest
import torch
import torch.nn.functional as F

from minidiff.editing import blur, illusions, image_to_image, inpainting
from minidiff.editing.views import VIEWS
from minidiff.models import generate
from minidiff.theory.diffusion import predict_eps, q_sample
from minidiff.theory.samplers import sample, trajectory
from minidiff.theory.schedule import cosine, evenly, linear, strided
from tests.conftest import attentive


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noised_is_q_sample_with_the_seeds_noise():
    """DDPM (4) at one level for all; at t = 0 the picture itself."""
    schedule, x_0 = linear(), noise(2, 1, 8, 8)
    eps = torch.randn(x_0.shape, generator=seeded(3))
    expected = q_sample(schedule, x_0, torch.tensor([150, 150]), eps)
    assert torch.equal(image_to_image.noised(schedule, x_0, 150, seeded(3)), expected)
    assert torch.equal(image_to_image.noised(schedule, x_0, 0, seeded(3)), x_0)


def test_one_step_with_the_true_noise_returns_the_picture():
    """DDPM (15) undoes (4), at every level, whether or not the network tells a variance."""
    schedule, x_0 = linear(), noise(2, 1, 8, 8)
    for t in (1, 150, 300):
        x_t = image_to_image.noised(schedule, x_0, t, seeded())

        def true(x, at):
            return predict_eps(schedule, x, at, x_0)

        assert torch.allclose(image_to_image.one_step(true, schedule, x_t, t), x_0, atol=1e-4)
        two = image_to_image.one_step(lambda x, at: (true(x, at), x), schedule, x_t, t)
        assert torch.allclose(two, x_0, atol=1e-4)


def test_the_blur_is_a_gaussian_with_mirrored_edges():
    """Against the sum written out: weights exp(-d²/2σ²), normalised, edges reflected."""
    x = noise(1, 1, 9, 9).double()
    d = torch.arange(-2, 3).double()
    w = torch.exp(-(d**2) / (2 * 1.3**2))
    w = (w[:, None] * w) / (w[:, None] * w).sum()
    expected = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), w.view(1, 1, 5, 5))
    assert torch.allclose(blur.gaussian_blur(x, 5, 1.3), expected)


def test_the_best_blur_is_the_best():
    """No sigma of the list, and not the course's kernel, lies nearer to the picture; more noise
    wants a wider blur."""
    x_0 = F.avg_pool2d(noise(4, 1, 36, 36), 9, 1)
    found = {}
    for t in (30, 150):
        x_t = image_to_image.noised(linear(), x_0, t, seeded(1))
        found[t], best = blur.best_blur(x_t, x_0)
        error = F.mse_loss(best, x_0)
        assert error <= F.mse_loss(blur.gaussian_blur(x_t), x_0)
        for sigma in (0.5, 1.0, 4.0):
            assert error <= F.mse_loss(blur.gaussian_blur(x_t, 2 * int(3 * sigma) + 1, sigma),
                                       x_0) + 1e-7
    assert found[30] < found[150]


@pytest.mark.parametrize("kernel, sigma", [(4, 1.0), (17, 1.0), (5, 0.0)])
def test_a_blur_that_cannot_be_is_refused(kernel, sigma):
    """Even windows, windows across the whole picture, no width."""
    with pytest.raises(ValueError, match="odd length"):
        illusions.motion(4)
    for t in (-1, 301):
        with pytest.raises(ValueError, match=r"0\.\.300"):
            image_to_image.noised(linear(), torch.zeros(1, 1, 8, 8), t)
    with pytest.raises(ValueError, match="odd kernel below 16"):
        blur.gaussian_blur(torch.zeros(1, 1, 8, 8), kernel, sigma)


def test_sdedit_from_the_last_level_is_the_picture_and_from_the_first_is_sampling(gaussian):
    """t = 0: nothing is noised, nothing is asked. t = T, where nothing is left of the picture: the
    same as a walk from that noise."""
    schedule = cosine(1000)
    levels, x_0 = strided(1000, 50), noise(2, 1, 4, 4)
    eps_fn = gaussian(schedule).eps
    states = list(image_to_image.sdedit(eps_fn, schedule, x_0, levels, 20, generator=seeded()))
    assert len(states) == 1 and torch.equal(states[0].x_t, x_0)
    *_, edited = image_to_image.sdedit(eps_fn, schedule, x_0, levels, 0, generator=seeded())
    g = seeded()
    plain = sample(eps_fn, schedule, torch.randn(x_0.shape, generator=g), levels, generator=g)
    assert torch.allclose(edited.x_t, plain, atol=1e-3)


def test_sdedit_on_gaussian_data_lands_where_the_closed_form_says(gaussian):
    """The ideal way down maps x_t to m + s (x_t - sqrt(ab) m) / sqrt(ab s² + 1 - ab), so for a
    picture x_0 the outputs' mean and deviation are known, at every start."""
    schedule = linear(300)
    data, x_0 = gaussian(schedule), torch.full((4000, 1, 1, 1), 1.5)
    levels = evenly(300, 300)
    for start in (100, 200, 260):
        ab = schedule.alpha_bar[levels[start]].item()
        *_, last = image_to_image.sdedit(
            data.eps, schedule, x_0, levels, start, generator=seeded(), step="ddim"
        )
        width = (ab * data.std**2 + 1 - ab) ** 0.5
        mean = data.mean + data.std * ab**0.5 * (1.5 - data.mean) / width
        std = data.std * (1 - ab) ** 0.5 / width
        assert last.x_t.mean().item() == pytest.approx(mean, abs=0.02)
        assert last.x_t.std().item() == pytest.approx(std, abs=0.01)


@pytest.mark.parametrize("start", [-1, 21])
def test_a_start_beyond_the_schedule_is_refused(start):
    """At once, with the range in the sentence."""
    with pytest.raises(ValueError, match=r"0\.\.20"):
        image_to_image.sdedit(None, linear(), noise(1, 1, 4, 4), evenly(300, 20), start)


def test_an_anagram_of_one_identity_is_plain_sampling():
    """Bit for bit, with a real network and guidance."""
    model = attentive()
    eps_fn = generate.prompted(model, ["3", "5"], 4.0)
    x, levels = noise(2, 1, 28, 28), evenly(300, 6)
    plain = sample(eps_fn, model.schedule, x, levels, generator=seeded())
    seen = illusions.anagram([eps_fn], [VIEWS["identity"]])
    assert torch.equal(sample(seen, model.schedule, x, levels, generator=seeded()), plain)


def test_each_branch_of_an_anagram_is_guided_for_itself_and_turned_back():
    """eps = mean of view⁻¹(eps_u + γ (eps_c - eps_u)), each with its own view in both terms; the
    formula written out for two prompts, two views and two strengths."""
    model, x, t = attentive(), noise(2, 1, 28, 28), torch.full((2,), 200)
    six, nine = generate.prompted(model, ["6"] * 2, 5.0), generate.prompted(model, ["9"] * 2, 2.0)
    found = illusions.anagram([six, nine], [VIEWS["identity"], VIEWS["rotate90"]])(x, t)
    turned = x.rot90(1, (2, 3))
    null = model.embed(["", ""])
    u_1, c_1 = model(x, t, null), model(x, t, model.embed(["6"] * 2))
    u_2, c_2 = model(turned, t, null), model(turned, t, model.embed(["9"] * 2))
    second = (u_2 + 2 * (c_2 - u_2)).rot90(-1, (2, 3))
    assert torch.allclose(found, (u_1 + 5 * (c_1 - u_1) + second) / 2, atol=1e-4)


def test_views_of_one_prompt_that_looks_alike_from_everywhere_change_nothing(gaussian):
    """For pixels of independent data any moving about leaves the ideal predictor as it is."""
    schedule = linear()
    eps_fn = gaussian(schedule).eps
    both = illusions.anagram([eps_fn, eps_fn], [VIEWS["jigsaw"], VIEWS["pixels"]])
    x, t = noise(2, 1, 28, 28), torch.tensor([200, 200])
    assert torch.allclose(both(x, t), eps_fn(x, t), atol=1e-6)


def test_a_learned_variance_goes_back_with_the_views_and_through_no_filter():
    """An anagram averages v, turned back; a hybrid takes the first prompt's v as it is."""
    x, t = noise(1, 1, 28, 28), torch.tensor([5])
    v = [noise(1, 1, 28, 28, seed=k) for k in (1, 2)]
    fns = [lambda x, t, k=k: (x, v[k]) for k in (0, 1)]
    views = [VIEWS["negative"], VIEWS["rotate90"]]
    eps_hat, found = illusions.anagram(fns, views)(x, t)
    assert torch.allclose(found, (v[0] + v[1].rot90(-1, (2, 3))) / 2)
    assert torch.allclose(eps_hat, x)
    _, found = illusions.hybrid(fns, illusions.split(blur.blur(2.0)))(x, t)
    assert torch.equal(found, v[0])


BANDS = {
    "two": [blur.blur(2.0)],
    "three": [blur.blur(3.0), blur.blur(1.0)],
    "motion": [illusions.motion(7)],
    "colour": [illusions.grey],
}


@pytest.mark.parametrize("name", BANDS)
def test_the_bands_sum_to_the_identity(name):
    """Low + high = all, for any number of bands and any linear filter."""
    x = noise(2, 3, 28, 28)
    bands = illusions.split(*BANDS[name])
    assert len(bands) == len(BANDS[name]) + 1
    assert torch.allclose(sum(band(x) for band in bands), x, atol=1e-6)
    assert bands[0](x).std() < 0.8 * x.std()


def test_motion_blurs_sideways_only():
    """A horizontal line stays, a vertical one spreads over its length."""
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4] = 1
    assert torch.allclose(illusions.motion(3)(x)[0, 0, 0, 3:6], torch.tensor([1 / 3] * 3))
    assert torch.allclose(illusions.motion(3)(x.transpose(2, 3)), x.transpose(2, 3))


def test_a_hybrid_of_one_prompt_is_plain_sampling():
    """Whatever the split, to rounding."""
    model = attentive()
    eps_fn = generate.prompted(model, ["3", "5"], 4.0)
    x, levels = noise(2, 1, 28, 28), evenly(300, 6)
    plain = sample(eps_fn, model.schedule, x, levels, generator=seeded())
    mixed = illusions.hybrid([eps_fn] * 2, illusions.split(blur.blur(1.4)))
    found = sample(mixed, model.schedule, x, levels, generator=seeded())
    assert torch.allclose(found, plain, atol=2e-3 * plain.abs().max())


def test_a_hybrid_takes_low_from_the_first_and_high_from_the_second():
    """eps = low(a) + b - low(b)."""
    a, b = noise(1, 1, 28, 28, seed=1), noise(1, 1, 28, 28, seed=2)
    low = blur.blur(2.0)
    found = illusions.hybrid([lambda x, t: a, lambda x, t: b], illusions.split(low))(a, None)
    assert torch.allclose(found, low(a) + b - low(b), atol=1e-6)


@pytest.mark.parametrize("mix", [illusions.anagram, illusions.hybrid])
def test_as_many_prompts_as_views_or_filters(mix):
    """Lists of other lengths are refused, and empty ones."""
    for fns, others in (([abs, abs], [1]), ([], [])):
        with pytest.raises(ValueError, match="as many"):
            mix(fns, others)


def test_no_noise_comes_from_anywhere_but_the_generator():
    """The global generator neither decides nor is moved: one seed, one picture, on every device."""
    model = attentive()
    eps_fn, x_0 = generate.prompted(model, ["3"], 1.0), noise(1, 1, 28, 28)
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., :14] = True
    levels = evenly(300, 4)

    def all_of_it():
        yield from image_to_image.sdedit(eps_fn, model.schedule, x_0, levels, 1, generator=seeded())
        yield from inpainting.inpaint(
            eps_fn, model.schedule, x_0, mask, x_0, levels, resample=2, generator=seeded()
        )
        yield from trajectory(eps_fn, model.schedule, x_0, levels, generator=seeded())

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [s.x_t for s in all_of_it()]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(a, s.x_t) for a, s in zip(first, all_of_it()))
