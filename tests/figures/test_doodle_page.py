"""part_a/doodles.py: part A from sentences, with the doodle models."""

from types import SimpleNamespace

import pytest

import figures.build
from figures.build import PART_A
from figures.page import measured
from figures.part_a.doodles import DoodleStudio
from minidiff.data.prompts import DOODLES
from minidiff.files import runs
from minidiff.models import zoo


def test_every_sentence_of_the_page_is_made_of_known_words(capsys):
    """No note names an unknown word, and every section has words of its own."""
    prompts = [prompt for prompt in DoodleStudio.prompts() if prompt]
    assert len(prompts) > 15 and (DOODLES.embed(prompts).sum(1) > 0).all()
    assert capsys.readouterr().err == "" and list(DoodleStudio.words) == list(PART_A)


ROW = {"kind": "anagram", "prompts": ["a", "b"], "view": "vflip", "n": 50, "first": 0.5,
       "second": 1.0, "both": 0.5, "chosen": True}
FOUND = {"summary": "doodles", "options": "ddpm (beta_tilde), 20 steps, seed 0, gamma 6",
         "rates": [ROW, {**ROW, "kind": "hybrid", "view": None, "sigma": 2.5}]}


@pytest.mark.parametrize(("gamma", "steps", "summary", "n"), [
    (6.0, 20, "doodles", 2), (6.5, 20, "doodles", 0), (6.0, 2, "doodles", 0),
    (6.0, 20, "another model", 0),
])
def test_rates_are_those_of_the_same_model_and_settings(
    workplace, monkeypatch, gamma, steps, summary, n
):
    """Of another model, guidance or number of steps there are none, and without a file, too."""
    monkeypatch.setattr(zoo, "WEIGHTS", workplace / "none")
    model = SimpleNamespace(summary=summary)
    assert measured.rates(model, gamma, steps) == {}
    row = {k: v for k, v in FOUND["rates"][1].items() if k != "view"}
    runs.write_json("illusions.json", {**FOUND, "rates": [ROW, row]})
    found = measured.rates(model, gamma, steps)
    assert len(found) == n
    if n:
        assert found["anagram", "a", "b", "vflip"] == found["hybrid", "a", "b", 2.5]
        assert found["anagram", "a", "b", "vflip"] == (50, 0.5, 1.0, 0.5)


@pytest.mark.parametrize("damage", [
    {"rates": [{**ROW, "both": 2}]}, {"rates": [{"kind": "anagram"}]}, {"rates": 3},
    {"options": None, "rates": [{**ROW, "n": "x"}]},
])
def test_a_damaged_file_of_rates_is_named(workplace, damage):
    """One sentence with the file and the cure."""
    runs.write_json("illusions.json", {**FOUND, **damage})
    with pytest.raises(ValueError, match="illusions.json is damaged.*make illusions"):
        measured.rates(SimpleNamespace(summary="doodles"), 6.0, 20)


def test_flags_of_deepfloyd_are_refused():
    """They would have no effect."""
    with pytest.raises(ValueError, match="without --model deepfloyd"):
        figures.build.run(["--model", "doodles", "--model-dir", "x"])
