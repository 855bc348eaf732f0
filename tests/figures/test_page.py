"""The page: every section of the original, figures that exist, links that lead somewhere."""

import json
import re
from html import escape
from pathlib import Path

import pytest
import torch
from PIL import Image

import figures.build
from figures.book import book
from figures.build import PART_A, SECTIONS, STUDIOS, module, sections_of
from figures.page import html
from figures.page.sheet import labels_of
from figures.part_a.doodles import DoodleStudio
from figures.part_b import pure_noise
from minidiff.files import images
from minidiff.theory import schedule
from tests.conftest import CHROMIUM, Tags, browse, small
from tests.replay import T, models

__all__ = ["models"]  # a fixture
ROOT = Path(__file__).parent.parent.parent
WORDS = [(name, model) for model in STUDIOS for name in sections_of(model)]


@pytest.fixture(scope="module")
def built(models, tmp_path_factory):
    """The whole page, drawn from tiny models and a red photo."""
    out = tmp_path_factory.mktemp("page")
    Image.new("RGB", (40, 30), (200, 30, 30)).save(out / "red.png")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(models)
        for name, value in {"tries": (3, 2), "filled": (2, 2), "steps": 2, "starts": (1, 3),
                            "levels": schedule.strided(T, 4)}.items():
            patch.setattr(DoodleStudio, name, value)
        patch.setattr(module("iterative"), "START", 2)
        patch.setattr(module("generation"), "CASCADE_STEPS", ((2, 2), (2, 3), (3, 3)))
        patch.setattr(pure_noise, "STEPS", 3)
        patch.delenv("MINIDIFF_DATA", raising=False)
        figures.build.run(["--out", str(out), "--data-dir", str(out / "none"), "--device", "cpu",
                           "--photo", str(out / "red.png")])
    return out


def test_every_section_is_there_in_the_pages_order(built):
    """Part A of the course, then part B, then the health check; each has figures of its own."""
    tags = Tags((built / "index.html").read_text())
    assert [s["id"] for s in tags.all("section")] == list(SECTIONS)
    manifest = json.loads((built / "manifest.json").read_text())
    assert all(manifest[name]["files"] for name in SECTIONS)
    numbers = [module(name).SECTION.number for name in SECTIONS[:13]]
    assert numbers == ["0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.7.1", "1.7.2",
                       "1.7.3", "1.8", "1.9"]


def test_every_figure_is_there_with_its_size_and_its_caption(built):
    """src, width and height are true; every caption is on the page; the alternative text is that of
    a chart, and of a sheet what is in its rows and columns."""
    text = (built / "index.html").read_text()
    shown = Tags(text).all("img")
    assert len(shown) > 40
    for img in shown:
        path = built / img["src"]
        assert Image.open(path).size == (int(img["width"]), int(img["height"]))
        assert f"<figcaption>{escape(images.caption_of(path))}</figcaption>" in text
        labels, film = labels_of(path)
        if labels is None:
            assert len(img["alt"]) > 20 and img["alt"] == images.caption_of(path)
        else:
            assert img["alt"].startswith("Film in" if film else "Images in")
            words = re.split(r"[\s,;]+", " ".join([*labels["rows"], *labels["columns"]]))
            assert {*words} <= {*re.split(r"[\s,;]+", img["alt"]), ""}


def test_a_film_for_each_kind_and_both_stages(built):
    """Five films; the results of the second stage are in the figures of the first."""
    manifest = json.loads((built / "manifest.json").read_text())
    files = [file for entry in manifest.values() for file in entry["files"]]
    films = [f for f in files if f.endswith("film.png")]
    assert films == [f"{n}-film.png" for n in ("generation", "sdedit", "inpaint", "anagram",
                                               "hybrid")]
    assert all(Image.open(built / film).n_frames > 1 for film in films)
    both = {file for file in files if "; upsampled by doodles-upsampler" in images.caption_of(
        built / file)}
    whole = {file for name in ("guidance", "drawn", "prompted", "hybrid", "logo")
             for file in manifest[name]["files"]} - {*films}
    assert whole | {"generation-cascade.png", "sdedit.png", "inpaint-house.png"} <= both


def test_the_users_photo_is_in_the_figures(built):
    """In its colour, in the second row of 1.1."""
    sheet = Image.open(built / "forward.png")
    red, green, _, alpha = sheet.getpixel((9, sheet.height - 9))
    assert red > 150 > 90 > green and alpha == 255


