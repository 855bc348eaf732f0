"""sample.measure.illusions: which reading belongs to which prompt, and what is tried."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import sample.measure.illusions as measure
from minidiff.data.doodles.scenes import SUBJECTS
from minidiff.evaluation import judge as judging
from minidiff.evaluation.metrics import from_afar
from minidiff.models.model import Model
from minidiff.network.registry import rebuild
from sample.doodles import COURSE
from tests.sample.test_doodles import place, trained

__all__ = ["place", "trained"]  # fixtures
DOG, SKULL = "a photo of a dog", "a lithograph of a skull"


@pytest.fixture
def rate(monkeypatch):
    """A Rate whose judge reads a dog where the upper half is brighter, else a skull."""
    def read(judge, x):
        upper = x[:, :, :16].mean((1, 2, 3)) > x[:, :, 16:].mean((1, 2, 3))
        subject = torch.where(upper, SUBJECTS.index("dog"), SUBJECTS.index("skull"))
        return torch.stack([subject] * 4, 1)

    monkeypatch.setattr(measure.judging, "read", read)
    model = SimpleNamespace(dataset="doodles", data_range=(-1.0, 1.0))
    for name in ("to_unit", "from_unit"):
        setattr(model, name, getattr(Model, name).__get__(model))
    return measure.Rate(model, None, None)


def test_the_second_prompt_of_an_anagram_is_read_through_its_view(rate, monkeypatch):
    """Of four images two are bright above: turned upside down these show the skull, and not one of
    them shows the dog both ways."""
    x = torch.full((4, 3, 32, 32), -1.0)
    x[:2, :, :16], x[2:, :, 16:] = 1.0, 1.0
    monkeypatch.setattr(rate, "images", lambda *_: x)
    found, = rate([("anagram", DOG, SKULL, "vflip")], 4, 0)
    assert (found["first"], found["second"], found["both"]) == (0.5, 0.5, 0.5)
    assert found["view"] == "vflip" and found["prompts"] == [DOG, SKULL] and found["n"] == 4
    found, = rate([("anagram", DOG, DOG, "rotate180")], 4, 0)
    assert (found["first"], found["second"], found["both"]) == (0.5, 0.5, 0.0)


def test_the_first_prompt_of_a_hybrid_is_read_from_a_distance(rate, monkeypatch):
    """The judge gets the blurred image for the first prompt and the image itself for the second."""
    x, seen = torch.rand(2, 3, 32, 32) * 2 - 1, []
    monkeypatch.setattr(rate, "images", lambda *_: x)
    monkeypatch.setattr(rate, "reads", lambda image, prompt: (
        seen.append((image, prompt)), torch.tensor([True, False]))[1])
    found, = rate([("hybrid", SKULL, DOG, 1.5)], 2, 0)
    assert found["both"] == 0.5 and found["sigma"] == 1.5
    (far, first), (near, second) = seen
    assert (first, second) == ([SKULL] * 2, [DOG] * 2) and near is x
    assert torch.allclose((far + 1) / 2, from_afar((x + 1) / 2, 1.5), atol=1e-6)


def test_each_candidate_gets_its_own_images_and_the_same_noise(place):
    """Sampled together or alone, the rates are the same; prompts and seeds are not mixed up."""
    model = measure.load(measure.SampleOptions(steps=2, device="cpu"), ("doodles",))
    judge = rebuild(judging.find("", "doodles")[0])
    rate = measure.Rate(model, judge, measure.SampleOptions(steps=2, gamma=3.0))
    every = measure.candidates("anagram", [(DOG, SKULL), (SKULL, DOG), (DOG, COURSE[0])])
    for found, candidate in zip(rate(sorted(every, key=lambda c: c[3]), 3, 0),
                                sorted(every, key=lambda c: c[3])):
        assert rate([candidate], 3, 0) == [found] and found["prompts"] == list(candidate[1:3])


def test_what_the_course_shows_is_measured_among_its_prompts():
    """Every pair that is shown is made of the course's prompts, letter by letter."""
    for pairs in measure.SHOWN.values():
        assert all(set(pair) <= set(COURSE) for pair in pairs)


def test_the_best_and_the_shown_are_measured_again_with_other_seeds(place, monkeypatch):
    """Each once, the best first, with n images; the file says how."""
    monkeypatch.setattr(measure, "COURSE", COURSE[:3])
    monkeypatch.setattr(measure, "VIEWS", ("vflip",))
    monkeypatch.setattr(measure, "SIGMAS", (1.0,))
    monkeypatch.setattr(measure, "FIRST", 1)
    monkeypatch.setattr(measure, "BEST", 1)
    monkeypatch.setattr(measure, "SHOWN", {"anagram": [(DOG, SKULL)], "hybrid": []})
    measure.main(["--n", "2", "--steps", "2", "--device", "cpu"])
    found = json.loads(Path("illusions.json").read_text())
    kinds = [(row["kind"], row["chosen"]) for row in found["rates"]]
    assert sorted(kinds) == [("anagram", False), ("anagram", True), ("hybrid", True)]
    assert all(row["n"] == 2 and row["both"] <= min(row["first"], row["second"])
               for row in found["rates"])
    assert "2 from 1000 on" in found["seeds"]["measured"] and "doodles" in found["summary"]
