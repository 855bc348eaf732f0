"""Our samplers against Hugging Face diffusers, an independent implementation, with the same noise.

Their timesteps count 0..T-1 where ours count 1..T: our t is their timestep + 1.
"""

import pytest
import torch

from minidiff.models.deepfloyd.learned import carrying
from minidiff.models.deepfloyd.learned import ddpm_step as learned_step
from minidiff.theory.samplers import ddim_step, ddpm_step
from minidiff.theory.schedule import cosine, linear

diffusers = pytest.importorskip(
    "diffusers", reason="diffusers is not installed; run: make test-diffusers"
)

SCHEDULES = {
    "linear": (linear(1000), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    "digits": (linear(300), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    "cosine": (cosine(1000), {"beta_schedule": "squaredcos_cap_v2"}),
}


def noisy(seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 1, 8, 8, generator=g), torch.randn(2, 1, 8, 8, generator=g)


def seeded():
    return torch.Generator().manual_seed(9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_alpha_bar(name):
    """alpha_bar[t] is their alphas_cumprod[t - 1]."""
    ours, theirs = SCHEDULES[name]
    theirs = diffusers.DDPMScheduler(num_train_timesteps=ours.T, **theirs)
    assert torch.allclose(ours.alpha_bar[1:], theirs.alphas_cumprod, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind, theirs_kind", [("beta", "fixed_large"),
                                               ("beta_tilde", "fixed_small"),
                                               ("learned", "learned_range")])
@pytest.mark.parametrize("clip", [None, (-1.0, 1.0)])
def test_ddpm_step_by_step(name, kind, theirs_kind, clip):
    """Every variance, with and without clipping, in 20 steps from noise to image."""
    schedule, betas = SCHEDULES[name]
    scheduler = diffusers.DDPMScheduler(
        num_train_timesteps=schedule.T, variance_type=theirs_kind, clip_sample=bool(clip), **betas
    )
    scheduler.set_timesteps(20)
    x, eps_hat = noisy()
    v = torch.linspace(-1, 1, x.numel()).view_as(x)
    model_output = torch.cat([eps_hat, v], 1) if kind == "learned" else eps_hat
    for timestep in scheduler.timesteps.tolist():
        t = timestep + 1
        s = max(t - schedule.T // 20, 0)
        theirs = scheduler.step(model_output, timestep, x, generator=seeded()).prev_sample
        step = learned_step if kind == "learned" else ddpm_step
        carrying(eps_hat, v)  # the other variances must ignore it
        ours, _ = step(schedule, x, t, s, eps_hat, kind=kind, clip=clip, generator=seeded())
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3), (t, (ours - theirs).abs().max())
        x = theirs


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [None, (-1.0, 1.0)])
def test_ddim_step_by_step(name, eta, clip):
    """Deterministic, half and fully stochastic, with and without clipping (eps recomputed)."""
    schedule, betas = SCHEDULES[name]
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=schedule.T, clip_sample=clip is not None, set_alpha_to_one=True,
        **betas,
    )
    scheduler.set_timesteps(20)
    x, eps_hat = noisy(1)
    for timestep in scheduler.timesteps.tolist():
        t = timestep + 1
        theirs = scheduler.step(eps_hat, timestep, x, eta=eta, use_clipped_model_output=True,
                                generator=seeded()).prev_sample
        s = max(t - schedule.T // 20, 0)
        ours, _ = ddim_step(schedule, x, t, s, eps_hat, eta=eta, clip=clip, generator=seeded())
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3), (t, (ours - theirs).abs().max())
        x = theirs
