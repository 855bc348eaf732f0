"""The book: nothing of the source is lost, links lead somewhere; in a browser nothing is cut."""

import ast
import html
import re

import pytest

from figures.book import book, films, formula, source
from figures.build import SECTIONS
from tests import conftest
from tests.conftest import CHROMIUM, Tags, browse
from tests.figures.conftest import MADE

FILES = source.chapters()
PACKAGE = [file for file in FILES if source.DOOR.parent in file.parents]
SPINE = source.parts()["Chapters"][1:]
pytestmark = pytest.mark.skipif(book.MarkdownIt is None, reason="the book's packages are missing")


def plain(text):
    """Return what is left of HTML without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def docstrings(file):
    """Return every docstring of a file."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [found for node in nodes if isinstance(node, kinds)
            and (found := ast.get_docstring(node, clean=False))]


def test_the_book_has_every_file_once_and_the_lectures_in_their_order():
    """From train/first.py on each lecture is the one its predecessor names; the first part has
    chapters 1 to 9; everything else follows, and no file is missing."""
    assert FILES[:2] == [source.DOOR, source.ROOT / "train" / "first.py"]
    lectures = [*SPINE, *source.parts()["The second part"]]
    for file, after in zip(lectures, lectures[1:]):
        following = re.search(r"^Next: ([\w/]+\.py)", file.read_text(encoding="utf-8"), re.M)[1]
        assert source.place(following, file) == after
    first = [re.match(r'"""(\d+)', file.read_text(encoding="utf-8")) for file in lectures]
    numbers = [int(found[1]) for found in first[:len(SPINE)]]
    assert sorted(set(numbers)) == list(range(1, 10)) and numbers == sorted(numbers)
    assert not any(first[len(SPINE):])
    sources = {f for folder in ("minidiff", *source.SCRIPTS)
               for f in (source.ROOT / folder).rglob("[!_]*.py")}
    assert set(FILES) == sources | {source.DOOR} and len(FILES) == len(set(FILES))
    assert set(PACKAGE) <= set(FILES[:len(PACKAGE) + 1])  # before all scripts but the first chapter
    assert not {"book", "formula", "source"} & set(SECTIONS)


def test_the_book_opens_with_a_map(texts):
    """The first page lists every folder of the package and all nine chapters, as links."""
    links = {link["href"] for link in Tags(texts[source.DOOR]).all("a")}
    before = texts[source.DOOR].partition("<aside>")[0]
    for folder in {file.parent for file in PACKAGE if file.parent.parent == source.DOOR.parent}:
        assert re.search(rf'<a href="minidiff-{folder.name}-\w+.html">{folder.name}/</a>', before)
    assert {source.href(file) for file in SPINE} <= links


def test_every_line_of_code_is_on_its_page_in_order(texts):
    """The right side is the source without its docstrings and lines of comment."""
    for file, page in texts.items():
        own = file.read_text(encoding="utf-8")
        for text in docstrings(file):
            own = own.replace(f'"""{text}"""', "", 1)
        code = [line for line in own.splitlines() if line.strip() and line.strip()[0] != "#"]
        shown = "\n".join(plain(part) for part in re.findall(
            '<pre class="source">(.*?)</pre>', page, re.S))
        assert [line for line in shown.splitlines() if line.strip()] == code, file


def test_every_word_of_lectures_and_comments_is_on_its_page(texts):
    """No word of four letters or more is lost, except the formulas' own."""
    own = {*formula.GREEK, "sqrt", "over"}
    for file, text in texts.items():
        comments = re.findall("^ *# (.*)", file.read_text(encoding="utf-8"), re.M)
        words = set(re.findall("[A-Za-z]{4,}", " ".join(docstrings(file) + comments))) - own
        assert words <= set(re.findall("[A-Za-z]{4,}", plain(text))), file


def test_a_chapters_number_is_part_of_its_title(texts):
    """Its first paragraph begins with the number; it is not set as a list."""
    for file in SPINE:
        number = re.match(r'"""(\w+)\.', file.read_text(encoding="utf-8"))[1]
        assert re.search(rf"<div><p>{number}\.\s", texts[file]), file


