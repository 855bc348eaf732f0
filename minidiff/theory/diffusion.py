"""3. Add noise; remove it algebraically; the two losses.

Adding noise is easy, so we can make any number of pairs (noisy image, noise) and train a network to
predict the noise eps; its prediction is eps_hat. Two equations connect them:

    x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps         DDPM (4)     `q_sample`
    x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)     DDPM (15)    `predict_x_0`

With eps_hat in place of eps the second gives the predicted image, x_0_hat. For a very noisy x_t
that is a blur (the derivation is at `predict_x_0`), so sampling (chapter 7) takes many small steps.

Two losses:

    denoising_loss   | denoiser(x_0 + sigma eps) - x_0 |²    one noise level; predicts x_0
    noise_loss       | model(x_t, t, cond) - eps |²          every level; predicts eps. DDPM (14)

A *model* is called as model(x_t, t, cond) and returns eps_hat. cond, a condition, says what each
image shows, such as a digit (None: nothing). Why predict the noise and not the image? Given x_t
each determines the other, by (15). The choice decides how much each t counts (`noise_loss`; `gain`
in chapter 5). DDPM found noise better (section 3.2). v, a mixture, is in theory/velocity.py.

Choices. Every image of a batch gets its own t: one t for the whole batch would be unbiased, but
much noisier. Even independent t make the mean noisy, so the timesteps are *stratified*: 1..T is cut
into B equal parts, and a batch of B images has one t in each. Batches are shuffled, so each
image's t is still uniform. In formulas, ab is short for alpha_bar.

Remember: a network trained with squared error predicts a mean, the mean of all noises that could be
in x_t. That mean is minus a scaled gradient of log p(x_t): it points away from likely images.

Sources: DDPM, arXiv:2006.11239; variational diffusion models, arXiv:2107.00630.

Exercises
1. What is `noise_loss` for a model that returns 0? `denoising_loss` for one that returns its input?
   test_diffusion.py: test_noise_loss_is_zero_for_the_perfect_model_and_one_for_zero
   test_diffusion.py: test_denoising_loss_of_the_identity_is_sigma_squared
2. Give all images of a batch the same t. Is the loss right on average? How much does it vary?
   test_exercises.py: test_one_t_for_a_batch_is_right_on_average_and_varies_more
3. No network has a loss of 0. For data N(m, s²), what is the lowest possible loss?
   test_diffusion.py: test_ideal_gaussian_predictor_has_the_loss_theory_gives
Next: network/blocks.py
"""

import torch
import torch.nn.functional as F


def _check_same(name_a, a, name_b, b):
    if a.shape != b.shape:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"{name_a} and {name_b} must have the same shape, got {shapes}")


def _check_batch(x, t):
    if x.dim() != 4 or t.shape != x.shape[:1]:
        shapes = f"{tuple(x.shape)} and {tuple(t.shape)}"
        raise ValueError(f"expected images (B,C,H,W) and one t per image, got {shapes}")


def q_sample(schedule, x_0, t, eps):
    """Return x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps: noise a clean image to step t. DDPM (4).

    x_0: (B,C,H,W) float. t: (B,) int64 in 0..T; t = 0 returns x_0 itself. eps: like x_0, from
    N(0, 1). Returns x_t, like x_0. Raises ValueError if shapes do not fit.
    """
    _check_batch(x_0, t)
    _check_same("x_0", x_0, "eps", eps)
    ab = schedule.at(t)
    return ab.sqrt() * x_0 + (1 - ab).sqrt() * eps


def predict_x_0(schedule, x_t, t, eps_hat):
    """Return x_0_hat = (x_t - sqrt(1 - ab_t) eps_hat) / sqrt(ab_t), the predicted image. DDPM (15).

    x_t: (B,C,H,W) float. t: (B,) int64 in 0..T. eps_hat: like x_t.
    The result is like x_t, not clipped. Raises ValueError if shapes do not fit.

    Derivation: eps_hat is a slope, x_0_hat a mean. Let p(x_t) be the density of noisy images, the
    mean over all images x_0 of the Gaussian q(x_t | x_0), and ∇ the gradient with respect to x_t:

        ∇q(x_t | x_0) = -(x_t - sqrt(ab_t) x_0) / (1 - ab_t) q(x_t | x_0)
                      = -eps / sqrt(1 - ab_t) q(x_t | x_0)

    Take the mean over x_0 on both sides and divide by p(x_t). Bayes' rule makes the right side a
    mean over the x_0 that could be in x_t. The left side, ∇ log p(x_t), is called the *score*:

        ∇ log p(x_t) = -E[eps | x_t] / sqrt(1 - ab_t)

    A squared error is smallest for the conditional mean, so the best eps_hat is E[eps | x_t], a
    scaled score. DDPM (15) is linear, so its x_0_hat is a mean as well (Tweedie's formula):

        x_0_hat = (x_t + (1 - ab_t) ∇ log p(x_t)) / sqrt(ab_t) = E[x_0 | x_t]

    At t = T nearly every x_0 could be in x_t. So the first x_0_hat is nearly the mean of all
    images: a blur, which is itself no image of the data.

       test_derivations.py: test_the_prediction_is_a_scaled_score_and_a_mean
       test_derivations.py: test_the_first_prediction_is_the_mean_of_all_images
    """
    _check_batch(x_t, t)
    _check_same("x_t", x_t, "eps_hat", eps_hat)
    ab = schedule.at(t)
    return (x_t - (1 - ab).sqrt() * eps_hat) / ab.sqrt()


