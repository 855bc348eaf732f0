"""inpainting.py: the known part is kept, at the right level; resampling makes the parts
consistent."""

import pytest
import torch

from minidiff.editing.inpainting import inpaint, inpaint_calls
from minidiff.models.generate import prompted
from minidiff.theory.samplers import ddim_step, trajectory
from minidiff.theory.schedule import cosine, evenly, linear, strided
from minidiff.theory.solvers import SAMPLERS, dpm2m_step, heun_step, network_calls
from tests.conftest import attentive

LEVELS = evenly(300, 6)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mask_of(share, *shape):
    """A random hole that covers about this share."""
    return torch.rand(*shape, generator=seeded(9)) < share


def filled_last(mask, resample, step):
    """Return the image inpainted with a guided model, and the image given."""
    model, x_0 = attentive(), noise(2, 1, 28, 28)
    *_, last = inpaint(
        prompted(model, ["3", "5"], 3.0), model.schedule, x_0, mask, noise(2, 1, 28, 28, seed=1),
        LEVELS, resample=resample, step=step, generator=seeded(),
    )
    return last.x_t, x_0


@pytest.mark.parametrize("step", SAMPLERS.values())
@pytest.mark.parametrize("resample", [1, 3])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_the_known_part_ends_exactly_as_it_was(share, resample, step):
    """Bit for bit, for every mask; and every pixel of the hole is new."""
    mask = mask_of(share, 2, 1, 28, 28)
    found, x_0 = filled_last(mask, resample, step)
    assert torch.equal(found[~mask], x_0[~mask])
    assert (found[mask] != x_0[mask]).all()


@pytest.mark.parametrize("step", SAMPLERS.values())
@pytest.mark.parametrize("resample", [1, 3])
def test_without_a_hole_the_image_is_returned(resample, step):
    """Bit for bit, whatever the network predicts."""
    found, x_0 = filled_last(torch.zeros(1, 1, 28, 28, dtype=torch.bool), resample, step)
    assert torch.equal(found, x_0)


@pytest.mark.parametrize("options", [{}, {"kind": "beta_tilde"}, {"step": ddim_step, "eta": 0.5},
                                     {"step": heun_step}, {"step": dpm2m_step}])
def test_a_hole_everywhere_is_plain_sampling(options):
    """Bit for bit, every state: the known part's noise comes from a generator of its own."""
    model, x, x_0 = attentive(), noise(2, 1, 28, 28), noise(2, 1, 28, 28, seed=5)
    eps_fn = prompted(model, ["3", "5"], 3.0)
    hole = torch.ones(1, 1, 28, 28, dtype=torch.bool)
    found = list(inpaint(
        eps_fn, model.schedule, x_0, hole, x, LEVELS, generator=seeded(), **options
    ))
    plain = list(trajectory(eps_fn, model.schedule, x, LEVELS, generator=seeded(), **options))
    assert len(found) == len(plain)
    assert all(a.t == b.t and torch.equal(a.x_t, b.x_t) for a, b in zip(found, plain))


def visits(resample, mask, x_0, start):
    """Return every (t, x_t) that the network receives, and every State."""
    received = []

    def eps_fn(x_t, t):
        received.append((t[0].item(), x_t))
        return torch.zeros_like(x_t)

    states = list(inpaint(
        eps_fn, linear(300), x_0, mask, start, LEVELS, resample=resample, generator=seeded()
    ))
    return received, states


@pytest.mark.parametrize("resample", [1, 3])
def test_the_known_part_is_at_the_level_just_reached(resample):
    """In each state it has mean sqrt(ab_s) x_0 and deviation sqrt(1 - ab_s): neither clean, nor
    noised to the level the step came from. Back at t, it has those of t."""
    x_0 = torch.full((1, 1, 100, 100), 0.8)
    known = torch.zeros(1, 1, 100, 100, dtype=torch.bool)
    received, states = visits(resample, known, x_0, noise(1, 1, 100, 100))
    ab = linear(300).alpha_bar
    checked = received[1:] + [(s.t, s.x_t) for s in states[1:]]  # the first is pure noise
    assert len(checked) == inpaint_calls(6, resample) - 1 + 6
    for t, x in checked:
        assert x.mean().item() == pytest.approx(0.8 * ab[t].item() ** 0.5, abs=0.04)
        assert x.std().item() == pytest.approx((1 - ab[t].item()) ** 0.5, abs=0.03)


