"""8. Guidance: hide the condition in training, combine two predictions in sampling.

A model that was trained with labels follows them only loosely: prompted with a 7, it sometimes
generates a 1, because the noisy image in front of it looks more like a 1. *Classifier-free
guidance*: in training the label, the *condition*, is hidden with probability p_uncond, so that one
network learns to predict the noise both with it (eps_c) and without (eps_u). In sampling we compute
both predictions and amplify their difference, the direction in which the label matters:

    eps_hat = eps_u + gamma (eps_c - eps_u)              guidance (6), with gamma = w + 1

    gamma = 0      unconditional: the label is ignored
    gamma = 1      conditional: what training aimed at
    gamma > 1      further along the same direction

Two conventions are in use. The paper writes (1 + w) eps_c - w eps_u, so its w = 0 is our gamma = 1.
Ours is the course's, and what the library diffusers calls guidance_scale.

With a larger gamma more samples show the right digit, but they look more alike. Which digit it will
be is decided early, while the image is mostly noise; after that, guidance only makes strokes
thicker and edges harder. `until` guides the early steps only, which is also cheaper. (Kynkaanniemi
et al. found the same for photographs, where the very first steps are better left unguided too; for
digits they are not.) `guided` turns a model into an eps_fn, so samplers need not know about
conditions. Each label is hidden independently of the others; a hidden label is a vector of zeros.

Remember: guidance multiplies what the prompt changes in the prediction. It gives up variety for
agreement with the prompt, and what it samples from is no longer the distribution of the data.

Sources: classifier-free guidance, arXiv:2207.12598; in a limited interval, arXiv:2404.07724.

Exercises
1. Write `guided` with the paper's w. Which w is gamma = 5? And which is gamma = 0?
   test_guidance.py: test_both_conventions_agree
2. Hide every tenth label instead. Which test notices?
   test_guidance.py: test_the_dropped_share_follows_the_binomial
3. Let eps_u and eps_c be those of data N(0, s²) and N(m, s²). Where does gamma = 2 lead DDIM?
   test_exercises.py: test_guidance_moves_the_mean_further_along_the_line
Next: models/generate.py
"""

import torch


def drop_condition(cond, p_uncond=0.1, generator=None):
    """Zero each row of cond with probability p_uncond, independently. Guidance, algorithm 1.

    cond: float (B, ...), zeros meaning "no condition". p_uncond: in 0..1. generator: on cond's
    device. Returns a new tensor like cond. Raises ValueError for a p_uncond outside 0..1.
    """
    if not 0 <= p_uncond <= 1:
        raise ValueError(f"p_uncond must lie in 0..1, got {p_uncond}")
    keep = torch.rand(len(cond), generator=generator, device=cond.device) >= p_uncond
    return cond * keep.view(-1, *[1] * (cond.dim() - 1))


def guided(model, cond, null, gamma):
    """Return eps_fn(x_t, t) = eps_u + gamma (eps_c - eps_u). Guidance (6) with gamma = w + 1.

    model: (x_t, t, cond) -> eps_hat. cond, null: (B, ...), the condition and its absence. gamma:
    any number. Both predictions are made in one pass, as one batch of 2B; at gamma 1 and 0 only the
    one that is used is made. Raises ValueError if cond and null differ in shape.

    Derivation: guidance is Bayes' rule, exaggerated. Take logarithms of p(c | x_t) = p(x_t | c)
    p(c) / p(x_t) and gradients with respect to x_t, where p(c) drops out:

        ∇ log p(c | x_t) = ∇ log p(x_t | c) - ∇ log p(x_t)

    By the derivation at `predict_x_0`, eps_c and eps_u are the scores on the right, times the same
    negative number. So eps_c - eps_u points away from where x_t would be recognised as c, and

        eps_hat = -sqrt(1 - ab_t) ∇ log(p(x_t) p(c | x_t)^gamma)

    the score of a density in which each x_t counts by how surely it shows c: with gamma > 1 the
    doubtful images become rarer, and so do the unusual ones. But that holds at each t on its own.
    To noise data and to weight them by a power do not commute, so no data have these densities at
    all t, and sampling need not end at that of t = 0. For DDIM with small steps, dx/dphi = v_hat
    (theory/solvers.py), where v_hat is cos(phi) eps_hat - sin(phi) x_0_hat, guided as eps_hat is.
    If all data are N(0, 1), v_u = 0 and this becomes dx/dphi = gamma v_c. If those of c are N(0,
    s²), x_t has the deviation d = sqrt(cos(phi)² s² + sin(phi)²), and v_c = x d'/d, as without
    guidance x stays in proportion to d. So log(x) changes gamma times as much as log(d), which goes
    from 0 to log(s) if sampling starts at alpha_bar_T = 0. In the density above, the precisions add
    up to 1 + gamma (1/s² - 1) at t = 0. The standard deviations are

        deviation = s^gamma                            where sampling ends
        deviation = 1 / sqrt(1 + gamma (1/s² - 1))     of the density above, at t = 0

    With s = ½ and gamma = 2 that is 0.25 and 0.38: guidance narrows more than Bayes' rule says.

       test_derivations_sampling.py: test_guidance_is_the_score_of_a_classifier
       test_derivations_sampling.py: test_guidance_ends_at_a_power_of_the_deviation
    """
    if cond.shape != null.shape:
        raise ValueError(
            f"cond and null must have the same shape, got {tuple(cond.shape)}, {tuple(null.shape)}"
        )
    if gamma in (0, 1):
        return lambda x_t, t: model(x_t, t, cond if gamma else null)

    def eps_fn(x_t, t):
        both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([cond, null]))
        eps_c, eps_u = both.chunk(2)
        return eps_u + gamma * (eps_c - eps_u)

    return eps_fn


def until(t_end, guided_fn, plain_fn):
    """Return the eps_fn that is guided_fn at t > t_end and plain_fn from t_end down.

    t_end: 0 guides at every step. guided_fn, plain_fn: (x_t, t) -> eps_hat. All images of a call
    must be at the same t.
    """
    return lambda x_t, t: (guided_fn if t[0] > t_end else plain_fn)(x_t, t)
