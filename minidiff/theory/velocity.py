"""Predict v, a mixture of noise and image, instead of the noise.

At t = T there is hardly any image in x_t, and to predict the noise is to copy the input; a small
error there is a large one in x_0_hat. At t = 1 the same holds with the image. v is never easy:

    v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0                   `v_of`
    eps = sqrt(alpha_bar_t) v + sqrt(1 - alpha_bar_t) x_t                   `eps_of`

(progressive distillation, section 4). Image and noise are the two axes of a circle, x_t a point on
it, and v the direction in which it moves as noise is added (appendix D). With `--predict v` the
network returns v_hat, and the model makes eps_hat of it, so nothing after it changes.

Given x_t, an error of v is that of eps divided by sqrt(alpha_bar_t). So |v_hat - v|² is the loss
of eps divided by alpha_bar_t (`noise_loss`): the noisy steps, where the large shapes are decided,
count more.

Sources: progressive distillation, arXiv:2202.00512.
"""


def v_of(schedule, x_0, t, eps):
    """Return v = sqrt(ab_t) eps - sqrt(1 - ab_t) x_0, like x_0 (B,C,H,W). t: (B,) int64 in 0..T."""
    ab = schedule.at(t)
    return ab.sqrt() * eps - (1 - ab).sqrt() * x_0


def eps_of(schedule, x_t, t, v_hat):
    """Return eps_hat = sqrt(ab_t) v_hat + sqrt(1 - ab_t) x_t, like x_t. t: (B,) int64 in 0..T."""
    ab = schedule.at(t)
    return ab.sqrt() * v_hat + (1 - ab).sqrt() * x_t
