"""illusions.py: anagrams and hybrids combine predictions as their formulas say."""

import pytest
import torch
import torch.nn.functional as F

from minidiff.editing.blur import gaussian_blur
from minidiff.editing.illusions import anagram, blur, grey, hybrid, motion, split
from minidiff.editing.views import VIEWS
from minidiff.models.generate import prompted
from minidiff.theory.samplers import ddim_step, sample
from minidiff.theory.schedule import cosine, evenly, linear
from tests.conftest import attentive

LEVELS = evenly(300, 6)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def plain_and_combined(combine):
    """Return what a guided model samples, and what combine(its eps_fn) samples from the same
    noise."""
    model = attentive()
    eps_fn, x = prompted(model, ["3", "5"], 4.0), noise(2, 1, 28, 28)
    return (sample(fn, model.schedule, x, LEVELS, generator=seeded())
            for fn in (eps_fn, combine(eps_fn)))


def test_an_anagram_of_one_view_is_plain_sampling():
    """One identity: bit for bit, with a real network and guidance. Two with equal prompts: the mean
    of equal predictions, to rounding."""
    identity = VIEWS["identity"]
    plain, found = plain_and_combined(lambda fn: anagram([fn], [identity]))
    assert torch.equal(found, plain)
    plain, found = plain_and_combined(lambda fn: anagram([fn, fn], [identity, identity]))
    assert torch.allclose(found, plain, atol=1e-5 * plain.abs().max())


def test_each_prediction_of_an_anagram_is_guided_separately_and_mapped_back():
    """eps = mean of view⁻¹(eps_u + γ (eps_c - eps_u)), each with its own view in both terms; the
    formula written out for two prompts, two views and two strengths."""
    model, x, t = attentive(), noise(2, 1, 28, 28), torch.full((2,), 200)
    six, nine = prompted(model, ["6"] * 2, 5.0), prompted(model, ["9"] * 2, 2.0)
    found = anagram([six, nine], [VIEWS["identity"], VIEWS["rotate90"]])(x, t)
    rotated = x.rot90(1, (2, 3))
    null = model.embed(["", ""])
    u_1, c_1 = model(x, t, null), model(x, t, model.embed(["6"] * 2))
    u_2, c_2 = model(rotated, t, null), model(rotated, t, model.embed(["9"] * 2))
    second = (u_2 + 2 * (c_2 - u_2)).rot90(-1, (2, 3))
    assert torch.allclose(found, (u_1 + 5 * (c_1 - u_1) + second) / 2, atol=1e-4)


def test_views_change_nothing_where_the_data_look_alike_in_all_of_them(gaussian):
    """For independent pixels with one distribution, rearranging does not change the ideal
    predictor."""
    eps_fn = gaussian(linear()).eps
    both = anagram([eps_fn, eps_fn], [VIEWS["jigsaw"], VIEWS["pixels"]])
    x, t = noise(2, 1, 28, 28), torch.tensor([200, 200])
    assert torch.allclose(both(x, t), eps_fn(x, t), atol=1e-6)


def test_an_anagram_of_gaussian_data_is_gaussian_data_between_the_two(gaussian):
    """The mean of the ideal predictors of N(m, s²) and, seen in the negative, of N(m', s²) is that
    of N((m - m') / 2, s²), where DDIM ends."""
    schedule = cosine(1000)
    a, b = gaussian(schedule, 0.8, 0.3), gaussian(schedule, 0.2, 0.3)
    both = anagram([a.eps, b.eps], [VIEWS["identity"], VIEWS["negative"]])
    x, levels = noise(200, 1, 4, 4).double(), evenly(1000, 100)
    options = {"step": ddim_step}
    found = sample(both, schedule, x, levels, **options)
    expected = sample(gaussian(schedule, 0.3, 0.3).eps, schedule, x, levels, **options)
    assert torch.allclose(found, expected, atol=1e-4)


FILTERS = {
    "two bands": [blur(2.0)],
    "three bands": [blur(3.0), blur(1.0)],
    "motion": [motion(7)],
    "colour": [grey],
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_sum_to_the_identity(name):
    """For any number of bands and any linear filter; the first band is the coarsest filter itself,
    and fainter than the whole."""
    x = noise(2, 3, 28, 28)
    bands = split(*FILTERS[name])
    assert len(bands) == len(FILTERS[name]) + 1
    assert torch.allclose(sum(band(x) for band in bands), x, atol=1e-6)
    assert torch.equal(bands[0](x), FILTERS[name][0](x)) and bands[0](x).std() < 0.8 * x.std()


def test_the_filters_are_what_they_are_called():
    """The low pass is gaussian_blur; grey gives each channel the mean of all; motion is a mean over
    a row, mirrored at its ends."""
    x = noise(1, 3, 9, 9)
    assert torch.equal(blur(1.0, 5)(x), gaussian_blur(x, 5, 1.0))
    assert torch.equal(grey(x), x.mean(1, keepdim=True).repeat(1, 3, 1, 1))
    row = F.pad(x, (2, 2, 0, 0), mode="reflect").unfold(3, 5, 1).mean(-1)
    assert torch.allclose(motion(5)(x), row, atol=1e-6)


def test_motion_blurs_sideways_only():
    """A horizontal line stays; a vertical one is spread over the length."""
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4] = 1
    assert torch.allclose(motion(3)(x)[0, 0, 0, 3:6], torch.tensor([1 / 3] * 3))
    assert torch.allclose(motion(3)(x.transpose(2, 3)), x.transpose(2, 3))
    with pytest.raises(ValueError, match="odd length"):
        motion(4)


def test_a_hybrid_of_one_prompt_is_plain_sampling():
    """Whatever the split, to rounding."""
    plain, found = plain_and_combined(lambda fn: hybrid([fn] * 2, split(blur(1.4))))
    assert torch.allclose(found, plain, atol=2e-3 * plain.abs().max())


def test_a_hybrid_takes_low_frequencies_from_the_first_and_high_from_the_second():
    """eps = low(a) + b - low(b)."""
    a, b = noise(1, 1, 28, 28, seed=1), noise(1, 1, 28, 28, seed=2)
    low = blur(2.0)
    found = hybrid([lambda x, t: a, lambda x, t: b], split(low))(a, None)
    assert torch.allclose(found, low(a) + b - low(b), atol=1e-6)


@pytest.mark.parametrize("combine", [anagram, hybrid])
def test_lists_of_unequal_length_are_rejected(combine):
    """As many views or filters as prompts, and at least one."""
    for fns, others in (([abs, abs], [1]), ([], [])):
        with pytest.raises(ValueError, match="as many"):
            combine(fns, others)
