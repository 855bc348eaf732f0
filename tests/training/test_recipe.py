"""recipe.py: recipes, and values that are refused."""

import dataclasses

import pytest

from minidiff.training.recipe import RECIPES, Recipe
from sample.measure.evaluate import MeasureOptions


def test_the_full_recipes_are_the_courses():
    """The numbers of the course, one by one."""
    for kind in ("uncond", "class"):
        full = Recipe(**RECIPES[kind]["full"])
        assert (full.width, full.batch_size, full.epochs, full.early_epoch) == (64, 128, 20, 5)
        assert (full.lr, full.decay, full.T, full.warmup) == (1e-3, "exponential", 300, 0)
        assert full.p_uncond == 0.1
    for kind in ("flow", "flow-uncond"):  # the course of 2025
        full = Recipe(**RECIPES[kind]["full"])
        assert (full.width, full.batch_size, full.epochs, full.p_uncond) == (64, 64, 10, 0.1)
        assert (full.lr, full.decay, full.warmup, full.sample_steps) == (1e-2, "exponential", 0, 50)
    full = Recipe(**RECIPES["denoiser"]["full"])
    assert (full.width, full.batch_size, full.epochs, full.early_epoch) == (128, 256, 5, 1)
    assert (full.lr, full.decay, full.sigma) == (1e-4, "constant", 0.5)


def test_every_recipe_can_be_built():
    """No recipe names a field that does not exist or a value that is refused."""
    for recipes in RECIPES.values():
        assert set(recipes) == {"full", "laptop"}
        for recipe in recipes.values():
            assert dataclasses.asdict(Recipe(**recipe)).items() >= recipe.items()


def test_a_stored_recipe_may_lack_a_field_and_may_not_have_one_too_many():
    """A field that an older run did not store gets its default; an unknown one is refused, and the
    message names it and where it was found."""
    stored = dataclasses.asdict(Recipe(width=3))
    del stored["sigma"]
    assert Recipe.stored(stored, "config.json") == Recipe(width=3)
    with pytest.raises(ValueError, match="^config.json: unknown in the recipe: dropout, mood$"):
        Recipe.stored({**stored, "mood": 1, "dropout": 0}, "config.json")


@pytest.mark.parametrize(
    "cls, wrong",
    [
        (Recipe, {"width": 0}),
        (Recipe, {"epochs": 0}),
        (Recipe, {"batch_size": 1}),
        (Recipe, {"lr": float("nan")}),
        (Recipe, {"lr": -1.0}),
        (Recipe, {"decay": "cosine"}),
        (Recipe, {"seed": -1}),
        (Recipe, {"p_uncond": 1.5}),
        (Recipe, {"precision": "float16"}),
        (MeasureOptions, {"n": 9}),
    ],
)
def test_values_out_of_range_are_refused(cls, wrong):
    """The message names the option and the value."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=name.replace("_", "-")) as e:
        cls(**wrong)
    assert str(value) in str(e.value)
