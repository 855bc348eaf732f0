"""deepfloyd/learned.py: the variance a network predicts, carried along with its noise."""

import pytest
import torch

from minidiff.editing.blur import gaussian_blur
from minidiff.editing.illusions import anagram, blur, hybrid, split
from minidiff.editing.views import VIEWS
from minidiff.models.deepfloyd.learned import carrying, combine, dynamic_threshold, join
from minidiff.models.deepfloyd.learned import ddpm_step as learned_step
from minidiff.theory.guidance import guided, until
from minidiff.theory.samplers import ddim_step, ddpm_step, sample, variance
from minidiff.theory.schedule import linear


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fixed(eps_hat, v):
    """Return an eps_fn that always predicts this, in a new tensor each time."""
    return lambda x, t: carrying(eps_hat.clone(), v)


@pytest.mark.parametrize("t, s", [(300, 299), (200, 150), (40, 10)])
def test_the_variance_is_between_beta_tilde_and_beta(t, s):
    """Improved DDPM (15): v = -1 gives beta_tilde, v = 1 beta, v = 0 their geometric mean."""
    schedule, x = linear(), noise(3, 1, 4, 4)
    v = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand_as(x)
    mean, _ = ddpm_step(schedule, x, t, s, x, kind=torch.zeros(()), generator=seeded())
    x_s, _ = learned_step(schedule, x, t, s, carrying(x.clone(), v), generator=seeded())
    z = torch.randn(x.shape, generator=seeded())
    sigma_2 = ((x_s - mean) / z).square().flatten(1).median(1).values
    low, high = (variance(schedule, t, s, kind).item() for kind in ("beta_tilde", "beta"))
    expected = torch.tensor([low, (low * high) ** 0.5, high])
    assert torch.allclose(sigma_2, expected, rtol=5e-3)


def test_a_step_with_v_at_an_end_is_a_plain_step():
    """The same x_s as ddpm_step with "beta" or "beta_tilde", and the same clipped x_0_hat."""
    schedule, x = linear(), noise(2, 1, 8, 8)
    for end, kind in ((1.0, "beta"), (-1.0, "beta_tilde")):
        eps_hat = carrying(x.clone(), torch.full_like(x, end))
        options = {"clip": (-1.0, 1.0)}
        a = learned_step(schedule, x, 200, 100, eps_hat, generator=seeded(), **options)
        b = ddpm_step(schedule, x, 200, 100, x, kind=kind, generator=seeded(), **options)
        assert torch.allclose(a[0], b[0], atol=1e-4) and torch.equal(a[1], b[1])


def test_the_last_step_is_finite_and_adds_no_noise():
    """beta_tilde is 0 at s = 0, and its logarithm -inf; the result is x_0_hat itself."""
    schedule, x = linear(), noise(2, 1, 8, 8)
    x_s, x_0_hat = learned_step(schedule, x, 20, 0, carrying(x.clone(), 0 * x), generator=seeded())
    assert x_s.isfinite().all() and torch.allclose(x_s, x_0_hat, atol=1e-6)


def test_v_reaches_the_sampler_and_ddim_ignores_it():
    """A trajectory with v = 1 everywhere is that of "beta"; DDIM gives the same with and without
    v."""
    schedule, x = linear(), noise(2, 1, 8, 8)
    zeros, levels = torch.zeros_like(x), [300, 100, 0]
    learned = sample(fixed(zeros, zeros + 1), schedule, x, levels, step=learned_step,
                     generator=seeded())
    beta = sample(lambda x, t: zeros, schedule, x, levels, kind="beta", generator=seeded())
    assert torch.allclose(learned, beta, atol=1e-4)
    assert torch.equal(
        sample(fixed(zeros, zeros + 1), schedule, x, levels, step=ddim_step),
        sample(lambda x, t: zeros, schedule, x, levels, step=ddim_step),
    )


def test_a_network_without_v_is_rejected():
    """In one sentence, not an AttributeError."""
    x = noise(1, 1, 4, 4)
    with pytest.raises(ValueError, match="needs a network with a second output v, got none"):
        sample(lambda x, t: torch.zeros_like(x), linear(), x, [300, 0], step=learned_step)


def test_join_joins_the_noise_and_v():
    """Parts of a batch become the whole, in order."""
    x, v = noise(5, 1, 4, 4), noise(5, 1, 4, 4, seed=1)
    found = join([carrying(x[:2].clone(), v[:2]), carrying(x[2:].clone(), v[2:])])
    assert torch.equal(found, x) and torch.equal(found.v, v)


@pytest.mark.parametrize("gamma", [0, 1, 5.0, -2.0])
def test_guidance_keeps_the_v_of_the_conditional_prediction(gamma):
    """v is not combined, at any gamma; at 0 only the null prompt is there to have one."""
    cond, null = torch.eye(10)[[3, 7, 7]], torch.zeros(3, 10)
    x, t = noise(3, 1, 8, 8), torch.tensor([5, 150, 300])

    def model(x, t, c):
        v = c.sum(1).view(-1, 1, 1, 1).expand_as(x)  # 1 with a digit, 0 without
        return carrying(x * (1 + v), v)

    eps_hat = combine(guided, model, cond, null, gamma)(x, t)
    assert eps_hat.v.shape == x.shape and (eps_hat.v == (gamma != 0)).all()
    assert torch.allclose(eps_hat, x * (1 + gamma))


