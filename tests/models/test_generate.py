"""models/generate.py: from prompts to images."""

import pytest
import torch

from minidiff.files import runs
from minidiff.models import generate as chapter
from minidiff.models.deepfloyd import learned
from minidiff.models.flow_model import FlowModel
from minidiff.models.generate import generate
from minidiff.models.model import NoiseModel
from minidiff.models.zoo import load_model
from minidiff.theory.diffusion import noise_like
from minidiff.theory.samplers import ddim_step
from tests.conftest import attentive
from tests.models.conftest import Recorder, stored, unconditional


def last(*args, **options):
    """Return the images that `generate` ends with."""
    *_, state = generate(*args, **options)
    return state.x_t


def test_sampling_starts_from_standard_noise_and_is_repeated_by_its_seed():
    """x_T is from N(0, 1); the same seed gives the same trajectory, steps + 1 states, to t = 0."""
    a, b, c = (list(generate(unconditional(), [""] * 64, steps=5, seed=s)) for s in (1, 1, 2))
    assert [s.t for s in a] == [20, 16, 12, 8, 4, 0]
    assert abs(a[0].x_t.mean()) < 0.02 and abs(a[0].x_t.std() - 1) < 0.02
    assert all(torch.equal(x.x_t, y.x_t) for x, y in zip(a, b))
    assert not torch.equal(a[-1].x_t, c[-1].x_t)


def test_large_batches_go_through_the_network_in_chunks_with_the_same_result(monkeypatch):
    """Chunks bound the memory and change nothing else."""
    model, sizes = unconditional(), []
    model.network.register_forward_pre_hook(lambda network, inputs: sizes.append(len(inputs[0])))
    whole = last(model, [""] * 7, steps=3)
    assert sizes == [7] * 3
    monkeypatch.setattr(chapter, "CHUNK", 2)
    parts = last(model, [""] * 7, steps=3)
    assert sizes[3:] == [2, 2, 2, 1] * 3
    assert torch.allclose(whole, parts, atol=1e-5)


def test_samples_end_in_the_data_range():
    """x_0_hat is clipped, and the last step returns it."""
    x = last(unconditional(), [""] * 8, steps=4)
    assert x.min() >= 0 and x.max() <= 1


def test_the_networks_input_is_never_clipped():
    """At the start x_t has noise far outside [0, 1], and the network receives all of it."""
    network = Recorder()
    x = last(NoiseModel(network, 20), [""] * 4, steps=3)
    first = network.inputs[0][0]
    assert first.min() < -2 and first.max() > 2 and x.min() >= 0


def test_each_image_shows_its_own_prompt():
    """The third of three images does not depend on the prompts of the others; it does depend on its
    own."""
    model = attentive(20)
    third = [last(model, prompts, steps=3, gamma=3.0)[2]
             for prompts in (["1", "2", "7"], ["", "9", "7"], ["1", "2", "8"])]
    assert torch.allclose(third[0], third[1], atol=1e-4)
    assert (third[0] - third[2]).abs().max() > 1e-3


def test_prompts_stay_with_their_images_in_chunks(monkeypatch):
    """With guidance and chunks of two, five images are those of one batch."""
    model = attentive(20)
    whole = last(model, [*"12345"], steps=3, gamma=3.0)
    monkeypatch.setattr(chapter, "CHUNK", 2)
    assert torch.allclose(last(model, [*"12345"], steps=3, gamma=3.0), whole, atol=1e-4)


def test_guide_until_1_is_plain_conditioning():
    """1 guides at no step, 0 at all, 0.5 at some."""
    model, prompts = attentive(20), ["3", "4"]
    plain, nowhere, everywhere, early = (last(model, prompts, steps=4, **options) for options in (
        {}, {"gamma": 5.0, "guide_until": 1.0}, {"gamma": 5.0}, {"gamma": 5.0, "guide_until": 0.5}))
    assert torch.equal(plain, nowhere)
    assert not torch.equal(everywhere, plain) and not torch.equal(everywhere, early)


