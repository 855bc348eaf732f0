"""What the book runs while it is built: two steps of chapter 1, films; and the map of the house."""

import inspect

import pytest
import torch

from figures.book import book, films, house, source, steps
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from tests.test_house import LAYERS
from train import first

pytestmark = pytest.mark.skipif(book.MarkdownIt is None, reason="the book's packages are missing")


def rows(function):
    """Return the numbers of a function's lines in its file."""
    lines, start = inspect.getsourcelines(inspect.unwrap(function))
    return range(start, start + len(lines))


def made(lines):
    """Return {name: last description} of all that the lines made."""
    return {value.name: value.text for line in lines for value in line.values}


def test_a_training_step_is_reported_line_by_line():
    """Every line of the loop's body and of the loss is there once, in the order it was run, with
    the shapes of what it made; both the gradient and the weight change, and nothing of it moves the
    global random numbers."""
    before = torch.get_rng_state()
    lines = steps.training()
    assert torch.equal(torch.get_rng_state(), before)
    assert {line.row for line in lines} <= {*rows(first.train), *rows(first.loss)}
    body = [text.strip() for text in inspect.getsourcelines(first.train)[0]]
    start = body.index("for k, (x_0, labels) in enumerate(batches):")
    inside = [line.row for line in lines if line.row in rows(first.train)]
    first_row = rows(first.train)[start]
    assert inside[inside.index(first_row):] == list(range(first_row, rows(first.train)[-1] + 1))
    found = made(lines)
    assert found["x_t"].startswith("float32 (4, 1, 28, 28): mean")
    assert found["labels"] == "int64 (4,): 3, 8, 5, 0" and found["t"].startswith("int64 (4,): ")
    assert found["returned"] == f"{float(found['found'].split(': ')[1]):.4g}"
    assert {"network.enter[0][0].weight.grad", "network.enter[0][0].weight"} <= found.keys()


def test_what_a_line_changes_in_place_is_reported_and_nothing_else():
    """An index assignment and an addition in place; a line that only reads makes nothing."""
    def work():
        a = torch.zeros(2)
        b = a
        a[0] = 1
        len(b)
        b += 2
        return a

    found = [[(v.name, v.text) for v in line.values] for line in steps.traced((work,), work)]
    whole = "float32 (2,): {}"
    assert found == [[("a", whole.format("0, 0"))], [("b", whole.format("0, 0"))],
                     [(name, whole.format("1, 0")) for name in "ab"], [],
                     [(name, whole.format("3, 2")) for name in "ab"],
                     [("returned", whole.format("3, 2"))]]


def test_a_sampling_step_is_the_one_it_says_it_is(monkeypatch):
    """Its time is STEP / T, the lines before and after are not reported, the run stops after it."""
    calls = []

    class Counted(UNet):
        def forward(self, x, t, c):
            calls.append(t.item())
            return super().forward(x, t, c)

    monkeypatch.setattr(steps.zoo, "load_model",
                        lambda *_: NoiseModel(Counted(1, **first.NETWORK).eval()))
    lines = steps.sampling()
    found = made(lines)
    assert found["t"] == f"float32 (1,): {steps.STEP / first.T:.4g}"
    assert {"eps_u", "eps_c", "eps", "x"} <= found.keys()
    assert len({line.row for line in lines}) == len(lines) <= 8
    assert len(calls) == 2 * (first.T - steps.STEP + 1)


def test_the_map_has_every_folder_on_a_floor_above_those_it_imports():
    """The same order as the house's laws, found from the imports alone."""
    floors = {name: house.floor(name) for layer in LAYERS for name in layer}
    for lower, upper in zip(LAYERS, LAYERS[1:]):
        assert min(floors[n] for n in upper) >= min(floors[n] for n in lower)
    assert floors["theory"] == floors["network"] == 0 < floors["models"] < floors["api"]
    storeys = house.storeys()
    assert [name for name, _, _ in storeys[0]] == list(source.SCRIPTS)
    shown = {name: about for floor in storeys for name, about, _ in floor}
    assert shown.keys() == floors.keys() | set(source.SCRIPTS) and all(shown.values())
    numbers = sorted(n for floor in storeys for _, _, files in floor for n, _ in files if n)
    assert numbers == ["1", "2", "3", "4a", "4b", "5", "6", "7", "8", "9"]


def test_every_film_belongs_to_a_function_of_the_package():
    """The file and the definition that each names exist."""
    for _, _, draw, where in films.FILMS.values():
        file, _, name = where.partition(": ")
        assert name in source.parsed(source.DOOR.parent / file)[2] and draw.__doc__
