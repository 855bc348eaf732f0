"""part_a/doodles.py: part A from sentences, with the doodle models."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import figures.build
from figures.build import PART_A
from figures.part_a.doodles import DoodleStudio
from minidiff.data.prompts import DOODLES
from minidiff.evaluation import judge
from minidiff.theory import schedule
from tests.sample.test_doodles import place, trained

__all__ = ["place", "trained"]  # fixtures


def test_every_sentence_of_the_page_is_made_of_known_words(capsys):
    """No note names an unknown word, and every section has words of its own."""
    prompts = [*DoodleStudio.prompts(), *DoodleStudio.guided,
               *(prompt for prompt, _ in DoodleStudio.fills)]
    assert (DOODLES.embed([p for p in prompts if p]).sum(1) > 0).all()
    assert capsys.readouterr().err == "" and list(DoodleStudio.words) == list(PART_A)


def test_all_sections_are_drawn_in_both_stages(place, monkeypatch):
    """Every file of the manifest is an image; stage II's are named; a photo of one's own, too."""
    monkeypatch.setattr(DoodleStudio, "tries", (2, 2))
    monkeypatch.setattr(DoodleStudio, "steps", 2)
    monkeypatch.setattr(DoodleStudio, "filled", (2, 2))
    monkeypatch.setattr(DoodleStudio, "levels", schedule.strided(20, 2))
    monkeypatch.setattr(DoodleStudio, "starts", (1, 3))
    monkeypatch.setattr(figures.build.module("iterative"), "START", 2)
    Image.new("RGB", (40, 30), (200, 30, 30)).save("red.png")
    figures.build.run(["--model", "doodles", "--device", "cpu", "--photo", "red.png"])
    manifest = json.loads(Path("figures/out/doodles/manifest.json").read_text())
    assert list(manifest) == list(PART_A)
    files = [name for section in manifest.values() for name in section["files"]]
    assert {"anagram-3-upsampled.png", "generation-cascade.png", "logo-upsampled.png"} <= {*files}
    page = Path("figures/out/doodles/index.html").read_text()
    assert all(name in page for name in files) and "MODEL=doodles ONLY=anagram" in page


def test_the_judge_reads_the_subject_and_nothing_else(place, monkeypatch):
    """A prompt without a subject is not judged; without a judge nothing is."""
    studio = DoodleStudio(figures.build.zoo.load_model("doodles"), None)
    x = torch.zeros(2, 3, 32, 32)
    assert studio.matches(x, "a high quality photo") is None
    assert studio.matches(x, "a photo of a dog").shape == (2,)
    def none(**_):
        raise ValueError("no judge")

    monkeypatch.setattr(judge, "find", none)
    assert studio.matches(x, "a photo of a dog") is None


def test_flags_of_deepfloyd_are_refused():
    """They would have no effect."""
    with pytest.raises(ValueError, match="--model deepfloyd"):
        figures.build.run(["--model", "doodles", "--model-dir", "x"])