def test_what_is_no_formula_stays_letter_by_letter(texts):
    """The UNet's drawing, the tables, the commands."""
    for name, start in (("network/unet.py", "x  1,28,28 ──"), ("network/blocks.py", "block  "),
                        ("system/cli.py", "lr: "), ("models/zoo.py", "weights/<kind>"),
                        ("models/model.py", "eps_hat = model"), ("__init__.py", "theory/  ")):
        file = source.DOOR.parent / name
        drawing = next(part for part in docstrings(file)[0].split("\n\n")
                       if part.strip().startswith(start))
        kept = [plain(part) for part in re.findall("<pre>(.*?)</pre>", texts[file], re.S)]
        assert re.sub("(?m)^ {4}", "", drawing.rstrip()) in kept, name


def test_every_public_name_has_an_anchor(texts):
    """Functions, classes and constants of every file have one."""
    for file, text in texts.items():
        ids = {attrs.get("id") for _, attrs in Tags(text).found}
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name in ids, (file, node.name)
            if isinstance(node, ast.Assign):
                assert {t.id for t in node.targets if isinstance(t, ast.Name)} <= ids, file


def test_every_link_leads_somewhere_and_nothing_is_fetched(built, texts):
    """Pages, anchors, figures and what the buttons open exist; only papers are linked outside."""
    ids = {source.href(file): {attrs["id"] for _, attrs in Tags(text).found if "id" in attrs}
           for file, text in texts.items()}
    for file, text in texts.items():
        tags = Tags(text)
        assert not tags.all("script")
        for attrs in tags.all("button"):
            assert attrs["popovertarget"] in ids[source.href(file)]
        for attrs in tags.all("img") + tags.all("link"):
            address = attrs.get("src") or attrs["href"]
            assert address.startswith("data:") or (built / address).is_file(), (file, address)
        for link in tags.all("a"):
            page, _, anchor = link["href"].partition("#")
            if not page.startswith("https://arxiv.org/abs/"):
                page = page or source.href(file)
                assert (built / page).is_file(), (file, link)
                assert not anchor or anchor in ids[page], (file, link)


@pytest.mark.parametrize("page, name, target", [
    ("theory/samplers", "predict_x_0", "minidiff-theory-diffusion.html#predict_x_0"),
    ("theory/samplers", "State", "#State"),
    ("editing/inpainting", "noised", "minidiff-editing-image_to_image.html#noised"),
    ("models/zoo", "summary", "minidiff-files-checkpoint.html#summary"),  # checkpoint.summary
])
def test_names_lead_to_their_definitions(texts, page, name, target):
    """Whether imported by name, defined in the same file, or reached through a module."""
    text = texts[source.DOOR.parent / f"{page}.py"]
    assert re.search(rf'href="[\w.-]*{target}"[^>]*>(<span[^>]*>)?{name}<', text)


def test_files_in_lectures_are_links(texts):
    """Relative to the project, to the package, or to the file's own folder."""
    for page, target in (("minidiff/theory/schedule", "minidiff-theory-diffusion"),
                         ("minidiff/models/generate", "figures-part_b-sweep"),
                         ("minidiff/editing/illusions", "minidiff-editing-views")):
        text = texts[source.ROOT / f"{page}.py"]
        assert re.search(rf'<a href="{target}.html">[\w/]+\.py</a>', text), page


def test_on_flows_the_symbols_mean_something_else(texts):
    """In theory/flow.py, and nowhere else, x_0 is explained as noise."""
    own = [file for file, text in texts.items() if f'title="{book.FLOW["x_0"]}"' in text]
    assert own == [source.DOOR.parent / "theory" / "flow.py"]


def test_what_only_has_the_name_of_a_definition_is_left_alone(tmp_path, monkeypatch):
    """An argument, a variable, an argument's name in a call, another object's attribute."""
    file = tmp_path / "own.py"
    file.write_text('"""Own."""\n\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return x.f, h(f=2)'
                    ", f(x)\n\n\ndef k(y):\n    g = y\n    return g\n")
    monkeypatch.setattr(source, "ROOT", tmp_path)
    monkeypatch.setattr(source, "chapters", lambda: [file])
    linked = re.findall(r'href="(own.html#\w)"', "\n".join(book.highlighted(file)))
    assert linked == ["own.html#f"]