def test_it_starts_from_the_given_noise_at_the_first_timestep():
    """The network first receives exactly that noise, at the first t."""
    start = noise(1, 1, 28, 28, seed=4)
    received, states = visits(1, mask_of(0.5, 1, 1, 28, 28), noise(1, 1, 28, 28), start)
    assert received[0][0] == states[0].t == 300
    assert torch.equal(received[0][1], start) and torch.equal(states[0].x_t, start)


@pytest.mark.parametrize("resample", [1, 2, 5])
def test_each_step_is_taken_as_often_as_resample_says_and_the_last_once(resample):
    """resample (steps - 1) + 1 network calls, as `inpaint_calls` computes."""
    x = noise(1, 1, 8, 8)
    received, states = visits(resample, mask_of(0.5, 1, 1, 8, 8), x, x)
    assert len(received) == inpaint_calls(6, resample) == resample * 5 + 1
    times = [t for t, _ in received]
    assert times == [t for t in LEVELS[:-2] for _ in range(resample)] + [LEVELS[-2]]
    assert [s.t for s in states] == LEVELS


@pytest.mark.parametrize("step", SAMPLERS.values())
def test_network_calls_of_every_sampler_are_those_of_inpaint_calls(step):
    """Given how many a plain trajectory makes."""
    calls, x = [], noise(1, 1, 8, 8)
    list(inpaint(lambda x, t: calls.append(t) or x / 2, linear(), x, mask_of(0.5, 1, 1, 8, 8), x,
                 LEVELS, resample=3, generator=seeded(), step=step))
    assert len(calls) == inpaint_calls(network_calls(LEVELS, step), 3)


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
    *_, last = inpaint(
        Pair(schedule, RHO).eps, schedule, x_0, HOLE, noise(n, 1, 1, 2), levels,
        resample=resample, generator=seeded(1),
    )
    return last.x_t[..., 1].mean().item(), last.x_t[..., 1].var().item()


def test_inpainting_gaussian_pairs_follows_its_exact_recursion():
    """A step is affine in both pixels, and the known one gets new noise at each level. So mean and
    variance of the other follow a recursion, with which 20,000 samples agree."""
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


def test_resampling_brings_the_hole_closer_to_bayes_rule():
    """Given the known pixel x, the other is N(rho x, 1 - rho²). One pass is far from that; the
    more often each step is taken, the closer it comes."""
    schedule = cosine(1000)
    levels = strided(1000, 40)
    off = [abs(filled(schedule, levels, 4000, k)[0] - RHO * KNOWN) for k in (1, 4, 16)]
    assert off[0] > 2 * off[1] > 3 * off[2]
    assert off[2] < 0.06


@pytest.mark.parametrize("levels", [[], [300], [300, 200], [100, 200, 0]])
def test_timesteps_that_do_not_end_at_0_are_rejected(levels):
    """Otherwise the known part would not be exact."""
    x = noise(1, 1, 8, 8)
    with pytest.raises(ValueError, match="end at 0|step goes"):
        next(inpaint(None, linear(), x, x > 0, x, levels))


def test_masks_that_do_not_fit_are_rejected():
    """Other types, other sizes; also fewer than one pass, and noise of another shape."""
    x = noise(2, 1, 8, 8)
    bad = (torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 7, 8).bool(), torch.zeros(8, 8).bool(),
           torch.zeros(2, 3, 8, 8).bool())
    for mask in bad:
        with pytest.raises(ValueError, match="mask must be bool"):
            next(inpaint(None, linear(), x, mask, x, LEVELS))
    mask = torch.zeros(1, 1, 8, 8).bool()
    with pytest.raises(ValueError, match="resample"):
        next(inpaint(None, linear(), x, mask, x, LEVELS, resample=0))
    with pytest.raises(ValueError, match="differ in shape"):
        next(inpaint(None, linear(), x, mask, x[:1], LEVELS))
