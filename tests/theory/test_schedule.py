"""schedule.py: alpha_bar and the lists of timesteps."""

import math

import pytest
import torch

from minidiff.theory.schedule import Schedule, cosine, evenly, linear, strided


def test_alpha_bar_has_one_entry_more_than_steps_and_starts_at_one():
    """alpha_bar[0] = 1 means "no noise yet", index T is the last step; it decreases strictly."""
    for schedule, T in [(linear(300), 300), (linear(1000), 1000), (cosine(1000), 1000)]:
        assert schedule.T == T and len(schedule.alpha_bar) == T + 1
        assert schedule.alpha_bar[0] == 1
        assert (schedule.alpha_bar.diff() < 0).all()


def test_linear_matches_the_brute_force_product():
    """alpha_bar_t is the product of (1 - beta_i), here factor by factor in Python floats."""
    schedule, product = linear(300, 1e-4, 0.02), 1.0
    for t in range(1, 301):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * (t - 1) / 299)
        assert schedule.alpha_bar[t].item() == pytest.approx(product, rel=1e-6)


def test_linear_ends_where_the_papers_say():
    """T = 300 keeps alpha_bar_T = 0.0481 (22% of the signal); DDPM's T = 1000 keeps 4.04e-5."""
    assert linear(300).alpha_bar[-1].item() == pytest.approx(0.0481, abs=5e-5)
    assert linear(1000).alpha_bar[-1].item() == pytest.approx(4.036e-5, rel=1e-3)


def test_cosine_follows_its_formula_until_the_cap():
    """Improved DDPM (17): f(t)/f(0), and beta_T = 0.999 where the formula would give 1."""
    T, s = 1000, 0.008

    def f(t):
        return math.cos((t / T + s) / (1 + s) * math.pi / 2) ** 2

    ab = cosine(T).alpha_bar
    for t in (1, 10, 500, 900, 998):
        assert ab[t].item() == pytest.approx(f(t) / f(0), rel=1e-5)
    assert (1 - ab[T] / ab[T - 1]).item() == pytest.approx(0.999, rel=1e-4)


def test_alpha_bar_is_float32_and_never_zero():
    """In half precision the cosine's alpha_bar_T would underflow to 0, and x_0_hat to infinity."""
    ab = cosine(1000).alpha_bar
    assert ab.dtype == torch.float32 and ab[-1] > 0
    assert ab.half()[-1] == 0  # why it is not stored in float16


def test_strided_gives_the_list_of_the_course():
    """strided(1000, 30) is 990, 960, ..., 30, 0; a stride of 1 visits every step."""
    assert strided(1000, 30) == list(range(990, -1, -30))
    assert strided(300, 1) == list(range(300, -1, -1))


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 299, 300])
def test_evenly_goes_from_T_to_0_in_the_given_number_of_steps(steps):
    """For any number of steps: starts at T, ends at 0, decreases strictly, gaps differ by <= 1;
    each is the integer next to its exact place."""
    t = evenly(300, steps)
    assert all(abs(t[k] - 300 * (steps - k) / steps) <= 0.5 for k in range(steps + 1))
    gaps = [a - b for a, b in zip(t, t[1:])]
    assert (t[0], t[-1], len(t)) == (300, 0, steps + 1)
    assert min(gaps) >= 1 and max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("wrong", [0, -1, 301])
def test_steps_out_of_range_are_rejected_with_the_range(wrong):
    """The message says which values are allowed and which one was given."""
    for timesteps in (evenly, strided):
        with pytest.raises(ValueError, match=rf"1\.\.300.*got {wrong}"):
            timesteps(300, wrong)


def test_invalid_schedules_are_rejected():
    """An alpha_bar that does not start at 1, rises, reaches 0, or has another dtype."""
    for bad in ([0.9, 0.5], [1.0, 0.5, 0.6], [1.0, 0.0], [1.0]):
        with pytest.raises(ValueError):
            Schedule(torch.tensor(bad))
    with pytest.raises(ValueError, match="float32"):
        Schedule(torch.tensor([1.0, 0.5]).half())
    for make in (lambda: linear(1), lambda: linear(300, 0.0), lambda: cosine(1)):
        with pytest.raises(ValueError):
            make()


def test_at_rejects_float_timesteps():
    """A t already divided by T would silently read alpha_bar[0] everywhere."""
    with pytest.raises(ValueError, match="int64"):
        linear().at(torch.tensor([0.5]))
