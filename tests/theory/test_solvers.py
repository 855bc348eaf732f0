"""solvers.py: second order, what they remember, how many network calls they make."""

import pytest
import torch

from minidiff.theory.diffusion import q_sample
from minidiff.theory.samplers import ddim_step, sample, take_step, trajectory
from minidiff.theory.schedule import cosine, evenly, linear, strided
from minidiff.theory.solvers import SAMPLERS, dpm2m_step, heun_step, network_calls

SOLVERS = [heun_step, dpm2m_step]
SCHEDULES = {"linear": linear(1600, 2e-5, 0.004), "cosine": cosine(1600)}  # fine: steps of T/160


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def error(data, schedule, steps, step, end=0):
    """Return how far two points end from where the exact trajectory from T to `end` leads them; the
    map is affine, so two points are enough. Trajectories in one dimension cannot overtake each
    other: a point keeps its distance from the mean in units of the standard deviation."""
    def moments(t):
        ab = schedule.alpha_bar[t].double()
        return ab.sqrt() * data.mean, (ab * data.std**2 + 1 - ab).sqrt()

    x, T, memory = torch.tensor([-1.0, 1.5]).double().view(2, 1, 1, 1), schedule.T, {}
    (mean, std), (mean_end, std_end) = moments(T), moments(end)
    exact = mean_end + std_end * (x - mean) / std
    levels = [round(T - (T - end) * k / steps) for k in range(steps + 1)]
    for t, s in zip(levels, levels[1:]):
        x, _ = take_step(data.eps, schedule, x, t, s, step=step, memory=memory)
    return (x - exact).abs().max().item()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("step", SOLVERS)
