"""editing.inpaint: what is known stays, at the right level; resampling makes the parts agree."""

import pytest
import torch

from minidiff.editing import inpainting
from minidiff.models import generate
from minidiff.theory.samplers import trajectory
from minidiff.theory.schedule import cosine, evenly, linear, strided
from tests.conftest import attentive

LEVELS = evenly(300, 6)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mask_of(share, *shape):
    """A random hole that covers about this share."""
    return torch.rand(*shape, generator=seeded(9)) < share


@pytest.mark.parametrize("step", ["ddpm", "ddim"])
@pytest.mark.parametrize("resample", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_what_is_known_ends_exactly_as_it_was(share, resample, step):
    """Bit for bit, for every mask; with no hole at all, the picture."""
    model, x_0 = attentive(), noise(2, 1, 28, 28)
    mask = mask_of(share, 2, 1, 28, 28)
    *_, last = inpainting.inpaint(
        generate.prompted(model, ["3", "5"], 3.0), model.schedule, x_0, mask, noise(2, 1, 28, 28),
        LEVELS, resample=resample, step=step, generator=seeded(),
    )
    assert torch.equal(last.x_t[~mask], x_0[~mask])
    assert share == 0 or not torch.equal(last.x_t, x_0)


@pytest.mark.parametrize("options", [{}, {"kind": "beta_tilde"}, {"step": "ddim", "eta": 0.5}])
def test_a_hole_everywhere_is_plain_sampling(options):
    """Bit for bit, every state: the known part's noise is drawn beside the walk's."""
    model, x, x_0 = attentive(), noise(2, 1, 28, 28), noise(2, 1, 28, 28, seed=5)
    eps_fn = generate.prompted(model, ["3", "5"], 3.0)
    hole = torch.ones(1, 1, 28, 28, dtype=torch.bool)
    found = list(inpainting.inpaint(
        eps_fn, model.schedule, x_0, hole, x, LEVELS, generator=seeded(), **options
    ))
    plain = list(trajectory(eps_fn, model.schedule, x, LEVELS, generator=seeded(), **options))
    assert len(found) == len(plain)
    assert all(a.t == b.t and torch.equal(a.x_t, b.x_t) for a, b in zip(found, plain))


def visits(resample, mask, x_0, start):
    """Return every (t, x_t) that the network is asked about, and every State."""
    asked = []

    def eps_fn(x_t, t):
        asked.append((t[0].item(), x_t))
        return torch.zeros_like(x_t)

    states = list(inpainting.inpaint(
        eps_fn, linear(300), x_0, mask, start, LEVELS, resample=resample, generator=seeded()
    ))
    return asked, states


@pytest.mark.parametrize("resample", [1, 3])
def test_the_known_part_lies_at_the_level_just_reached(resample):
    """In each state it has mean sqrt(ab_s) x_0 and deviation sqrt(1 - ab_s): neither clean, nor
    noised to the level it came from. Going back to t, it has those of t."""
    x_0 = torch.full((1, 1, 100, 100), 0.8)
    known = torch.zeros(1, 1, 100, 100, dtype=torch.bool)
    asked, states = visits(resample, known, x_0, noise(1, 1, 100, 100))
    ab = linear(300).alpha_bar
    first = asked[0]  # pure noise, everywhere
    again = [(t, x) for k, (t, x) in enumerate(asked) if k and t != first[0]]
    for t, x in again + [(s.t, s.x_t) for s in states[1:]]:
        assert x.mean().item() == pytest.approx(0.8 * ab[t].item() ** 0.5, abs=0.04)
        assert x.std().item() == pytest.approx((1 - ab[t].item()) ** 0.5, abs=0.03)
    if resample > 1:  # second and third visits of the first level: noised back up to it
        for _, x in [v for v in asked[1:] if v[0] == first[0]]:
            assert x.mean().item() == pytest.approx(0.8 * ab[300].item() ** 0.5, abs=0.04)
            assert x.std().item() == pytest.approx((1 - ab[300].item()) ** 0.5, abs=0.03)


def test_it_starts_from_noise_at_the_first_level():
    """The network is first asked about the noise that was given, at the level of full noise."""
    start = noise(1, 1, 28, 28, seed=4)
    asked, states = visits(1, mask_of(0.5, 1, 1, 28, 28), noise(1, 1, 28, 28), start)
    assert asked[0][0] == states[0].t == 300
    assert torch.equal(asked[0][1], start) and torch.equal(states[0].x_t, start)


@pytest.mark.parametrize("resample", [1, 2, 5])
def test_the_cost_is_what_is_told_and_each_level_is_visited_as_often(resample):
    """resample (steps - 1) + 1 calls: each level so often, the last once."""
    asked, states = visits(resample, mask_of(0.5, 1, 1, 8, 8), noise(1, 1, 8, 8), noise(1, 1, 8, 8))
    assert len(asked) == inpainting.inpaint_calls(6, resample)
    times = [t for t, _ in asked]
    assert times == [t for t in LEVELS[:-2] for _ in range(resample)] + [LEVELS[-2]]
    assert [s.t for s in states] == LEVELS


class Pair:
    """Two pixels, each N(0, 1), with correlation rho, and the ideal predictor of their noise.

    x_t = sqrt(ab) x_0 + sqrt(1 - ab) eps has covariance S = ab C + (1 - ab) I, and
    E[eps | x_t] = sqrt(1 - ab) S⁻¹ x_t.
    """

    def __init__(self, schedule, rho):
        self.schedule = schedule
        self.c = torch.tensor([[1, rho], [rho, 1]])

    def eps(self, x_t, t):
        ab = self.schedule.alpha_bar[t[0]]
        inverse = torch.linalg.inv(ab * self.c + (1 - ab) * torch.eye(2))
        return (1 - ab).sqrt() * (x_t.flatten(1) @ inverse).view(x_t.shape)


RHO, KNOWN = 0.9, 1.5
HOLE = torch.tensor([False, True]).view(1, 1, 1, 2)  # the second pixel is missing


def filled(schedule, levels, n, resample):
    """Fill the missing pixel n times; return its mean and variance."""
    x_0 = torch.tensor([KNOWN, 0.0]).view(1, 1, 1, 2).expand(n, 1, 1, 2)
    *_, last = inpainting.inpaint(
        Pair(schedule, RHO).eps, schedule, x_0, HOLE, noise(n, 1, 1, 2), levels,
        resample=resample, generator=seeded(1),
    )
    return last.x_t[..., 1].mean().item(), last.x_t[..., 1].var().item()


def test_inpainting_gaussian_pairs_follows_its_exact_recursion():
    """A step is affine in both pixels, and the known one is drawn anew at each level. So mean and
    variance of the other follow a recursion, which 20,000 walks agree with."""
    schedule = cosine(1000)
    levels, pair = strided(1000, 40), Pair(schedule, RHO)
    mean, var, c = 0.0, 1.0, pair.c.double()
    for k, (t, s) in enumerate(zip(levels, levels[1:])):
        ab, ab_s = schedule.alpha_bar[[t, s]].double().tolist()
        alpha = ab / ab_s
        x_0_hat = ab**0.5 * c @ torch.linalg.inv(ab * c + (1 - ab) * torch.eye(2).double())
        step = (ab_s**0.5 * (1 - alpha) * x_0_hat                       # DDPM (7), as a matrix
                + alpha**0.5 * (1 - ab_s) * torch.eye(2).double()) / (1 - ab)
        known = (0.0, 1.0) if k == 0 else (ab**0.5 * KNOWN, 1 - ab)
        mean = (step[1, 1] * mean + step[1, 0] * known[0]).item()
        var = (step[1, 1] ** 2 * var + step[1, 0] ** 2 * known[1]).item()
        var += 1 - alpha if s else 0
    found = filled(schedule, levels, 20_000, 1)
    assert found[0] == pytest.approx(mean, abs=0.03)
    assert found[1] == pytest.approx(var, rel=0.05)


def test_resampling_brings_the_hole_nearer_to_what_bayes_says():
    """Given the known pixel the other is N(rho x, 1 - rho²). One pass ignores much of that; the
    more often each step is taken, the nearer it comes."""
    schedule = cosine(1000)
    levels = strided(1000, 40)
    off = [abs(filled(schedule, levels, 4000, k)[0] - RHO * KNOWN) for k in (1, 4, 16)]
    assert off[0] > 2 * off[1] > 3 * off[2]
    assert off[2] < 0.06


@pytest.mark.parametrize("levels", [[], [300], [300, 200], [100, 200, 0]])
def test_a_walk_that_does_not_end_at_the_picture_is_refused(levels):
    """Else what is known would not be exact."""
    x = noise(1, 1, 8, 8)
    with pytest.raises(ValueError, match="end at 0|step goes"):
        next(inpainting.inpaint(None, linear(), x, x > 0, x, levels))


def test_masks_that_do_not_fit_are_refused():
    """Other types, other sizes, fewer than one pass."""
    x = noise(2, 1, 8, 8)
    bad = (torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 7, 8).bool(), torch.zeros(8, 8).bool(),
           torch.zeros(2, 3, 8, 8).bool())
    for mask in bad:
        with pytest.raises(ValueError, match="mask must be bool"):
            next(inpainting.inpaint(None, linear(), x, mask, x, LEVELS))
    with pytest.raises(ValueError, match="resample"):
        next(inpainting.inpaint(None, linear(), x, torch.zeros(1, 1, 8, 8).bool(), x, LEVELS,
                             resample=0))