def predict_eps(schedule, x_t, t, x_0_hat):
    """Return eps_hat = (x_t - sqrt(ab_t) x_0_hat) / sqrt(1 - ab_t): DDPM (4) solved for the noise.

    The inverse of `predict_x_0`, needed where x_0_hat was clipped. t: (B,) int64 in 1..T.
    The result is like x_t. Raises ValueError if shapes do not fit.
    """
    _check_batch(x_t, t)
    _check_same("x_t", x_t, "x_0_hat", x_0_hat)
    ab = schedule.at(t)
    return (x_t - ab.sqrt() * x_0_hat) / (1 - ab).sqrt()


def noise_like(x, generator=None):
    """Return standard normal noise of x's shape and dtype, on x's device.

    generator: its noise is made on its device and then moved, so that of a CPU generator is the
    same everywhere. Or a list of one for each image, which then does not depend on the others.
    """
    if isinstance(generator, list):
        if len(generator) != len(x):
            raise ValueError(f"{len(generator)} generators for {len(x)} images")
        each = [torch.randn(x.shape[1:], generator=g, dtype=x.dtype) for g in generator]
        return torch.stack(each).to(x.device)
    where = generator.device if generator is not None else x.device
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=where).to(x.device)


def stratified(B, generator=None, device="cpu"):
    """Return B random numbers, one uniform in each of B equal parts of 0 .. 1: float32 (B,)."""
    return (torch.arange(B, device=device) + torch.rand(B, generator=generator, device=device)) / B


def stratified_timesteps(B, T, generator=None, device="cpu"):
    """Return B stratified timesteps in 1..T: int64 (B,). See `stratified`."""
    return (stratified(B, generator, device) * T).long().clamp(max=T - 1) + 1


def noise_loss(schedule, model, x_0, cond=None, generator=None):
    """Return the mean of |eps_hat(x_t, t, cond) - eps|², t uniform in 1..T for each image and
    stratified over the batch. DDPM (14). The error is divided by model.gain(t), if it has one.

    model: (x_t, t, cond) -> eps_hat. x_0: (B,C,H,W) float. cond: the model's third argument.
    generator: on x_0's device. Returns a float32 scalar.

    Derivation: from the likelihood to this loss. A model that steps from x_t to x_s by p(x_s | x_t)
    generates x_0 with a density p(x_0). The log of a mean is at least the mean of the logs (this is
    Jensen's inequality), so -log p(x_0) is at most the mean of log q(x_1, ..., x_T | x_0) -
    log p(x_0, ..., x_T). Both are products of steps back, p by definition, q by Bayes' rule:
    q(x_T | x_0) times all q(x_s | x_t, x_0), s = t - 1. So for t > 1 the bound is a sum of
    Kullback-Leibler divergences, means of log(q / p), of the true step and the model's, DDPM (5).
    At T no network is involved; at t = 1 a Gaussian's log is left, with the same weight. Both steps
    are Gaussian. If, for a pixel, the true one has mean m and variance v, the model's m_hat and
    sigma², that is

        KL = ½ log(sigma² / v) + (v + (m_hat - m)²) / (2 sigma²) - ½

    and only m_hat depends on the network. The means differ by beta / (sqrt(alpha) sqrt(1 - ab_t))
    (eps_hat - eps), which is derived in chapter 7, at `ddpm_step`. This gives DDPM (12):

        KL = w_t (eps_hat - eps)² + constant,   w_t = beta² / (2 sigma² alpha (1 - ab_t))

    At each t alone w_t changes nothing: E[eps | x_t] is best. It says which t matter most to a
    network that cannot be perfect everywhere. With sigma² = beta on the linear schedule it falls
    from ½ at t = 1 to 0.02 at 50 and 0.01 at 300 (beta_tilde, 0 at t = 1, makes it infinite there):
    most weight is where least is left to decide. DDPM (14) drops it (section 3.4).

       test_derivations.py: test_the_bound_is_tight_where_the_model_is_exact
       test_derivations.py: test_the_weights_between_losses
    """
    t = stratified_timesteps(len(x_0), schedule.T, generator, x_0.device)
    eps = noise_like(x_0, generator)
    eps_hat = model(q_sample(schedule, x_0, t, eps), t, cond)
    _check_same("the model's eps_hat", eps_hat, "eps", eps)
    gain = model.gain(t) if hasattr(model, "gain") else 1
    return F.mse_loss(eps_hat.float() / gain, eps / gain)


def denoising_loss(denoiser, x_0, sigma=0.5, generator=None):
    """Return the mean of |denoiser(x_0 + sigma eps) - x_0|²: one noise level, no schedule.

    denoiser: (x_noisy) -> x_0_hat. x_0: (B,C,H,W) float. sigma: standard deviation of the noise, in
    units of the pixel range (0.5 = half of black to white). Returns a float32 scalar.
    """
    x_0_hat = denoiser(x_0 + sigma * noise_like(x_0, generator))
    _check_same("the denoiser's output", x_0_hat, "x_0", x_0)
    return F.mse_loss(x_0_hat.float(), x_0)
