"""Inversion: the noise from which DDIM samples a given image; and images between two.

DDIM with eta = 0 follows a differential equation (theory/solvers.py), which can be followed upwards
as well: predict the noise in the image, and step to the next noisier level (DDIM, section 4.3).

    x_t = sqrt(alpha_bar_t) x_0_hat + sqrt(1 - alpha_bar_t) eps_hat,   both predicted at s < t

Sampled from there, the image returns. Not exactly: each step down predicts at its noisier end, each
step up at the other one. The difference falls as the steps become more. A network knows no t = 0,
so the image itself is taken for x_1.

Noise of two images can be mixed. A mean of two independent noises has too little variance, which no
network has seen; `slerp` goes along the arc between them instead (DDIM, section 5.3).

Sources: DDIM, arXiv:2010.02502.
"""

import torch

from minidiff.theory.diffusion import predict_x_0, q_sample
from minidiff.theory.samplers import check_timesteps


@torch.no_grad()
def invert(eps_fn, schedule, x_0, timesteps):
    """Return the noise (B,C,H,W), at level timesteps[0], that DDIM turns into images x_0.

    eps_fn, timesteps: of the sampling, see `trajectory`. Raises ValueError for timesteps that do
    not fit.
    """
    check_timesteps(schedule, timesteps)
    x = x_0
    for t, s in zip(timesteps[-2::-1], timesteps[:0:-1]):
        from_, to = (torch.full((len(x),), k, device=x.device) for k in (s, t))
        eps_hat = eps_fn(x, from_.clamp(min=1))
        x = q_sample(schedule, predict_x_0(schedule, x, from_, eps_hat), to, eps_hat)
    return x


def slerp(a, b, share):
    """Return noise on the arc from a to b (B,C,H,W), image by image; share: 0 (a) .. 1 (b)."""
    u, v = (x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True) for x in (a, b))
    angle = (u * v).sum(1).clamp(-1, 1).acos().view(-1, 1, 1, 1)
    parts = [(s * angle).sin() / angle.sin() for s in (1 - share, share)]
    near = angle.sin() < 1e-3  # nearly the same direction: the arc is a line
    return torch.where(near, torch.lerp(a, b, share), parts[0] * a + parts[1] * b)
