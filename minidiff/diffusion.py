"""Add noise; undo it algebraically; the two losses.

The whole trick of diffusion: adding noise is easy, so make pairs (noisy picture, noise) for
free, and teach a network to tell the noise (eps; the network's guess is eps_hat). Two relations
hold everything together:

    x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps         DDPM (4)     `q_sample`
    x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)     DDPM (15)    `predict_x_0`

Put eps_hat for eps into the second, and out comes the guess for the picture, x_0_hat. From heavy
noise that guess is a blur: squared error is least for the mean of all pictures that could lie
underneath. That is why samplers.py takes many small steps and does not trust the first guess.

Two losses, from the simple to the real thing:

    denoising_loss   | denoiser(x_0 + sigma eps) - x_0 |²    one noise level; it returns x_0
    noise_loss       | model(x_t, t, cond) - eps |²          every level; it returns eps. DDPM (14)

A *model*, here and everywhere, is what is called as model(x_t, t, cond) and returns eps_hat: told
noisy pictures, the step t of each, and cond, what they are to show (guidance.py; None: anything).

Why predict the noise and not the picture? Given x_t each determines the other, by (15), so either
would do. But a squared error in eps is alpha_bar / (1 - alpha_bar) times the same error in x_0, so
the choice decides how much each t counts. DDPM tried both and found the noise better (section
3.2). It comes to its loss from a bound on the likelihood of the data, which would weigh the steps
once more; (14) leaves these weights out, which moves effort to the noisy steps, where the large
shapes are decided (section 3.4).

Choices. Every picture of a batch draws its own t: one t for the whole batch would still be
unbiased, but much noisier. The loss depends so strongly on t that even independent t make a noisy
mean, so a batch of B spreads them: one t in each B-th of 1..T. Pictures come in random order, so
each picture's t is still uniform; after the low-discrepancy sampler of variational diffusion
models. Losses are computed in float32 whatever the network's precision is. In formulas beside the
code, ab is short for alpha_bar.

Sources: DDPM, arXiv:2006.11239; variational diffusion models, arXiv:2107.00630.

Exercises
1. What does `noise_loss` cost a model that always returns 0? And `denoising_loss` a denoiser that
   returns what it is given? Your training must beat these.
   test_diffusion.py: test_noise_loss_of_the_perfect_model_is_zero_and_of_silence_one
   test_diffusion.py: test_denoising_loss_of_the_identity_is_sigma_squared
2. Give all pictures of a batch the same t. Is the loss right on average? How much does it vary?
   test_exercises.py: test_one_t_for_a_batch_is_right_on_average_and_varies_more
3. No network has a loss of 0: for data N(m, s²), how low can it get?
   test_diffusion.py: test_ideal_gaussian_predictor_has_the_loss_theory_gives
Next: guidance.py
"""

import torch
import torch.nn.functional as F


def _check_same(name_a, a, name_b, b):
    if a.shape != b.shape:
        raise ValueError(
            f"{name_a} and {name_b} must have the same shape, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )


def _check_batch(x, t):
    if x.dim() != 4 or t.shape != x.shape[:1]:
        raise ValueError(
            f"wanted pictures (B,C,H,W) and one t per picture, "
            f"got {tuple(x.shape)} and {tuple(t.shape)}"
        )


def q_sample(schedule, x_0, t, eps):
    """Jump from the clean picture to step t: sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps. DDPM (4).

    x_0: (B,C,H,W) float. t: (B,) int64 in 0..T; t = 0 returns x_0 itself. eps: like x_0, from
    N(0, 1). Returns x_t, like x_0. Raises ValueError where shapes do not fit.
    """
    _check_batch(x_0, t)
    _check_same("x_0", x_0, "eps", eps)
    ab = schedule.at(t)
    return ab.sqrt() * x_0 + (1 - ab).sqrt() * eps


def predict_x_0(schedule, x_t, t, eps_hat):
    """Solve DDPM (4) for the picture: (x_t - sqrt(1 - ab_t) eps_hat) / sqrt(ab_t). DDPM (15).

    x_t: (B,C,H,W) float. t: (B,) int64 in 0..T. eps_hat: like x_t.
    Returns x_0_hat, like x_t, not clipped. Raises ValueError where shapes do not fit.
    """
    _check_batch(x_t, t)
    _check_same("x_t", x_t, "eps_hat", eps_hat)
    ab = schedule.at(t)
    return (x_t - (1 - ab).sqrt() * eps_hat) / ab.sqrt()


def predict_eps(schedule, x_t, t, x_0_hat):
    """Solve DDPM (4) for the noise: (x_t - sqrt(ab_t) x_0_hat) / sqrt(1 - ab_t).

    The inverse of `predict_x_0`, needed where x_0_hat was clipped. t: (B,) int64 in 1..T.
    Returns eps_hat, like x_t. Raises ValueError where shapes do not fit.
    """
    _check_batch(x_t, t)
    _check_same("x_t", x_t, "x_0_hat", x_0_hat)
    ab = schedule.at(t)
    return (x_t - ab.sqrt() * x_0_hat) / (1 - ab).sqrt()


def noise_like(x, generator=None):
    """Draw standard normal noise of x's shape and dtype.

    It is drawn where the generator lives, then moved: a CPU generator gives the same noise on
    every device.
    """
    where = generator.device if generator is not None else x.device
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=where).to(x.device)


def shares(B, generator=None, device="cpu"):
    """Draw B numbers, the k-th uniform in the k-th B-th of 0 .. 1; all B together cover the range
    evenly. Returns float32 (B,), rising."""
    return (torch.arange(B, device=device) + torch.rand(B, generator=generator, device=device)) / B


def spread(B, T, generator=None, device="cpu"):
    """Draw B times t, as evenly over 1..T as `shares`. Returns int64 (B,), rising."""
    return (shares(B, generator, device) * T).long().clamp(max=T - 1) + 1


def noise_loss(schedule, model, x_0, cond=None, generator=None):
    """Return the mean of |eps_hat(x_t, t, cond) - eps|², t uniform in 1..T for each picture and
    spread over the batch. DDPM (14).

    model: (x_t, t, cond) -> eps_hat. x_0: (B,C,H,W) float. cond: the model's third argument.
    generator: on x_0's device. Returns a float32 scalar.
    """
    t = spread(len(x_0), schedule.T, generator, x_0.device)
    eps = noise_like(x_0, generator)
    eps_hat = model(q_sample(schedule, x_0, t, eps), t, cond)
    _check_same("the model's eps_hat", eps_hat, "eps", eps)
    return F.mse_loss(eps_hat.float(), eps)


def denoising_loss(denoiser, x_0, sigma=0.5, generator=None):
    """Return the mean of |denoiser(x_0 + sigma eps) - x_0|²: one noise level, no schedule.

    denoiser: (x_noisy) -> x_0_hat. x_0: (B,C,H,W) float. sigma: deviation of the noise, in units
    of pixel range (0.5 = half of black to white). Returns a float32 scalar.
    """
    x_0_hat = denoiser(x_0 + sigma * noise_like(x_0, generator))
    _check_same("the denoiser's output", x_0_hat, "x_0", x_0)
    return F.mse_loss(x_0_hat.float(), x_0)
