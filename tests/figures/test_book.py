"""The book: nothing lost on the way from the source, links that lead home, formulas, a browser."""

import ast
import html
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch

from figures.book.book import book, formula
from figures.build import SECTIONS
from minidiff.files import images, runs
from tests.conftest import CHROMIUM, Tags, browse

FILES = book.chapters()
PACKAGE = [file for file in FILES if file.parent.name == "minidiff"]
pytestmark = pytest.mark.skipif(book.MarkdownIt is None, reason="the book's packages are missing")
MADE = ("inpaint-7.png", "inpaint-0.png")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The book, with the pictures of one section."""
    place = tmp_path_factory.mktemp("book")
    (place / "pictures").mkdir()
    for name in MADE:
        images.save_grid(place / "pictures" / name, torch.rand(40, 1, 28, 28), f"grid {name}", 20)
    runs.write_json(place / "pictures" / "manifest.json", {"inpaint": {"key": "", "files": MADE}})
    book.run(["--out", str(place / "book"), "--pictures", str(place / "pictures")])
    return place / "book"


@pytest.fixture(scope="module")
def texts(built):
    """{file: text of its page}."""
    return {file: (built / book.href(file)).read_text(encoding="utf-8") for file in FILES}


def plain(text):
    """Return what is left of HTML without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def docstrings(file):
    """Return every docstring of a file."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [found for node in nodes if isinstance(node, kinds)
            and (found := ast.get_docstring(node, clean=False))]


def test_the_chapters_are_the_package_in_its_order_and_all_scripts():
    """From schedule.py on each file is the one its predecessor names; none is missing."""
    assert {f.name for f in PACKAGE} == {f.name for f in Path(book.DOOR).parent.glob("*.py")}
    for file, after in zip(PACKAGE[1:], PACKAGE[2:]):
        assert f"Next: {after.name}" in file.read_text(encoding="utf-8")
    scripts = {f for folder in book.SCRIPTS for f in (book.ROOT / folder).glob("[!_]*.py")}
    assert set(FILES[len(PACKAGE):]) == scripts
    assert not {"book", "formula"} & set(SECTIONS)


def test_every_line_of_code_is_on_its_page_in_order(texts):
    """What stands on the right is the source without its docstrings and lines of comment."""
    for file, text in texts.items():
        source = file.read_text(encoding="utf-8")
        for said in docstrings(file):
            source = source.replace(f'"""{said}"""', "", 1)
        code = [line for line in source.splitlines() if line.strip() and line.strip()[0] != "#"]
        shown = "\n".join(plain(part) for part in re.findall(
            '<pre class="source">(.*?)</pre>', text, re.S))
        assert [line for line in shown.splitlines() if line.strip()] == code, file


def test_every_word_of_lectures_and_comments_is_on_its_page(texts):
    """Words are set, not lost: all of four letters or more, but for the formulas' own."""
    own = {*formula.GREEK, "sqrt", "over"}
    for file, text in texts.items():
        comments = re.findall("^ *# (.*)", file.read_text(encoding="utf-8"), re.M)
        words = set(re.findall("[A-Za-z]{4,}", " ".join(docstrings(file) + comments))) - own
        assert words <= set(re.findall("[A-Za-z]{4,}", plain(text))), file


def test_what_is_no_formula_stays_letter_by_letter(texts):
    """The UNet's drawing, the tables, the commands."""
    for name, start in (("unet.py", "x  1,28,28 ──"), ("blocks.py", "brick  "), ("cli.py", "lr: "),
                        ("shipped.py", "python -m"), ("models.py", "eps_hat = model")):
        file = book.DOOR.parent / name
        drawing = next(part for part in docstrings(file)[0].split("\n\n")
                       if part.strip().startswith(start))
        kept = [plain(part) for part in re.findall("<pre>(.*?)</pre>", texts[file], re.S)]
        assert re.sub("(?m)^ {4}", "", drawing.rstrip()) in kept, name


def test_every_public_name_has_an_anchor(texts):
    """Functions, classes and constants of every file."""
    for file, text in texts.items():
        ids = {attrs.get("id") for _, attrs in Tags(text).found}
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name in ids, (file, node.name)
            if isinstance(node, ast.Assign):
                assert {t.id for t in node.targets if isinstance(t, ast.Name)} <= ids, file


def test_every_link_leads_somewhere_and_nothing_is_fetched(built, texts):
    """Pages, anchors, pictures, what the buttons open; only papers are linked outside."""
    ids = {book.href(file): {attrs["id"] for _, attrs in Tags(text).found if "id" in attrs}
           for file, text in texts.items()}
    for file, text in texts.items():
        tags = Tags(text)
        assert not tags.all("script")
        for attrs in tags.all("button"):
            assert attrs["popovertarget"] in ids[book.href(file)]
        for attrs in tags.all("img") + tags.all("link"):
            source = attrs.get("src") or attrs["href"]
            assert source == "data:," or (built / source).is_file(), (file, source)
        for link in tags.all("a"):
            page, _, anchor = link["href"].partition("#")
            if not page.startswith("https://arxiv.org/abs/"):
                page = page or book.href(file)
                assert (built / page).is_file(), (file, link)
                assert not anchor or anchor in ids[page], (file, link)


@pytest.mark.parametrize("page, name, target", [
    ("samplers", "predict_x_0", "minidiff-diffusion.html#predict_x_0"),
    ("samplers", "State", "#State"), ("editing", "VIEWS", "minidiff-views.html#VIEWS"),
    ("models", "rebuild", "minidiff-checkpoint.html#rebuild"),  # checkpoint.rebuild
])
def test_names_lead_to_their_definitions(texts, page, name, target):
    """Imported by name, defined here, or reached through a module."""
    text = texts[book.DOOR.parent / f"{page}.py"]
    assert re.search(rf'href="[\w.-]*{target}"[^>]*>(<span[^>]*>)?{name}<', text)


