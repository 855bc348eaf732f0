"""velocity.py: v, its conversions and its loss."""

import pytest
import torch

from minidiff.theory.diffusion import noise_loss, predict_eps, q_sample
from minidiff.theory.schedule import cosine, linear
from minidiff.theory.velocity import eps_of, v_of


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)

@pytest.mark.parametrize("schedule", [linear(300), cosine(1000)], ids=["linear", "cosine"])
def test_v_and_eps_are_each_other_given_the_noisy_image(schedule):
    """There and back, and with the image that both mean; at t = 0 v is the noise itself."""
    x_0, eps = noise(6, 1, 8, 8), noise(6, 1, 8, 8, seed=1)
    t = torch.tensor([0, 1, 50, 150, 250, schedule.T])
    x_t, v = q_sample(schedule, x_0, t, eps), v_of(schedule, x_0, t, eps)
    assert torch.allclose(eps_of(schedule, x_t, t, v), eps, atol=1e-5)
    ab = schedule.at(t)
    assert torch.allclose(ab.sqrt() * x_t - (1 - ab).sqrt() * v, x_0, atol=1e-5)  # section 4
    assert torch.equal(v[0], eps[0]) and torch.allclose(v.square() + x_t.square(),
                                                        x_0.square() + eps.square(), atol=1e-4)


def test_v_is_the_derivative_along_the_circle():
    """x = cos(phi) x_0 + sin(phi) eps, so dx / dphi = v: appendix D, by finite differences."""
    schedule, x_0, eps = linear(300), noise(1, 1, 4, 4).double(), noise(1, 1, 4, 4, seed=1).double()
    t = torch.tensor([120])
    phi, h = schedule.at(t).double().sqrt().acos(), 1e-5
    x = [(phi + d).cos() * x_0 + (phi + d).sin() * eps for d in (h, -h)]
    assert torch.allclose((x[0] - x[1]) / (2 * h), v_of(schedule, x_0, t, eps), atol=1e-5)


@pytest.mark.parametrize("schedule", [linear(300), cosine(1000)], ids=["linear", "cosine"])
def test_the_loss_of_v_is_the_squared_error_of_v(schedule):
    """Written out, with the network's own output; and its gradient reaches the network."""
    class Predictor:
        factor = torch.ones(1, requires_grad=True)

        def gain(self, t):
            return schedule.at(t).sqrt()

        def __call__(self, x_t, t, cond):
            seen.append((x_t, t))
            return eps_of(schedule, x_t, t, self.factor * x_t / 3)

    seen, x_0, model = [], noise(64, 1, 4, 4), Predictor()
    loss = noise_loss(schedule, model, x_0, None, seeded())
    x_t, t = seen[0]
    eps = predict_eps(schedule, x_t.double(), t, x_0.double())
    error = x_t / 3 - v_of(schedule, x_0.double(), t, eps)
    assert loss.item() == pytest.approx(error.square().mean().item(), rel=1e-3)
    loss.backward()
    expected = (2 * error * x_t / 3).mean().item()
    assert model.factor.grad.item() == pytest.approx(expected, rel=1e-2, abs=1e-4)