def test_no_root_is_left_in_ascii(texts):
    """Outside code and what is kept letter by letter, no page has sqrt(."""
    for file, text in texts.items():
        words = re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.S)
        assert "sqrt(" not in plain(words), file
        if file in SPINE[1:3]:
            assert "<msqrt>" in words or "<msub>" in words


def test_figures_are_where_their_code_is(texts):
    """Below the function and in the script; where there are none, the command that draws them."""
    inpainting = texts[source.DOOR.parent / "editing" / "inpainting.py"]
    script = texts[source.ROOT / "figures" / "part_a" / "inpaint.py"]
    after = inpainting.partition('<a id="inpaint"')[2].partition("<section>")[0]
    for name in MADE:
        assert f'src="{name}"' in after and f"<figcaption>grid {name}<" in after
        assert f'src="{name}"' in script
    sdedit = texts[source.DOOR.parent / "editing" / "image_to_image.py"]
    after = sdedit.partition('<a id="sdedit"')[2].partition("<section")[0]
    assert "make figures ONLY=sdedit" in after and "<img" not in after


def test_films_and_traces_are_below_the_code_that_makes_them(texts):
    """Each film once, with its caption, at its function; both steps of chapter 1 at theirs."""
    for name, (_, _, _, where) in films.FILMS.items():
        file, _, definition = where.partition(": ")
        page = texts[source.DOOR.parent / file]
        after = page.partition(f'<a id="{definition}"')[2].partition("<section>")[0]
        assert f'src="film-{name}"' in after and page.count(f'src="film-{name}"') == 1
        assert sum(f'src="film-{name}"' in text for text in texts.values()) == 1
    first = texts[source.ROOT / "train" / "first.py"]
    for definition, made in (("train", "x_t"), ("sample", "eps_u")):
        after = first.partition(f'<a id="{definition}"')[2].partition("<section>")[0]
        assert f"<b>{made}</b> float32" in after and f'alt="{made}"' in after


def test_derivations_are_set_on_their_own(texts):
    """Each in a section below its function's, with nothing of it left in code or in ASCII roots."""
    for file in PACKAGE:
        count = len(re.findall("^ *Derivation: ", file.read_text(encoding="utf-8"), re.M))
        sections = re.findall('<section class="derivation">(.*?)</section>', texts[file], re.S)
        assert len(sections) == count, file
        assert all("<strong>Derivation: " in s and "<math" in s and "<pre" not in s
                   for s in sections), file


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    """It contains the command, and nothing is written."""
    monkeypatch.setattr(book, "MarkdownIt", None)
    with pytest.raises(ValueError, match=r"pip install .*\.\[book\]"):
        book.run(["--out", str(tmp_path / "book")])
    assert not (tmp_path / "book").exists()


CUT = """cut: [...page.querySelectorAll("pre, .formula, math, td, p, li")].filter(e => {
      let box = e; while (box && !["auto", "scroll"].includes(
        page.defaultView.getComputedStyle(box).overflowX)) box = box.parentElement;
      return !box && e.offsetParent && e.getBoundingClientRect().right > root.clientWidth;
    }).map(e => e.textContent.slice(0, 60)),
    hidden: [...page.querySelectorAll(".formula")].filter(
      e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60)), broken:"""


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine; .ci/run installs one")
def test_the_book_in_a_browser(built, tmp_path, monkeypatch):
    """On a phone and on a desk every image loads, no page scrolls sideways, what is too wide
    scrolls in its own box, and the console stays empty. The first page's contract is never cut."""
    monkeypatch.setattr(conftest, "HARNESS", conftest.HARNESS.replace("broken:", CUT))
    places = [(source.href(f), 390) for f in FILES] + [(source.href(f), 1280) for f in PACKAGE]
    places += [(source.href(source.DOOR), width) for width in (390, 1000, 1280)]
    found, said = browse(built, tmp_path, places)
    for place, seen in zip(places, found):
        assert seen["width"] == place[1] and seen["scroll"] <= seen["width"], place
        assert not seen["broken"] and not seen["cut"], (place, seen)
    assert not any(seen["hidden"] for seen in found[-3:])
    assert sum(seen["pictures"] for seen in found) and not said
