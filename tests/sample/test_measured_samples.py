"""sample.measure: the samples that are measured are those that the results describe."""

import dataclasses

import pytest

from minidiff.models import zoo
from minidiff.models.options import SampleOptions, options_for
from sample.measure import compare, sweep
from sample.measure.evaluate import make
from tests import replay
from tests.replay import close, models, shown

__all__ = ["models"]  # a fixture


@pytest.mark.parametrize("kind, given", [
    ("class", {"sampler": "ddim", "eta": 0.3, "gamma": 2.5, "guide_until": 0.4}),
    ("class", {"variance": "beta", "clip": "none", "gamma": 0.0}), ("uncond", {}),
    ("flow", {"gamma": 3.0, "guide_until": 0.25}), ("flow-uncond", {})])
def test_what_is_written_with_the_measures_is_enough_to_sample_again(
    models, tiny, monkeypatch, kind, given
):
    """Steps, seed, sampler and guidance are those of the samples; the digits take turns, so that
    any number of them has as many of each as it can."""
    monkeypatch.chdir(models)
    model = zoo.load_model(kind)
    x, labels, made = make(model, options_for(model, steps=5, seed=6, **given), 12, tiny)
    prompts = [str(k % 10) if model.conditional else "" for k in range(12)]
    assert labels is None or [str(k) for k in labels.tolist()] == prompts
    assert (labels is not None) == model.conditional and made["n"] == 12
    said = {"sampler": made.get("sampler", "Euler"), "kind": made.get("variance"),
            "eta": made.get("eta"), "clip": made.get("clip") == "range", "steps": made["steps"],
            "seed": made["seed"], "gamma": made["gamma"], "share": made["guide_until"]}
    assert close(x, shown(replay.sampled(model, said, prompts)[-1]))
    assert made["summary"] == model.summary


def test_each_curve_of_a_sweep_is_measured_as_its_name_says():
    """Guidance at every step or until a share; clipped or not; sampler and variance; all else is
    the model's best."""
    best = SampleOptions(steps=20, gamma=4.0, guide_until=0.2)
    found = list(sweep.points(300, best))
    assert {group for group, *_ in found} == {"gamma", "clip", "steps"}
    for group, curve, options in found:
        expected = dataclasses.replace(best, steps=options.steps, gamma=options.gamma)
        if group in ("gamma", "clip"):
            until = 0.2 if curve == "until t/T = 0.2" else 0.0
            clip = "none" if curve == "not clipped" else "range"
            expected = dataclasses.replace(expected, guide_until=until, clip=clip)
            assert options.steps == 20 and options.gamma in sweep.GAMMAS
        elif curve == "ddim":
            expected = dataclasses.replace(expected, sampler="ddim")
        else:
            expected = dataclasses.replace(expected, variance=curve.removeprefix("ddpm, "))
        assert options == expected, (group, curve)
        assert group != "steps" or options.gamma == 4.0


def test_each_curve_of_a_comparison_is_measured_as_its_name_says(models, monkeypatch):
    """The flow by the flow's file, the others by the diffusion model's; guided or not."""
    monkeypatch.chdir(models)
    files = {kind: zoo.find(kind) for kind in ("flow", "class")}
    for group, curve, which, options in compare.points(files, "cpu", [5, 10]):
        kind = "flow" if curve.startswith("flow") else "class"
        best = options_for(zoo.load_model(kind))
        assert which in (kind, files[kind]) and options.steps in (5, 10) and options.device == "cpu"
        gamma = 1.0 if group == "plain" else best.gamma
        until = 0.0 if group == "plain" else best.guide_until
        assert (options.gamma, options.guide_until) == (gamma, until)
        if kind == "class":
            assert options.sampler == curve.split(",")[0]
            assert options.sampler == "ddim" or options.variance == curve.split(", ")[1]