def test_what_only_has_the_name_of_a_definition_is_left_alone(tmp_path, monkeypatch):
    """An argument, a variable, an argument's name in a call, another object's attribute."""
    file = tmp_path / "own.py"
    file.write_text('"""Own."""\n\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return x.f, h(f=2)'
                    ", f(x)\n\n\ndef k(y):\n    g = y\n    return g\n")
    monkeypatch.setattr(book, "ROOT", tmp_path)
    monkeypatch.setattr(book, "chapters", lambda: [file])
    linked = re.findall(r'href="(own.html#\w)"', "\n".join(book.highlighted(file)))
    assert linked == ["own.html#f"]


def drawn(node):
    """Write MathML in one line: √[..] root, [..]/[..] fraction, x_[..] low, x^[..] high."""
    parts = [drawn(child) for child in node]
    if node.tag in ("mrow", "math"):
        return "".join(parts)
    shapes = {"msqrt": "√[{}]", "mfrac": "[{}]/[{}]", "msub": "{}_[{}]", "msup": "{}^[{}]",
              "munder": "{}_[{}]", "mover": "{}{}"}
    return shapes[node.tag].format(*parts) if node.tag in shapes else node.text or ""


@pytest.mark.parametrize("written, set_as", [
    ("x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) noise",
     "x_[t]=√[1−β_[t]]x_[t−1]+√[β_[t]]noise"),
    ("x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)",
     "x_[0]=[x_[t]−√[1−α¯_[t]]ε]/[√[α¯_[t]]]"),
    ("sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) · x_0_hat", "[√[α¯_[s]]β]/[1−α¯_[t]]·x^_[0]"),
    ("= beta_tilde = (1 - alpha_bar_s) / (1 - alpha_bar_t) beta",
     "=β~=[1−α¯_[s]]/[1−α¯_[t]]β"),
    ("f(t) = cos²((t/T + offset) / (1 + offset) · π/2)",
     "f(t)=cos^[2]([t/T+offset]/[1+offset]·π/2)"),
    ("eps_hat = sum over i of filter_i( eps_i(x_t, t) )", "ε^=∑_[i]filter_[i](ε_[i](x_[t],t))"),
    ("|m_1 - m_2|² + tr(C_1 - 2 (C_1 C_2)^{1/2})",
     "|m_[1]−m_[2]|^[2]+tr(C_[1]−2(C_[1]C_[2])^[1/2])"),
    ("x_0_hat ← A⁺ (low − A x_0_hat)", "x^_[0]←A^[+](low−Ax^_[0])"),
    ("z <- c1 * z + ½ t_300", "z←c_[1]·z+½t_[300]"),
    ("alpha_1 alpha_2 ... alpha_t", "α_[1]α_[2]…α_[t]"),
    ("q_sample(x_0, s), s <= 1e-3", "q_sample(x_[0],s),s≤1e-3"),
])
def test_formulas_are_set_as_they_are_meant(written, set_as):
    """Roots reach as far as their brackets; a fraction has all factors before it, one after."""
    assert drawn(ElementTree.fromstring(formula.math(written))) == set_as


@pytest.mark.parametrize("written", ["(x", "x)", "x: y", '"x"', "x_", "^2", ""])
def test_what_cannot_be_read_is_refused(written):
    """One ValueError, and so no half of a formula."""
    with pytest.raises(ValueError):
        formula.math(written)


def test_no_root_is_left_in_ascii(texts):
    """Outside code and what is kept letter by letter no page says sqrt(."""
    for file, text in texts.items():
        words = re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.S)
        assert "sqrt(" not in plain(words), file
        if file in PACKAGE[1:4]:
            assert "<msqrt>" in words or "<msub>" in words


def test_pictures_stand_where_their_code_is(texts):
    """Below the function and in the script; where there are none, the command that draws them."""
    editing = texts[book.DOOR.parent / "editing.py"]
    script = texts[book.ROOT / "figures" / "inpaint.py"]
    after = editing.partition('<a id="inpaint"')[2].partition("<section")[0]
    for name in MADE:
        assert f'src="{name}"' in after and f'alt="grid {name}"' in after
        assert f'src="{name}"' in script
    after = editing.partition('<a id="sdedit"')[2].partition("<section")[0]
    assert "make figures ONLY=sdedit" in after and "<img" not in after


def test_without_the_extra_one_sentence_tells_what_to_install(monkeypatch, tmp_path):
    """The command stands in it, and nothing is written."""
    monkeypatch.setattr(book, "MarkdownIt", None)
    with pytest.raises(ValueError, match=r"pip install .*\.\[book\]"):
        book.run(["--out", str(tmp_path / "book")])
    assert not (tmp_path / "book").exists()


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine; .ci/run installs one")
def test_the_book_in_a_browser(built, tmp_path):
    """On a phone and on a desk: every picture loads, nothing scrolls sideways, a silent console."""
    places = [(book.href(f), 390) for f in FILES] + [(book.href(f), 1280) for f in PACKAGE]
    found, said = browse(built, tmp_path, places)
    for place, seen in zip(places, found):
        assert seen["width"] == place[1] and seen["scroll"] <= seen["width"], place
        assert not seen["broken"], place
    assert sum(seen["pictures"] for seen in found) and not said