@pytest.mark.parametrize("kind", [NoiseModel, FlowModel])
def test_guidance_ends_where_exactly_its_share_of_the_steps_is_left(kind):
    """gamma above 1 applies while t > guide_until · T, in a flow while 1 - t > guide_until: with
    k/20 the step at which exactly k of 20 steps are left is not guided, in either."""
    calls = []

    class Counted(kind):
        def __call__(self, x_t, t, cond=None):
            calls.append(len(t))
            return super().__call__(x_t, t, cond)

    model = Counted(attentive(20).network, 20)
    for k in range(21):
        calls.clear()
        list(generate(model, ["3"], steps=20, gamma=4.0, guide_until=k / 20))
        assert calls == [2] * (20 - k) + [1] * k


def test_without_classes_guidance_is_refused():
    """There is no condition to amplify."""
    with pytest.raises(ValueError, match="without classes can't be guided"):
        generate(unconditional(), [""], steps=4, gamma=5.0)


def test_gamma_below_1_holds_until_the_end():
    """gamma 0 ignores the prompt at every step, whatever guide_until is."""
    a, b = (last(attentive(20), [digit], steps=4, gamma=0.0, guide_until=0.5) for digit in "71")
    assert torch.equal(a, b)


def test_a_learned_variance_is_kept_in_chunks_and_under_guidance(monkeypatch):
    """A network whose v is 1 everywhere samples with the variance beta: v = 1 means beta."""
    inner = attentive(20)

    class Learned(NoiseModel):
        join, combine = staticmethod(learned.join), staticmethod(learned.combine)

        def __call__(self, x_t, t, cond=None):
            return learned.carrying(inner(x_t, t, cond), torch.ones_like(x_t))

    monkeypatch.setattr(chapter, "CHUNK", 2)
    common = {"prompts": ["7"] * 3, "steps": 4, "gamma": 2.0}
    a = last(Learned(inner.network, 20), **common, step=learned.ddpm_step)
    assert torch.allclose(a, last(inner, **common, kind="beta"), atol=1e-5)
    assert (a - last(inner, **common, kind="beta_tilde")).abs().max() > 1e-3


def test_sampling_leaves_batchnorm_as_it_is(tmp_path):
    """A loaded model is in eval mode: its running statistics do not move."""
    stored(tmp_path / runs.LAST)
    model = load_model(str(tmp_path))
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    last(model, [""] * 4, steps=3)
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())


@pytest.mark.parametrize("options", [{}, {"step": ddim_step, "eta": 0.7}])
def test_an_image_is_the_same_whatever_stands_beside_it(options):
    """The first four of eight are the four generated alone, with fresh noise in every step, and
    with other prompts after them; a single one is the first, and the next seed begins elsewhere."""
    model = attentive(20)
    many = last(model, [*"35791246"], steps=4, gamma=2.0, **options)
    few = last(model, [*"3579"], steps=4, gamma=2.0, **options)
    assert torch.allclose(many[:4], few, atol=1e-4)
    assert torch.allclose(last(model, ["3"], steps=4, gamma=2.0, **options), few[:1], atol=1e-4)
    other = last(model, [*"3333"], steps=4, gamma=2.0, seed=1, **options)
    same = last(model, [*"3333"], steps=4, gamma=2.0, **options)
    assert all((a - b).abs().max() > 0.1 for a in other for b in same)


def test_seeds_of_images_do_not_meet_and_their_noise_is_standard():
    """No two of 2,000 images of a hundred neighbouring seeds have a seed in common, even in the 32
    bits that a CPU generator uses; their noise is uncorrelated, of mean 0 and deviation 1."""
    seeds = {(s + k * chapter.GOLDEN) % 2**32 for s in range(100) for k in range(2000)}
    assert len(seeds) == 100 * 2000
    x = noise_like(torch.empty(400, 1, 16, 16), chapter.generators(0, 400))
    assert abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01
    alike = torch.corrcoef(x.flatten(1)) - torch.eye(400)
    assert alike.abs().max() < 6 / 16 and abs(alike.mean()) < 1e-3
    assert torch.equal(x[0], torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0)))