def test_combining_changes_nothing_about_the_noise_and_does_not_touch_the_networks_output():
    """The same bits as the bare rule; what the network returned keeps its own v."""
    x, t, v = noise(2, 1, 8, 8), torch.tensor([5, 5]), noise(2, 2, 1, 8, 8, seed=1)
    outputs = [carrying(noise(2, 1, 8, 8, seed=k + 2), v[k]) for k in (0, 1)]
    fns = [lambda x, t, k=k: outputs[k] for k in (0, 1)]
    for rule, others in ((anagram, [VIEWS["rotate90"], VIEWS["identity"]]),
                         (hybrid, split(blur(2.0, 5)))):
        found = combine(rule, fns, others)(x, t)
        assert torch.equal(found, rule(fns, others)(x, t))
        assert all(torch.equal(o.v, v[k]) for k, o in enumerate(outputs))


def test_an_anagram_averages_v_mapped_back_by_the_views():
    """Rotated back where the view rotates; twice the same answer from one eps_fn."""
    x, t = noise(1, 1, 28, 28), torch.tensor([5])
    v = [noise(1, 1, 28, 28, seed=k) for k in (1, 2)]
    fns = [lambda x, t, k=k: carrying(x.clone(), v[k]) for k in (0, 1)]
    eps_fn = combine(anagram, fns, [VIEWS["identity"], VIEWS["rotate90"]])
    for _ in range(2):
        eps_hat = eps_fn(x, t)
        assert torch.allclose(eps_hat.v, (v[0] + v[1].rot90(-1, (2, 3))) / 2)
        assert torch.allclose(eps_hat, x)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_view_moves_v_back_and_never_changes_its_sign(name):
    """Not even the negative view: -v would be another variance."""
    x, v = noise(1, 1, 28, 28), noise(1, 1, 28, 28, seed=1)
    view = VIEWS[name]
    moved = v if name == "negative" else view.see(v)
    found = combine(anagram, [fixed(x, moved)], [view])(x, torch.tensor([5]))
    assert torch.equal(found.v, v)


def test_a_hybrid_keeps_the_v_of_the_first_prompt_unfiltered():
    """A variance has no frequencies to choose from."""
    x, t = noise(1, 1, 28, 28), torch.tensor([5])
    fns = [fixed(noise(1, 1, 28, 28, seed=k), noise(1, 1, 28, 28, seed=k + 2)) for k in (0, 1)]
    eps_hat = combine(hybrid, fns, split(blur(2.0)))(x, t)
    assert torch.equal(eps_hat.v, fns[0](x, t).v)
    low = gaussian_blur(fns[0](x, t), 33, 2.0) - gaussian_blur(fns[1](x, t), 33, 2.0)
    assert torch.allclose(eps_hat, low + fns[1](x, t), atol=1e-5)


def test_v_survives_guidance_inside_an_anagram_and_until():
    """Rules nest as sampling nests them: each prompt guided, then combined, then ended by until."""
    cond, null = torch.ones(1, 1), torch.zeros(1, 1)
    x = noise(1, 1, 8, 8)

    def model(x, t, c):
        return carrying(x * 2, c.view(-1, 1, 1, 1).expand_as(x))

    both = [combine(guided, model, cond, null, 3.0), combine(guided, model, cond, null, 1)]
    mixed = combine(anagram, both, [VIEWS["identity"], VIEWS["negative"]])
    for t in (200, 50):
        eps_hat = until(100, mixed, both[1])(x, torch.tensor([t]))
        assert (eps_hat.v == 1).all() and torch.allclose(eps_hat, 2 * x)


def test_dynamic_thresholding_leaves_images_within_the_range_alone():
    """Nothing beyond -1..1: s = 1, the same bits."""
    x = 2 * torch.rand(3, 1, 8, 8, generator=seeded()) - 1
    assert torch.equal(dynamic_threshold()(x), x)


def test_dynamic_thresholding_scales_each_image_by_its_own_quantile():
    """100 values 0.01 .. 1.00, times 1.2: the 95% quantile of |x_0_hat| is known; at most `most`,
    and the neighbour within the range is unchanged."""
    ramp = torch.arange(1, 101).float().view(1, 1, 10, 10) / 100
    signs = torch.where(torch.arange(100) % 2 == 0, 1.0, -1.0).view(1, 1, 10, 10)
    x = torch.cat([1.2 * ramp * signs, ramp * signs, 10 * ramp * signs])
    found = dynamic_threshold(0.95, 1.5)(x)
    s = 1.2 * (0.95 + 0.0005 * 1)  # linear between the 95th and 96th value: 1 + 99 · 0.95 = 95.05
    assert torch.allclose(found[0], x[0].clamp(-s, s) / s, atol=1e-5)
    assert torch.equal(found[1], x[1])
    assert torch.allclose(found[2], x[2].clamp(-1.5, 1.5) / 1.5)
    assert found.abs().max() <= 1