def test_every_link_leads_somewhere_and_nothing_comes_from_the_network(built):
    """Anchors, figures and source files exist; there is no http anywhere."""
    text = (built / "index.html").read_text()
    tags = Tags(text)
    ids = {attrs["id"] for _, attrs in tags.found if "id" in attrs}
    for link in tags.all("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in ids
        else:
            assert (built / link["href"]).is_file(), link
    assert "http" not in text and tags.all("script") == [{}]


@pytest.mark.parametrize("name, model", WORDS)
def test_the_words_of_a_section_are_true(name, model):
    """One to three sentences of idea, a hint what to notice, a command whose target exists, and
    code that exists by name."""
    section = figures.build.words(name, model)
    assert 1 <= len(re.findall(r"[.?!](?: |$)", section.idea)) <= 3 and section.notice
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    command = section.command.split(" ARGS=")[0].split()
    assert command[0] == "make" and set(command[1:]) <= targets
    for place in section.code:
        file, _, symbol = place.partition(": ")
        assert re.search(rf"^(def |class |){symbol}\b", (ROOT / file).read_text(), re.M), place


def test_every_studio_has_words_for_all_of_part_a():
    """What to notice and the command are each model's own."""
    assert all(list(studio.words) == list(PART_A) for studio in STUDIOS.values())


def test_formulas_are_html_without_a_fetch():
    """What follows "_" is a subscript, code stays as it is, and < is escaped."""
    assert html.rich("ᾱ_t x_0 + σ_1 < 2") == "ᾱ<sub>t</sub> x<sub>0</sub> + σ<sub>1</sub> &lt; 2"
    assert html.rich("see `x_0_hat` at x_T") == "see <code>x_0_hat</code> at x<sub>T</sub>"


def test_what_is_up_to_date_is_not_drawn_again(models, tmp_path, monkeypatch, capsys):
    """The second time nothing is drawn; after a figure is lost, or the weights change, it is;
    --fresh draws all."""
    monkeypatch.chdir(models)
    words = ["--only", "forward sampling", "--out", str(tmp_path)]

    def drawn(*more):
        capsys.readouterr()
        figures.build.run([*words, *more])
        return sorted(Path(line.split()[1]).name for line in capsys.readouterr().out.splitlines()
                      if line.startswith("drew"))

    both = ["forward.png", "sampling.png"]
    assert drawn("--data-dir", "none") == both and drawn("--data-dir", "none") == []
    assert drawn("--data-dir", "none", "--fresh") == both
    (tmp_path / "sampling.png").unlink()
    assert drawn("--data-dir", "none", "--only", "forward") == []  # sampling is left out and named
    assert "sampling" not in [s["id"] for s in
                              Tags((tmp_path / "index.html").read_text()).all("section")]
    assert drawn("--data-dir", "none") == ["sampling.png"]
    extra = Path("runs/class/001/another.pt")
    torch.save({}, extra)
    again = drawn("--data-dir", "none")
    extra.unlink()
    assert again == both


@pytest.mark.parametrize(("entry", "message"), [
    ([], "its forward should be a dict"), ("x" * 10**6, "its forward should be a dict"),
    ({"key": "k"}, "its forward lacks files"), ({"files": []}, "its forward lacks key"),
    ({"key": 3, "files": []}, "its forward.key should be a checksum, got 3"),
    ({"key": "k", "files": "a.png"}, "its forward.files should be a list of names of figures"),
    ({"key": "k", "files": [None]}, "forward.files should be"),
    ({"key": "k", "files": {"a.png": 1}}, "forward.files should be"),
    ({"key": "k", "files": ["../a.png"]}, "forward.files should be"),
    ({"key": "k", "files": ["a.pt"]}, "forward.files should be"),
    ({"key": "k", "files": [], "by": 1}, "'by' is not known"),
])
def test_a_damaged_manifest_is_reported_before_anything_is_drawn(
    models, tmp_path, monkeypatch, entry, message
):
    """By the page and by the book: one sentence with the file, the field and the cure."""
    monkeypatch.chdir(models)
    monkeypatch.setattr(figures.build, "draw", lambda *_: pytest.fail("drawn"))
    text = json.dumps({"forward": entry})
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=f"manifest.json is damaged: .*{message}.*; delete it"):
        figures.build.run(["--out", str(tmp_path), "--data-dir", "none"])
    with pytest.raises(ValueError, match="manifest.json is damaged"):
        book.figures(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == text


@pytest.mark.parametrize(("model", "own"), [
    ("doodles", {"doodles.py", "sentences.py", "measured.py"}), ("class", {"digits.py"}),
    ("deepfloyd", {"deepfloyd.py", "sentences.py"}),
])
def test_a_section_depends_on_the_scripts_that_it_imports(model, own):
    """And on its studio, but on no other section and no other studio."""
    names = {path.name for path in figures.build.scripts("logo", model)}
    assert names == {"logo.py", "anagram.py", "hybrid.py", "studio.py", "sheet.py", *own}
    assert "sdedit.py" in {path.name for path in figures.build.scripts("drawn")}
    assert "digits.py" in {path.name for path in figures.build.scripts("flow")}


def test_every_file_of_the_package_counts(tmp_path, monkeypatch):
    """A section is out of date after a change in any subfolder of minidiff."""
    package = tmp_path / "minidiff"
    deep = package / "models" / "deepfloyd" / "learned.py"
    deep.parent.mkdir(parents=True)
    deep.write_text("a = 1\n")
    (package / "models" / "zoo.py").write_text("b = 1\n")
    monkeypatch.setattr(figures.build, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    before = figures.build.outside("none")
    for file in (deep, package / "models" / "zoo.py"):
        file.write_text(file.read_text() + "c = 1\n")
        before, after = figures.build.outside("none"), before
        assert before != after


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine; .ci/run installs one")
def test_the_page_in_a_browser(built, tmp_path):
    """In Chromium at 390 px, a phone's width, and at 1,280: every figure loads in its shape, the
    page does not scroll sideways, the console stays empty. At its end the contents are still in
    sight and mark the last section. Charts have their captions inside on a wide screen, below on a
    phone."""
    (phone, desk), said = browse(built, tmp_path, [("index.html", 390), ("index.html", 1280)])
    for seen in (phone, desk):
        assert seen["pictures"] > 40 and not seen["broken"] and not seen["bent"]
        assert seen["scroll"] <= seen["width"]
        assert seen["contents"] == 0 and seen["reading"] == [f"#{SECTIONS[-1]}"]
    assert phone["width"] == 390 and phone["captions"] == phone["pictures"]
    sheets = (built / "index.html").read_text().count('class="sheet')
    assert desk["captions"] == sheets > 20
    assert not said
