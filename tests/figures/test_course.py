"""figures/deepfloyd.py and course.py: part A as the course draws it, with tiny pipelines."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
from PIL import Image

import figures.build
from figures.part_a import course, deepfloyd
from minidiff.files.images import caption_of
from minidiff.theory import schedule
from tests import tiny_deepfloyd

needs_it = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("diffusers", "transformers", "sentencepiece"))),
    reason="not installed; run: make test-deepfloyd",
)


def test_part_a_is_whole():
    """Every section of part A has its words and its drawing, and a command that is there."""
    assert list(course.PAGE) == list(figures.run.PART_A)
    for name, chapter in course.PAGE.items():
        assert chapter.draw is getattr(deepfloyd, name)
        assert chapter.SECTION.notice and "--model deepfloyd" in chapter.SECTION.command


def test_the_prompts_are_the_courses():
    """Letter by letter, as its file of embeddings has them; the logo's are not in it."""
    known = {
        "an oil painting of a snowy mountain village", "a photo of the amalfi cost",
        "a photo of a man", "a photo of a hipster barista", "a photo of a dog",
        "an oil painting of people around a campfire", "an oil painting of an old man",
        "a lithograph of waterfalls", "a lithograph of a skull", "a man wearing a hat",
        "a high quality photo", "", "a rocket ship", "a pencil",
    }
    pairs = [*deepfloyd.ANAGRAMS, *deepfloyd.HYBRIDS]
    assert {deepfloyd.PHOTO, *deepfloyd.CASCADE, *deepfloyd.EDITS, *sum(pairs, ())} <= known
    assert len(deepfloyd.ANAGRAMS) == len(deepfloyd.HYBRIDS) == 3


def test_pictures_go_where_the_model_is():
    """Photos are read on the CPU; on another device the network could not take them."""
    model = SimpleNamespace(image_shape=(3, 8, 8), data_range=(-1.0, 1.0), device="meta")
    studio = deepfloyd.CourseStudio(model, None)
    assert studio.images_at("photo", "house").device.type == "meta"


def test_a_photo_that_is_not_there_is_refused_first():
    """Before any weights are looked for; and flags without their model are not passed over."""
    with pytest.raises(ValueError, match="there is no picture file nowhere.png"):
        figures.build.run(["--model", "deepfloyd", "--model-dir", "x", "--photo", "nowhere.png"])
    with pytest.raises(ValueError, match="go with --model deepfloyd"):
        figures.build.run(["--model-dir", "x"])


@needs_it
def test_the_whole_page_is_drawn(tmp_path, monkeypatch):
    """All fourteen sections, in colour, each result upsampled where the course does; a person's own
    photo is taken; the walk is shortened, or this would take minutes."""
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deepfloyd, "STEPS", ((2, 2), (2, 3), (3, 3)))
    monkeypatch.setattr(deepfloyd, "STARTS", (1, 9))
    monkeypatch.setattr(deepfloyd.CourseStudio, "levels", schedule.strided(1000, 83))
    large = deepfloyd.CourseStudio.large
    monkeypatch.setattr(deepfloyd.CourseStudio, "large",
                        lambda self, x, prompts=None, steps=2: large(self, x, prompts, steps))
    Image.new("RGB", (90, 70), (200, 40, 40)).save("mine.png")
    folder = tiny_deepfloyd.build(tmp_path / "tiny", (32, 64))
    figures.build.run(["--model", "deepfloyd", "--model-dir", str(folder), "--photo", "mine.png"])
    out = tmp_path / "figures" / "out" / "deepfloyd"
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest) == list(course.PAGE)
    files = [file for entry in manifest.values() for file in entry["files"]]
    assert {"generation-upsampled.png", "guidance-upsampled.png", "inpaint-upsampled.png",
            "drawn-fish-upsampled.png", "anagram-3-upsampled.png", "hybrid-3-upsampled.png",
            "logo.png"} <= set(files)
    assert all("DeepFloyd IF-I-tiny" in caption_of(out / file) for file in files)
    page = (out / "index.html").read_text()
    assert all(f'src="{file}"' in page for file in files) and "Part B" not in page
    red, green, blue = Image.open(out / "forward.png").convert("RGB").getpixel((40, 60))
    assert red > 150 > 90 > green  # the photo that was given, in its colour
