"""What DeepFloyd adds to the samplers: a learned variance and dynamic thresholding.

Its network predicts the noise and, as a second output, v in about [-1, 1], which says where the
best variance is between DDPM's two. Improved DDPM (15), with f = (v + 1) / 2 for the paper's v:

    sigma² = exp(f log beta + (1 - f) log beta_tilde)               "learned"

v is attached to the prediction, as the attribute `v` of the tensor eps_hat, so that samplers,
guidance and illusions need not know of it. `combine` makes an eps_fn by one of their rules and
attaches the v that belongs to its result:

    guided     v of the conditional prediction
    anagram    the mean of all v, mapped back by their views
    hybrid     v of the first prompt, unfiltered

Sources: improved DDPM, arXiv:2102.09672; Imagen, arXiv:2205.11487.
"""

from functools import wraps

import torch

from minidiff.editing.illusions import anagram, hybrid
from minidiff.theory import samplers
from minidiff.theory.guidance import guided
from minidiff.theory.samplers import variance


def carrying(eps_hat, v):
    """Return eps_hat with the attribute v, like eps_hat."""
    eps_hat.v = v
    return eps_hat


def join(predictions):
    """Return the predictions of parts of a batch as one, v included."""
    return carrying(torch.cat(predictions), torch.cat([p.v for p in predictions]))


def combine(rule, fns, *args):
    """Return the eps_fn rule(fns, *args), its predictions carrying v as described above.

    rule: `guided`, `anagram` or `hybrid`. fns: the rule's model, or list of eps_fns.
    """
    seen = []  # the v of each prediction, in the order in which the rule asks for them

    def recorded(fn):
        @wraps(fn)
        def call(*inputs):
            eps_hat = fn(*inputs)
            seen.append(eps_hat.v)
            return eps_hat

        return call

    eps_fn = rule([recorded(f) for f in fns] if isinstance(fns, list) else recorded(fns), *args)

    def combined(x_t, t):
        seen.clear()
        eps_hat = eps_fn(x_t, t).clone()
        return carrying(eps_hat, CHOICES[rule](seen, len(x_t), *args))

    return combined


def _mapped_back(seen, B, views):
    """Return the mean of all v as their views map them back; v has no sign that a view changes."""
    signs = (view.back(torch.ones_like(v)).sign() for v, view in zip(seen, views))
    return torch.stack([view.back(v) * s for v, view, s in zip(seen, views, signs)]).mean(0)


CHOICES = {
    guided: lambda seen, B, *_: seen[0][:B],  # the conditional half comes first
    anagram: _mapped_back,
    hybrid: lambda seen, *_: seen[0],
}


def learned_variance(schedule, t, s, v):
    """Return sigma² of the step from t to s, like v. Improved DDPM (15)."""
    beta, beta_tilde = (variance(schedule, t, s, name) for name in ("beta", "beta_tilde"))
    f = (v + 1) / 2
    return torch.exp(f * beta.log() + (1 - f) * beta_tilde.clamp(min=1e-20).log())


def ddpm_step(schedule, x_t, t, s, eps_hat, *, kind="learned", clip=None, generator=None):
    """Sample x_s as `samplers.ddpm_step` does, by default with the learned variance.

    eps_hat: like x_t; for "learned" with the attribute v. Raises ValueError where it has none.
    """
    if kind == "learned":
        if not hasattr(eps_hat, "v"):
            raise ValueError("variance 'learned' needs a network with a second output v, got none")
        kind = learned_variance(schedule, t, s, eps_hat.v)
    how = {"kind": kind, "clip": clip, "generator": generator}
    return samplers.ddpm_step(schedule, x_t, t, s, eps_hat, **how)


def dynamic_threshold(share=0.95, most=1.5):
    """Return a clip for x_0_hat in -1..1 that follows its largest values. Imagen, section 2.3.

    s is the value below which a `share` of an image's |x_0_hat| lies, at least 1 and at most
    `most`. The image is clipped to -s..s and divided by s: where guidance drives many pixels
    beyond the range, all are scaled back in proportion, and do not saturate.
    """

    def clip(x_0_hat):
        s = x_0_hat.abs().flatten(1).quantile(share, 1).clamp(1, most).view(-1, 1, 1, 1)
        return x_0_hat.clamp(-s, s) / s

    return clip
