"""models/flow_model.py: a flow under the contract."""

import torch

from minidiff.models.flow_model import FlowModel
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.network.unet import UNet
from tests.conftest import attentive
from tests.models.conftest import Recorder


def test_a_flow_starts_at_t_0_and_its_network_receives_t_itself():
    """Noise N(0, 1) is at t = 0; the network's time is t, not t/T; the last state is at 1."""
    network = Recorder()
    states = list(generate(FlowModel(network), [""] * 64, steps=5, seed=1))
    times = [round(t[0].item(), 3) for _, t in network.inputs]
    assert times == [0, 0.2, 0.4, 0.6, 0.8]
    assert [s.t for s in states] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert abs(states[0].x_t.mean()) < 0.02 and abs(states[0].x_t.std() - 1) < 0.02
    assert torch.allclose(states[1].x_t, 1.2 * states[0].x_t)


def test_guidance_of_a_flow_ends_near_the_data():
    """guide_until is the share of the steps that is left, as in a diffusion: with 0.4 the first
    three of five steps, t = 0 .. 0.4, make both predictions, the last two, from t = 0.6, one."""
    batches = []

    class Counted(FlowModel):
        def __call__(self, x_t, t, cond=None):
            batches.append((round(t[0].item(), 2), len(t)))
            return super().__call__(x_t, t, cond)

    model = Counted(attentive().network)
    list(generate(model, ["3"], steps=5, gamma=4.0, guide_until=0.4))
    assert batches == [(0, 2), (0.2, 2), (0.4, 2), (0.6, 1), (0.8, 1)]
    batches.clear()
    list(generate(model, ["3"], steps=2, gamma=0.0, guide_until=0.4))
    assert batches == [(0, 1), (0.5, 1)]


def test_a_flow_brings_its_own_defaults_and_no_options_of_a_diffusion():
    """50 steps, gamma 2 until half of them are left; without classes gamma 1. `trajectory` gets
    nothing but the steps."""
    model = FlowModel(UNet(2, time=1, classes=10))
    options = options_for(model)
    assert (options.steps, options.gamma, options.guide_until) == (50, 2.0, 0.5)
    assert options.sampling(model) == {}
    options = options_for(FlowModel(UNet(2, time=1)), seed=3)
    assert (options.steps, options.gamma, options.guide_until, options.seed) == (50, 1.0, 0.0, 3)


def test_a_flow_stores_no_schedule():
    """It has none; its words and its data range are stored."""
    assert FlowModel(UNet(2, time=1), T=300).description().keys() == {"words", "data_range"}
