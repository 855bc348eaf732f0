"""models/options.py: what is refused, which value is used, and what a caption says of it."""

import dataclasses

import pytest
import torch

from minidiff.models.generate import generate
from minidiff.models.model import NoiseModel
from minidiff.models.options import OutputOptions, SampleOptions, options_for
from minidiff.network.unet import UNet
from minidiff.system.cli import parse
from minidiff.theory.samplers import ddim_step, ddpm_step
from minidiff.theory.solvers import SAMPLERS, heun_step
from sample.prompts import CountOptions, DigitOptions
from tests.models.conftest import unconditional


def conditional(T=300, **defaults):
    """Return a model with ten classes, and with such defaults."""
    model = NoiseModel(UNet(2, True, 10), T)
    model.defaults = defaults
    return model


@pytest.mark.parametrize(("cls", "wrong"), [
    (CountOptions, {"n": 0}),
    (DigitOptions, {"digits": "12a"}),
    (DigitOptions, {"digits": ""}),
    (DigitOptions, {"digits": "٣"}),
    (DigitOptions, {"per_digit": 0}),
    (SampleOptions, {"gamma": float("nan")}),
    (SampleOptions, {"guide_until": 1.2}),
    (SampleOptions, {"steps": 0}),
    (SampleOptions, {"eta": 1.5}),
    (SampleOptions, {"seed": -1}),
    (OutputOptions, {"upsample_level": 0.6}),
    (OutputOptions, {"upsample_gamma": float("nan")}),
    (OutputOptions, {"upsample_steps": 0}),
])
def test_values_out_of_range_are_refused(cls, wrong):
    """The message names the option and the value."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=name.replace("_", "-")) as e:
        cls(**wrong)
    assert str(value) in str(e.value)


def test_given_values_come_before_the_models_and_those_before_the_defaults():
    """A given value counts even where it equals the default."""
    model = conditional(steps=100, gamma=7.0)
    options = options_for(model, steps=20)
    assert (options.steps, options.gamma, options.variance) == (20, 7.0, "beta_tilde")
    assert options_for(conditional()) == SampleOptions()
    assert options_for(unconditional()).guidance == {"gamma": 1.0, "guide_until": 0.0}


def test_steps_are_at_most_T_unless_they_are_given():
    """The model's steps, or the default, are capped; given ones are kept, and refused later."""
    assert options_for(conditional(8)).steps == 8
    assert options_for(conditional(8, steps=100)).steps == 8
    assert options_for(conditional(300, steps=100)).steps == 100
    assert options_for(conditional(8), steps=9).steps == 9


def test_names_become_what_the_sampler_takes():
    """A sampler's function with its own options; a clip is what the model has under its name."""
    model = conditional()
    assert SampleOptions().sampling(model) == {
        "step": ddpm_step, "kind": "beta_tilde", "clip": (0.0, 1.0)}
    ddim = SampleOptions(sampler="ddim", eta=0.5, clip="none").sampling(model)
    assert ddim == {"step": ddim_step, "eta": 0.5, "clip": None}
    assert SampleOptions(sampler="heun").sampling(model) == {"step": heun_step, "clip": (0.0, 1.0)}


def test_a_sampler_of_ones_own_is_a_function_in_samplers(monkeypatch):
    """Nine lines: its name is accepted, its own options reach it, and its calls are counted."""
    def midway(schedule, x_t, t, s, eps_hat, *, eps_fn, eta=0.0, clip=None):
        between = (t + s) // 2
        if between in (s, t):
            return ddim_step(schedule, x_t, t, s, eps_hat, clip=clip)
        x_s, _ = ddim_step(schedule, x_t, t, between, eps_hat, clip=clip)
        eps_hat = eps_fn(x_s, torch.full((len(x_s),), between))
        return ddim_step(schedule, x_s, between, s, eps_hat, clip=clip)

    monkeypatch.setitem(SAMPLERS, "midway", midway)
    (options,), _ = parse([SampleOptions], ["--sampler", "midway", "--steps", "5"])
    model = conditional()
    assert options.sampling(model) == {"step": midway, "eta": 0.0, "clip": (0.0, 1.0)}
    assert options.describe(model).startswith("midway, 5 steps of 10 network calls, seed 0")
    *_, last = generate(model, ["3"], steps=5, **options.sampling(model))
    *_, ddim = generate(model, ["3"], steps=10, step=ddim_step)
    assert torch.allclose(last.x_t, ddim.x_t, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"clip": "dynamic"}, {"variance": "learned"}])
def test_a_clip_or_a_variance_that_the_model_lacks_is_refused(wrong):
    """They are not replaced silently by another."""
    with pytest.raises(ValueError, match=f"'{[*wrong.values()][0]}' is not for this model; use "):
        SampleOptions(**wrong).sampling(conditional())


@pytest.mark.parametrize(("change", "caption"), [
    ({}, "ddpm (beta_tilde), 20 steps, seed 0, gamma 3 until 30% of the steps are left"),
    ({"gamma": 1.0}, "ddpm (beta_tilde), 20 steps, seed 0, gamma 1"),
    ({"guide_until": 0.0}, "ddpm (beta_tilde), 20 steps, seed 0, gamma 3"),
    ({"sampler": "ddim", "eta": 0.5, "steps": 7, "gamma": 1.0}, "ddim (eta 0.5), 7 steps, seed 0"),
    ({"sampler": "heun", "steps": 7}, "heun, 7 steps of 13 network calls, seed 0"),
    ({"sampler": "dpm2m", "clip": "none"}, "dpm2m (not clipped), 20 steps, seed 0"),
    ({"variance": "beta", "clip": "none", "seed": 4, "precision": "bfloat16"},
     "ddpm (beta, not clipped), 20 steps, seed 4, bfloat16"),
])
def test_the_caption_is_made_from_the_object_that_the_sampler_gets(change, caption):
    """Sampler, steps and seed; guidance only of a model with prompts."""
    options = SampleOptions(**change)
    assert options.describe(conditional()).startswith(caption)
    assert "gamma" not in options.describe(unconditional())


def test_every_setting_that_changes_the_samples_changes_the_caption():
    """Of two objects with different arguments for the sampler, no two have the same caption."""
    model, found = conditional(), {}
    changes = [{}, {"steps": 5}, {"seed": 1}, {"gamma": 2.0}, {"guide_until": 0.5},
               {"variance": "beta"}, {"clip": "none"}, {"sampler": "ddim"},
               {"sampler": "ddim", "eta": 0.3}, {"precision": "bfloat16"}, {"sampler": "heun"},
               {"sampler": "dpm2m"}]
    for change in changes:
        options = dataclasses.replace(SampleOptions(), **change)
        found[options.describe(model)] = options
    assert len(found) == len(changes)


def test_prompts_replace_digits():
    """Row by row; sentences are no labels."""
    digits, words = DigitOptions(digits="31", per_digit=2), DigitOptions(prompts=("a dog",))
    assert digits.all() == ["3", "1", "3", "1"] and digits.labels() == [3, 1, 3, 1]
    assert words.all() == ["a dog"] * 4 and words.labels() is None and words.columns() == 1


def test_the_options_of_a_model_are_arguments_of_generate():
    """They sample without any other."""
    model = conditional(20)
    options = options_for(model, steps=2)
    *_, last = generate(model, ["3"], steps=options.steps, seed=options.seed, **options.guidance,
                        **options.sampling(model))
    assert last.x_t.shape == (1, 1, 28, 28) and torch.isfinite(last.x_t).all()
