"""Predict v, a mixture of noise and image, instead of the noise.

At t = T there is hardly any image in x_t, and to predict the noise is to copy the input; a small
error there is a large one in x_0_hat. At t = 1 the same holds with the image. v is never easy:

    v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0                   `v_of`
    eps = sqrt(alpha_bar_t) v + sqrt(1 - alpha_bar_t) x_t                   `eps_of`

(progressive distillation, section 4). Image and noise are the two axes of a circle, x_t a point on
it, and v the direction in which it moves as noise is added (appendix D). With `--predict v` the
network returns v_hat, and the model makes eps_hat of it, so nothing after it changes.

Remember: given x_t, noise, image, v and the velocity of a flow are one prediction in four units.
What a network predicts changes only how much each t counts in training.

Sources: progressive distillation, arXiv:2202.00512.

Exercises
1. What is v at t = 0, and what nearly at t = T?
   test_velocity.py: test_v_and_eps_are_each_other_given_the_noisy_image
2. Let a network predict the image: one entry in PREDICTIONS (models/model.py). What is its loss?
   test_extending.py: test_a_prediction_target_has_its_own_loss
Next: models/upsampler.py
"""


def v_of(schedule, x_0, t, eps):
    """Return v = sqrt(ab_t) eps - sqrt(1 - ab_t) x_0, like x_0 (B,C,H,W). t: (B,) int64 in 0..T.

    Derivation: v, eps and a flow. Let phi be the angle whose cosine is sqrt(ab_t). Then x (x_t) and
    v = dx/dphi are the pair (x_0, eps) turned by phi, and turning back gives `eps_of`:

        x = cos(phi) x_0 + sin(phi) eps        eps = sin(phi) x + cos(phi) v
        v = cos(phi) eps - sin(phi) x_0        x_0 = cos(phi) x - sin(phi) v

    Given x, an error d in v is therefore cos(phi) d in eps, so |v_hat - v|² is the squared error of
    eps divided by ab_t: compared with `noise_loss`, the noisy steps count more.

    A flow's point is y = tau x_0 + (1 - tau) eps, tau its time. With the length r of the pair
    (tau, 1 - tau), tau = r cos(phi) and 1 - tau = r sin(phi), so y = r x: an x_t in other units.
    Its velocity is x_0 - eps; insert both lines on the right above:

        x_0 - eps = (cos(phi) - sin(phi)) x - (sin(phi) + cos(phi)) v
                  = (2 tau - 1) / r x - 1/r v,   r = sqrt(tau² + (1 - tau)²)

    Half way, where tau = ½, it is -v but for its length.

       test_velocity.py: test_v_and_eps_are_each_other_given_the_noisy_image
       test_derivations_sampling.py: test_the_velocity_of_a_flow_is_v_in_other_units
    """
    ab = schedule.at(t)
    return ab.sqrt() * eps - (1 - ab).sqrt() * x_0


def eps_of(schedule, x_t, t, v_hat):
    """Return eps_hat = sqrt(ab_t) v_hat + sqrt(1 - ab_t) x_t, like x_t. t: (B,) int64 in 0..T."""
    ab = schedule.at(t)
    return ab.sqrt() * v_hat + (1 - ab).sqrt() * x_t
