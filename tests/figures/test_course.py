"""figures/part_a with DeepFloyd: part A as the course has it, with tiny pipelines."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
from PIL import Image

import figures.build
from figures.build import PART_A
from figures.part_a import generation
from figures.part_a.deepfloyd import DeepFloydStudio
from figures.part_a.sentences import PHOTO
from minidiff.files.images import caption_of
from minidiff.theory import schedule
from tests.models import tiny_deepfloyd

needs_it = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("diffusers", "transformers", "sentencepiece"))),
    reason="not installed; run: make test-deepfloyd",
)


def test_part_a_is_complete():
    """Every section of part A has DeepFloyd's own words, and a command that uses it."""
    assert list(DeepFloydStudio.words) == list(PART_A)
    for name in PART_A:
        section = figures.build.words(name, "deepfloyd")
        assert section.notice and "--model deepfloyd" in section.command


def test_the_prompts_are_the_courses():
    """They are written letter by letter as in its file of embeddings; only the logo's are not in
    it."""
    known = {
        "an oil painting of a snowy mountain village", "a photo of the amalfi cost",
        "a photo of a man", "a photo of a hipster barista", "a photo of a dog",
        "an oil painting of people around a campfire", "an oil painting of an old man",
        "a lithograph of waterfalls", "a lithograph of a skull", "a man wearing a hat",
        "a high quality photo", "", "a rocket ship", "a pencil",
    }
    studio = DeepFloydStudio
    assert set(studio.prompts()) - known == set(studio.logo[:2])
    assert {PHOTO, *studio.cascade, *studio.guided} <= set(studio.prompts())
    assert len(studio.anagrams) == len(studio.hybrids) == 3


def test_photos_go_where_the_model_is():
    """Photos are read on the CPU; on another device the network could not take them."""
    model = SimpleNamespace(image_shape=(3, 8, 8), data_range=(-1.0, 1.0), device="meta")
    studio = DeepFloydStudio(model, None)
    assert studio.images("photo", "house").device.type == "meta"


def test_a_photo_that_does_not_exist_is_refused_first():
    """Before any weights are looked for; and flags without their model are not ignored."""
    with pytest.raises(ValueError, match="nowhere.png"):
        figures.build.run(["--model", "deepfloyd", "--model-dir", "x", "--photo", "nowhere.png"])
    with pytest.raises(ValueError, match="--model-dir has no effect without --model deepfloyd"):
        figures.build.run(["--model-dir", "x"])
    with pytest.raises(ValueError, match="--photo has no effect with --model class"):
        figures.build.run(["--model", "class", "--photo", str(figures.build.INPUTS / "fish.png")])


@needs_it
def test_the_whole_page_is_drawn(tmp_path, monkeypatch):
    """All fourteen sections are drawn, in colour, the results enlarged; the user's own photo is
    taken. Sampling is shortened, or this would take minutes."""
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generation, "CASCADE_STEPS", ((2, 2), (2, 3), (3, 3)))
    monkeypatch.setattr(DeepFloydStudio, "generated_steps", (2, 3))
    monkeypatch.setattr(DeepFloydStudio, "starts", (1, 9))
    monkeypatch.setattr(DeepFloydStudio, "levels", schedule.strided(1000, 83))
    large = DeepFloydStudio.large
    monkeypatch.setattr(DeepFloydStudio, "large",
                        lambda self, x, prompts, steps=2: large(self, x, prompts, steps))
    Image.new("RGB", (90, 70), (200, 40, 40)).save("mine.png")
    folder = tiny_deepfloyd.build(tmp_path / "tiny", (32, 64))
    figures.build.run(["--model", "deepfloyd", "--model-dir", str(folder), "--photo", "mine.png"])
    out = tmp_path / "figures" / "out" / "deepfloyd"
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest) == list(PART_A)
    files = [file for entry in manifest.values() for file in entry["files"]]
    assert {"generation-cascade.png", "drawn-fish.png", "anagram-coast-barista.png",
            "hybrid-man-dog.png", "logo.png", "hybrid-film.png"} <= set(files)
    assert all("DeepFloyd IF-I-tiny" in caption_of(out / file) for file in files)
    enlarged = [file for file in files if "DeepFloyd IF-II-tiny" in caption_of(out / file)]
    assert len(enlarged) == 17  # sections 0, 1.6 to 1.9 and the logo: all but films and 20 steps
    page = (out / "index.html").read_text()
    assert all(f'src="{file}"' in page for file in files) and "Part B" not in page
    red, green, blue = Image.open(out / "forward.png").convert("RGB").getpixel((40, 60))
    assert red > 150 > 90 > green  # the given photo, in its colour
