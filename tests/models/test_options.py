"""settings.py: what is refused, and whose word counts: a person's, a model's, the default."""

from types import SimpleNamespace

import pytest

from minidiff.models.options import DigitFlags, OutputOptions, SampleOptions, UncondFlags, suited


@pytest.mark.parametrize(("cls", "wrong"), [
    (UncondFlags, {"n": 0}),
    (DigitFlags, {"digits": "12a"}),
    (DigitFlags, {"digits": ""}),
    (DigitFlags, {"digits": "٣"}),
    (DigitFlags, {"per_digit": 0}),
    (SampleOptions, {"gamma": float("nan")}),
    (SampleOptions, {"guide_until": 1.2}),
    (SampleOptions, {"steps": 0}),
    (SampleOptions, {"eta": 1.5}),
    (SampleOptions, {"seed": -1}),
    (OutputOptions, {"upsample_level": 0.6}),
])
def test_values_out_of_range_are_refused(cls, wrong):
    """The message names the knob and the value."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=name.replace("_", "-")) as e:
        cls(**wrong)
    assert str(value) in str(e.value)


def test_a_person_comes_before_a_model_and_a_model_before_the_default():
    """What was typed stays even where it is the default; habits of other flags are passed over."""
    habits = {"steps": 100, "variance": "learned", "per_digit": 1}
    how = suited(SampleOptions, {"steps": 20}, habits)
    assert (how.steps, how.variance, how.seed) == (20, "learned", 0)
    assert suited(SampleOptions, {}, {}) == SampleOptions()


def test_a_clip_is_what_the_model_has_under_its_name():
    """A model without it is not silently clipped in another way."""
    model = SimpleNamespace(clips={"range": (0.0, 1.0), "none": None})
    assert SampleOptions().options(model)["clip"] == (0.0, 1.0)
    assert SampleOptions(clip="none").options(model)["clip"] is None
    with pytest.raises(ValueError, match="'dynamic' is not for this model: range, none"):
        SampleOptions(clip="dynamic").options(model)


def test_prompts_take_the_place_of_digits():
    """Row by row; sentences are no labels."""
    digits, words = DigitFlags(digits="31", per_digit=2), DigitFlags(prompts=("a dog",))
    assert digits.all() == ["3", "1", "3", "1"] and digits.labels() == [3, 1, 3, 1]
    assert words.all() == ["a dog"] * 4 and words.labels() is None and words.columns() == 1