def test_the_error_falls_fourfold_as_the_steps_double(gaussian, step, name):
    """Second order, from T to T/5, on Gaussian data with the ideal predictor; DDIM's halves."""
    schedule = SCHEDULES[name]
    data = gaussian(schedule)
    errors = [error(data, schedule, n, step, schedule.T // 5) for n in (10, 20, 40, 80)]
    assert all(3.7 < a / b < 4.4 for a, b in zip(errors, errors[1:])), errors
    first = [error(data, schedule, n, ddim_step, schedule.T // 5) for n in (20, 40)]
    assert 1.9 < first[0] / first[1] < 2.1 and errors[1] < first[0] / 8


@pytest.mark.parametrize("schedule", [linear(300), cosine(1000)], ids=["linear", "cosine"])
def test_both_are_closer_than_ddim_at_equal_network_calls(gaussian, schedule):
    """40 calls down to the image: DDIM 40 steps, Heun 20, DPM-Solver++ 40; the last is best."""
    data = gaussian(schedule)
    ddim, heun, dpm = (error(data, schedule, n, step)
                       for n, step in ((40, ddim_step), (20, heun_step), (40, dpm2m_step)))
    assert dpm < heun / 5 and heun < ddim * 0.7


@pytest.mark.parametrize("step", SOLVERS)
def test_with_a_perfect_predictor_every_step_is_exact(step):
    """With the true eps the true x_0 is reached, in one step or in many."""
    schedule, x_0, eps = linear(), noise(3, 1, 8, 8), noise(3, 1, 8, 8, seed=1)
    x_T = q_sample(schedule, x_0, torch.full((3,), 300), eps)
    for timesteps in ([300, 0], [300, 150, 0], evenly(300, 7), strided(300, 60)):
        out = sample(lambda x, t: eps, schedule, x_T, timesteps, step=step)
        assert torch.allclose(out, x_0, atol=2e-4)


def test_a_first_step_of_dpm2m_is_ddim_and_a_second_is_algorithm_2():
    """Algorithm 2 as it is written: sigma_s / sigma_t x_t - alpha_s (exp(-h) - 1) D."""
    schedule, (u, t, s) = linear(), (300, 200, 120)
    x_u, first, second = (noise(2, 1, 4, 4, seed=k) for k in range(3))
    memory = {}
    x_t, before = dpm2m_step(schedule, x_u, u, t, first, memory=memory)
    plain, _ = ddim_step(schedule, x_u, u, t, first)
    assert torch.allclose(x_t, plain, atol=1e-5)
    x_s, x_0_hat = dpm2m_step(schedule, x_t, t, s, second, memory=memory)
    alpha = {k: schedule.alpha_bar[k].double().sqrt() for k in (u, t, s)}
    sigma = {k: (1 - a**2).sqrt() for k, a in alpha.items()}
    lam = {k: (alpha[k] / sigma[k]).log() for k in alpha}
    h, r = lam[s] - lam[t], (lam[t] - lam[u]) / (lam[s] - lam[t])
    D = (1 + 1 / (2 * r)) * x_0_hat - 1 / (2 * r) * before
    expected = sigma[s] / sigma[t] * x_t - alpha[s] * ((-h).exp() - 1) * D
    assert torch.allclose(x_s, expected.float(), atol=1e-5)


def test_a_step_that_is_taken_again_looks_back_to_the_same_prediction():
    """RePaint goes from t to s, back to t, and down again: twice the same, and no division by 0."""
    schedule, memory, x = linear(), {}, noise(2, 1, 4, 4)
    dpm2m_step(schedule, x, 300, 200, x, memory=memory)
    once, _ = dpm2m_step(schedule, x, 200, 120, x / 2, memory=memory)
    again, _ = dpm2m_step(schedule, x, 200, 120, x / 2, memory=memory)
    assert torch.equal(once, again)
    assert [t for t, _ in memory["predictions"]] == [300, 200]  # no more is kept


@pytest.mark.parametrize("step", SOLVERS)
def test_clipping_reaches_every_prediction(step):
    """The last image is in the range, and another range leads elsewhere; a function may clip."""
    schedule, x = linear(), 3 * noise(2, 1, 8, 8)

    def eps_fn(x, t):
        return x / 3

    def end(clip):
        return sample(eps_fn, schedule, x, evenly(300, 5), step=step, clip=clip)

    assert end((0.0, 1.0)).min() >= 0 and end((0.0, 1.0)).max() <= 1 and end(None).min() < 0
    assert torch.equal(end((0.0, 1.0)), end(lambda x: x.clamp(0, 1)))
    first = [sample(eps_fn, schedule, x, [300, 150, 80, 0], step=step, clip=clip)
             for clip in (None, lambda x: x.clamp(0.3, 0.31))]
    assert first[1].min() >= 0.3 and first[1].max() <= 0.31 and not torch.equal(*first)


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_network_calls_are_counted(steps):
    """One a step; Heun two, but for the last step; and so many does a trajectory make."""
    levels, calls = evenly(300, steps), []
    assert {k: network_calls(levels, f) for k, f in SAMPLERS.items()} == {
        "ddpm": steps, "ddim": steps, "dpm2m": steps, "heun": 2 * steps - 1}
    for step in SAMPLERS.values():
        sample(lambda x, t: calls.append(t) or x, linear(), noise(1, 1, 4, 4), levels, step=step)
    assert len(calls) == sum(network_calls(levels, f) for f in SAMPLERS.values())


@pytest.mark.parametrize("step", SOLVERS)
def test_a_trajectory_has_its_own_memory(step):
    """Two in a row give the same; each State has the prediction that led to it."""
    schedule, x = linear(), noise(2, 1, 4, 4)
    a, b = ([*trajectory(lambda x, t: x / 3, schedule, x, [300, 200, 90, 0], step=step)]
            for _ in range(2))
    assert all(torch.equal(p.x_t, q.x_t) for p, q in zip(a, b))
    assert torch.equal(a[-1].x_0_hat, a[-1].x_t) or torch.allclose(a[-1].x_0_hat, a[-1].x_t)


def test_a_step_gets_what_it_names():
    """Only what it has a parameter for; its memory lasts from one step to the next."""
    seen = []

    def step(schedule, x_t, t, s, eps_hat, *, eps_fn, memory, scale):
        memory[t] = s
        seen.append((dict(memory), eps_fn(x_t, torch.full((3,), t)).sum().item(), scale))
        return x_t, x_t

    sample(lambda x, t: 0 * x + t.view(-1, 1, 1, 1), linear(), torch.zeros(3, 1, 1, 1), [9, 4, 0],
           step=step, scale=7, generator=seeded())
    assert seen == [({9: 4}, 27.0, 7), ({9: 4, 4: 0}, 12.0, 7)]


def test_a_step_that_does_not_go_down_is_refused():
    """As by the other steps."""
    x = noise(1, 1, 4, 4)
    with pytest.raises(ValueError, match="0 <= s < t <= 300"):
        dpm2m_step(linear(), x, 100, 100, x, memory={})
    with pytest.raises(ValueError, match="0 <= s < t <= 300"):
        heun_step(linear(), x, 100, 120, x, eps_fn=lambda x, t: x)
