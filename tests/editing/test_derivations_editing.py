"""The derivations of views, anagrams, hybrids and inpainting, with numbers."""

import pytest
import torch

from minidiff.editing.illusions import anagram, grey, hybrid, split
from minidiff.editing.inpainting import inpaint
from minidiff.editing.views import VIEWS
from minidiff.theory.samplers import ddim_step, sample
from minidiff.theory.schedule import cosine, evenly, linear


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def matrix_of(function, side):
    """Return a linear function of images (1,side,side) as a matrix, float64."""
    return function(torch.eye(side**2).double().view(-1, 1, side, side)).flatten(1).T


@pytest.mark.parametrize("name", VIEWS)
def test_noise_stays_white_in_a_view_and_only_if_it_is_orthogonal(name):
    """The covariance of A eps is A Aᵀ: I for every view, whose inverse is Aᵀ; not I where a view is
    followed by a blur over two pixels. 40,000 noises agree, within five standard errors."""
    view, n = VIEWS[name], 40_000
    A = matrix_of(view.see, 8)
    assert torch.equal(A @ A.T, torch.eye(64).double())
    assert torch.equal(matrix_of(view.back, 8), A.T)
    seen = view.see(noise(n, 1, 8, 8)).flatten(1)
    assert (torch.cov(seen.T) - torch.eye(64)).abs().max() < 5 * (2 / n) ** 0.5
    mixed = matrix_of(lambda x: (view.see(x) + view.see(x).roll(1, 3)) / 2**0.5, 8)
    assert (mixed @ mixed.T - torch.eye(64)).abs().max() > 0.4


class Blobs:
    """Data of two images of four pixels, blurred by N(0, s²), and their density when noised."""

    def __init__(self, schedule, seed):
        self.schedule, self.centres = schedule, noise(2, 1, 2, 2, seed=seed).double()

    def log_p(self, x_t, t):
        ab = self.schedule.alpha_bar[t[0]].double()
        squares = ((x_t - ab.sqrt() * self.centres) ** 2).flatten(1).sum(1)
        return (-squares / (2 * (ab * 0.04 + 1 - ab))).logsumexp(0)

    def eps(self, x_t, t):
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            score, = torch.autograd.grad(self.log_p(x, t), x)
        return -(1 - self.schedule.alpha_bar[t[0]].double()).sqrt() * score


@pytest.mark.parametrize("name", ["rotate90", "hflip", "negative", "pixels"])
def test_a_prediction_mapped_back_is_the_score_of_the_view(name):
    """The score of log p(A x_t) by autograd; and two such predictions, averaged by `anagram`, are
    that of the square root of the product of both densities."""
    schedule, t, view = linear(300), torch.tensor([140]), VIEWS[name]
    a, b = Blobs(schedule, 1), Blobs(schedule, 2)
    x = noise(1, 1, 2, 2, seed=3).double().requires_grad_()
    both = (a.log_p(x, t) + b.log_p(view.see(x), t)) / 2
    score, = torch.autograd.grad(both, x)
    scale = -(1 - schedule.alpha_bar[140].double()).sqrt()
    found = anagram([a.eps, b.eps], [VIEWS["identity"], view])(x.detach(), t)
    assert torch.allclose(found, scale * score, atol=1e-9)
    alone, = torch.autograd.grad(b.log_p(view.see(x), t), x)
    assert torch.allclose(anagram([b.eps], [view])(x.detach(), t), scale * alone, atol=1e-9)


def average(x):
    """Return images in which every pixel is the mean of all."""
    return x.mean((2, 3), keepdim=True).expand_as(x)


@pytest.mark.parametrize("filter_", [average, grey])
def test_a_hybrid_is_exact_for_independent_bands(gaussian, filter_):
    """Independent pixels have independent bands. From the same noise a hybrid of N(0.8, 0.3²) and
    N(0.1, 0.6²) ends with the first band of a sample of the one and the rest of one of the other,
    to rounding."""
    schedule = cosine(1000)
    a, b = gaussian(schedule, 0.8, 0.3), gaussian(schedule, 0.1, 0.6)
    x, levels = noise(20, 3, 4, 4).double(), evenly(1000, 20)
    assert torch.allclose(filter_(filter_(x)), filter_(x))
    first, second, both = (sample(eps_fn, schedule, x, levels, step=ddim_step) for eps_fn in
                           (a.eps, b.eps, hybrid([a.eps, b.eps], split(filter_))))
    expected = filter_(first) + second - filter_(second)
    assert torch.allclose(both, expected, atol=1e-5) and (both - first).abs().max() > 0.1


def test_the_hole_is_predicted_given_the_noised_known_part():
    """Two pixels N(0, 1) with correlation 0.9, the known one 1.5. At each t the prediction in the
    hole is the score, by autograd, of h_t given the noised k_t, not given k_0; the two come closer
    as t falls, and `inpaint` calls its eps_fn with just that k_t."""
    schedule, rho = linear(300), 0.9
    C, hole = torch.tensor([[1, rho], [rho, 1]]).double(), torch.tensor([[[[False, True]]]])
    x_0, levels = torch.tensor([1.5, 0.0]).double().view(1, 1, 1, 2), [300, 200, 80, 10, 0]
    seen, apart = [], []

    def eps_fn(x_t, t):
        ab = schedule.alpha_bar[t[0]].double()
        S = ab * C + (1 - ab) * torch.eye(2).double()
        with torch.enable_grad():
            h = x_t.flatten()[1].detach().requires_grad_()
            k = x_t.flatten()[0]
            given_k_t = torch.distributions.Normal(
                S[0, 1] / S[0, 0] * k, (S[1, 1] - S[0, 1] ** 2 / S[0, 0]).sqrt()).log_prob(h)
            given_k_0 = torch.distributions.Normal(
                ab.sqrt() * rho * 1.5, (ab * (1 - rho**2) + 1 - ab).sqrt()).log_prob(h)
            scores = [-(1 - ab).sqrt() * torch.autograd.grad(p, h)[0]
                      for p in (given_k_t, given_k_0)]
        eps_hat = (1 - ab).sqrt() * (torch.linalg.inv(S) @ x_t.flatten()).view(x_t.shape)
        assert torch.allclose(eps_hat.flatten()[1], scores[0], atol=1e-9)
        seen.append((t.item(), k.item()))
        apart.append(abs(scores[0] - scores[1]).item())
        return eps_hat

    generator = torch.Generator().manual_seed(0)
    states = list(inpaint(eps_fn, schedule, x_0, hole, noise(1, 1, 1, 2).double(), levels,
                          generator=generator))
    assert [t for t, _ in seen] == levels[:-1]
    assert all(state.x_t[..., 0].item() == k for state, (_, k) in zip(states, seen))
    assert max(apart[:2]) > 0.1 > 2 * apart[-1]
    ab = schedule.alpha_bar
    z = [(k - ab[t].sqrt() * 1.5) / (1 - ab[t]).sqrt() for t, k in seen[1:]]  # each of its own
    assert all(abs(k - 1.5) > 1e-5 for _, k in seen) and max(map(abs, z)) < 4
    assert min(abs(z[0] - z[1]), abs(z[1] - z[2])) > 0.01
