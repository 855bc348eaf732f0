"""guidance.py: hiding the condition at random, and combining two predictions."""

import math

import pytest
import torch

from minidiff.theory.guidance import drop_condition, guided, until
from tests.conftest import attentive

COND, NULL = torch.eye(10)[[3, 7, 7]], torch.zeros(3, 10)


@pytest.fixture
def model():
    """A class-conditioned model with random weights, its BatchNorm statistics from noise."""
    return attentive()


@pytest.fixture
def at():
    """A batch of noisy images and timesteps."""
    g = torch.Generator().manual_seed(1)
    return torch.randn(3, 1, 28, 28, generator=g), torch.tensor([5, 150, 300])


@torch.no_grad()
def combined(model, at, gamma):
    return guided(model, COND, NULL, gamma)(*at)


def test_gamma_1_is_the_conditional_prediction_and_0_the_unconditional(model, at):
    """Exactly, bit for bit; and the two differ."""
    with torch.no_grad():
        eps_c, eps_u = model(*at, COND), model(*at, NULL)
    assert torch.equal(combined(model, at, 1), eps_c)
    assert torch.equal(combined(model, at, 0), eps_u)
    assert (eps_c - eps_u).abs().max() > 1e-3


def test_the_result_is_linear_in_gamma_and_passes_through_both_predictions(model, at):
    """eps(gamma) = eps(0) + gamma (eps(1) - eps(0)) for any gamma, negative ones included."""
    eps_u, eps_c = combined(model, at, 0), combined(model, at, 1)
    for gamma in (-1, 0.5, 2, 5, 10):
        expected = eps_u + gamma * (eps_c - eps_u)
        assert torch.allclose(combined(model, at, gamma), expected, atol=1e-4)


def test_both_conventions_agree(model, at):
    """gamma = w + 1: the paper's (1 + w) eps_c - w eps_u."""
    w = 4.0
    theirs = (1 + w) * combined(model, at, 1) - w * combined(model, at, 0)
    assert torch.allclose(combined(model, at, w + 1), theirs, atol=1e-4)


def test_one_pass_equals_two_passes(model, at):
    """In eval mode one batch of 2B gives the same as two of B; the network is called once."""
    calls = []

    def counted(x, t, c):
        calls.append(len(x))
        return model(x, t, c)

    once = combined(counted, at, 3.0)
    assert calls == [6]
    with torch.no_grad():
        eps_c, eps_u = model(*at, COND), model(*at, NULL)
    assert torch.allclose(once, eps_u + 3 * (eps_c - eps_u), atol=1e-5)


def test_at_gamma_0_and_1_only_the_prediction_that_counts_is_made(at):
    """One call of B images each, not of 2B: half the work."""
    conds = []

    def model(x, t, c):
        conds.append(c)
        return x

    guided(model, COND, NULL, 1)(*at)
    guided(model, COND, NULL, 0.0)(*at)
    assert len(conds) == 2 and conds[0] is COND and conds[1] is NULL


def test_each_row_is_independent_of_the_others(model, at):
    """Other images, timesteps and digits in the batch change nothing: BatchNorm is in eval mode."""
    x, t = at
    whole = combined(model, at, 5.0)
    for k in range(3):
        row = slice(k, k + 1)
        with torch.no_grad():
            alone = guided(model, COND[row], NULL[row], 5.0)(x[row], t[row])
        assert torch.allclose(alone, whole[row], atol=1e-4)


def test_cond_and_null_must_have_the_same_shape():
    """The message names both."""
    with pytest.raises(ValueError, match=r"\(3, 10\), \(1, 10\)"):
        guided(None, COND, NULL[:1], 2.0)


def test_until_guides_above_t_end_only():
    """t > t_end is guided, t_end itself and below are not; 0 guides every step."""
    for t_end, expected in ((10, {11: "guided", 10: "plain", 1: "plain"}), (0, {1: "guided"})):
        eps_fn = until(t_end, lambda x, t: "guided", lambda x, t: "plain")
        assert {t: eps_fn(None, torch.tensor([t, t])) for t in expected} == expected


def test_the_dropped_share_follows_the_binomial():
    """Within 4 deviations in 100,000 rows; and its variance from batch to batch is that of
    independent coin tosses, whereas dropping exactly a tenth would have none."""
    g = torch.Generator().manual_seed(0)
    p, n = 0.1, 100_000
    calls = [drop_condition(torch.ones(100, 10), p, g).sum(1) == 0 for _ in range(n // 100)]
    dropped = torch.stack(calls)  # a row for each batch of 100
    assert abs(dropped.float().mean() - p) < 4 * math.sqrt(p * (1 - p) / n)
    counts = dropped.sum(1).double()
    assert counts.var() == pytest.approx(100 * p * (1 - p), rel=0.2)


def test_a_row_is_dropped_whole_or_kept_whole():
    """Kept rows are returned unchanged, dropped ones as zeros; the input is not modified."""
    cond = torch.rand(1000, 10) + 0.1
    before = cond.clone()
    out = drop_condition(cond, 0.5, torch.Generator().manual_seed(0))
    kept = out.ne(0).any(1)
    assert torch.equal(out[kept], cond[kept]) and (out[~kept] == 0).all()
    assert torch.equal(cond, before) and 400 < kept.sum() < 600


def test_p_uncond_0_never_drops_and_1_always_does():
    """The ends of the range; values beyond are rejected."""
    cond = torch.ones(10_000, 10)
    assert torch.equal(drop_condition(cond, 0.0), cond)
    assert (drop_condition(cond, 1.0) == 0).all()
    with pytest.raises(ValueError, match=r"0\.\.1, got 1.5"):
        drop_condition(cond, 1.5)
