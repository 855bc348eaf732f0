"""Build the book: every source file a page, its words on the left and its code on the right.

The order is the lectures' own: a map of the package, then from "Next:" to "Next:", an appendix of
all its other files, then the scripts. Names in the code link to their definitions, formulas are
MathML (formula.py), and the figures of `make figures` are next to the code that made them. Nothing
is fetched, and there is no script.
"""

import ast
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import minidiff
from figures.book import formula
from figures.book.films import make
from figures.book.house import storeys
from figures.book.source import DOOR, FILE, chapters, href, link, names, parsed, parts, place
from figures.book.steps import STEP, sampling, training
from figures.build import ROOT, SECTIONS, module, read_manifest
from figures.page import html
from minidiff.system import cli
from train.first import T

try:
    from jinja2 import Template
    from markdown_it import MarkdownIt
    from pygments import lex
    from pygments.lexers import PythonLexer
    from pygments.token import STANDARD_TYPES
except ImportError:
    MarkdownIt = None

TABLE = minidiff.__doc__.partition("    here ")[2].partition("\n\n")[0]
NOTATION = [re.split(" {2,}", line.strip(), maxsplit=2) for line in TABLE.splitlines()[1:]]
TITLES = {name: f"{papers} in papers; elsewhere {elsewhere}"
          for here, papers, elsewhere in NOTATION for name in here.split(", ")}
FLOW = {  # theory/flow.py, where x_0, t and v mean something else
    "x_0": "the noise that sampling starts from", "x_1": "the image",
    "x_t": "between noise and image", "t": "0 (noise) .. 1 (data)", "v": "the velocity",
    "s": "a later time than t"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
SYMBOLS = "|".join((*sorted(TITLES, key=len, reverse=True), "[A-Za-z](?=_)", "ab(?=_)", "phi",
                    "tau"))
INLINE = re.compile(  # a file; a paper; a root; a call; a symbol with index and power
    rf"({FILE}|arXiv:\d+\.\d+|sqrt\((?:[^()]|\([^()]*\))*\)|\b\w+\([^()]*\)"
    rf"|(?<![\w'’@\"-])(?<!\w\.)(?:{SYMBOLS})(?:_(?:[A-Za-z]|\d+|{{[^}}]*}}))?(?:_hat)?[²³]?"
    r"(?!\w|[\"(]|-[A-Za-z]|\.\w))")


@dataclass(frozen=True)
class BookOptions:
    """Where the book goes, and where its figures are."""

    out: str = cli.flag("docs/book", "folder for the book")
    pictures: str = cli.flag("figures/out", "folder that `make figures` has filled")


def highlighted(file):
    """Return a file's lines as HTML: definitions are anchors, and names link to them.

    What is an argument or a variable anywhere in the file is left alone."""
    text, tree, defined = parsed(file)
    inside = [n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)]
    hidden = {n.arg for n in inside if isinstance(n, ast.arg)} | {
        n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    rows, before, anchored = [""], ["", ""], set()
    for kind, value in lex(text, PythonLexer(stripnl=False)):
        style = STANDARD_TYPES.get(kind, "")
        for k, part in enumerate(value.split("\n")):
            rows += [""] * (k > 0)
            shown = f'<span class="{style}">{escape(part)}</span>' if part.strip() else part
            if defined.get(part) == len(rows) - 1 and part not in anchored:
                anchored.add(part)
                shown = f'<a id="{part}" href="#{part}">{shown}</a>'
            elif part[:1] == "=":  # an argument's name
                rows[-1] = re.sub("<a[^>]*>([^ ]+ [^ ]+)</a>$", r"\1", rows[-1])
            elif style[:1] == "n":
                word = f"{before[0]}.{part}" if before[1] == "." else part
                shown = link(word, file, shown) if word.split(".")[0] not in hidden else shown
            rows[-1] += shown
            before = [before[1], part]
    return rows


def blocks(file):
    """Yield (words, code as HTML, names defined) for each piece of a file."""
    text, tree, defined = parsed(file)
    lines, rows, words = [*text.splitlines(), ""], highlighted(file), {}
    starts = {k for k in range(len(lines)) if lines[k - 2:k] == ["", ""]} | {0}
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            first, end = node.body[0].lineno - 1, node.body[0].end_lineno
            words |= dict.fromkeys(range(first, end + (not lines[end])), "")
            words[first] = "\n" + ast.get_docstring(node)
            top = [*getattr(node, "decorator_list", ()), node][0]
            starts.add(end if node is tree else top.lineno - 1)
    comments = {k for k, row in enumerate(rows) if re.match(' *<span class="c', row)}
    words |= {k: lines[k].strip()[2:] for k in comments}
    starts = sorted(k for k in starts | comments if k - 1 not in comments)
    for first, end in zip(starts, [*starts[1:], len(lines)]):
        text = "\n".join(words[k] for k in range(first, end) if k in words)
        code = "\n".join(rows[k] for k in range(first, end) if k not in words)
        here = [name for name, row in [("", 0), *defined.items()] if first <= row < end]
        yield text, code.strip("\n"), here


def reader(file):
    """Return what turns a file's words, Markdown of a modest kind, into HTML."""
    md = MarkdownIt("zero").enable(["code", "backticks", "emphasis", "list", "newline"])

    def code(_, tokens, k, *__):
        text = tokens[k].content
        return f"<code>{link(text.partition('(')[0], file, escape(text))}</code>"

    md.add_render_rule("text", lambda _, tokens, k, *__: rich(tokens[k].content, file))
    md.add_render_rule("code_inline", code)
    md.add_render_rule("code_block", lambda _, tokens, k, *__: formula.display(
        tokens[k].content, md.renderInline, lambda text: mapped(text, file)))

    def read(words):
        words = re.sub(r"\A\s*(\d+\.) ", "\\1\u00a0", words)  # a chapter's title is no list
        words = re.sub(r"\n(?=(Sources?|Next): |Exercises$)", "\n\n", words, flags=re.M)
        words = re.sub(r"^(Derivation: [^.:]*\.|Remember:)", r"**\1**", words, flags=re.M)
        return md.render(re.sub(r"\n(?=   [\w/]+\.py)", "  \n", words))  # an answer: its own line

    return read


def mapped(text, file):
    """Return text that is kept as it is as HTML, with files and folders at the start of a line as
    links."""
    def linked(match):
        name = match[0]
        there = place(name, file) if name.endswith(".py") else next(
            (f for f in chapters() if f.parent == DOOR.parent / name), None)
        return f'<a href="{href(there)}">{name}</a>' if there in chapters() else name

    return re.sub(rf"{FILE}|(?m:(?<=^    )|^)\w+/(?= )", linked, escape(text))


def rich(text, file):
    """Return text as HTML, with files, papers and calls as links, and symbols as formulas."""
    shown = "".join(_inline(part, file) if k % 2 else escape(part, False)
                    for k, part in enumerate(INLINE.split(text)))
    attached = r"([(\[]?)(<abbr [^>]*>)(.*?)</abbr>([])]*[,.;:]?)"  # no line may break in there
    return re.sub(attached, r"\2\1\3\4</abbr>", shown)


def _inline(part, file):
    name, opened, inside = part.partition("(")
    if part.endswith(".py"):
        there = place(part, file)
        return f'<a href="{href(there)}">{part}</a>' if there in chapters() else part
    if part.startswith("arXiv"):
        return f'<a href="https://arxiv.org/abs/{part[6:]}">{part}</a>'
    if opened and name not in TITLES and ("_" in name or name in names(file)):
        return f"<code>{link(name, file, escape(part))}</code>"
    try:
        titles = FLOW if file == DOOR.parent / "theory" / "flow.py" else TITLES
        title = titles.get(part, titles.get(part.rpartition("_")[0], ""))
        title = f' title="{escape(title)}"' if title else ""
        return f"<abbr{title}>{formula.math(part)}</abbr>"
    except ValueError:
        return name + opened + rich(inside, file)


def figures(folder):
    """Return {(file, name of a definition or ""): [(Section, name, names of its figures)]}."""
    drawn, found = read_manifest(folder), defaultdict(list)
    for name in SECTIONS:
        section, script = module(name).SECTION, Path(module(name).__file__).relative_to(ROOT)
        files = [f for f in drawn.get(name, {}).get("files", ()) if (folder / f).is_file()]
        for where in (*section.code, f"{script.as_posix()}: draw"):
            file, _, definition = where.partition(": ")
            found[ROOT / file, definition].append((section, name, files))
    return found


def run(argv=None):
    """Write the book. Raises ValueError where the packages for it are missing."""
    prog, about = "python -m figures.book.book", "build the book"
    (options,), _ = cli.parse([BookOptions], argv, prog, about)
    if MarkdownIt is None:
        raise ValueError("the book needs markdown-it-py, Pygments and Jinja2; install them with: "
                         "python -m pip install -c constraints.txt -e '.[book]'")
    out, folder, here = Path(options.out), Path(options.pictures), Path(__file__).parent
    out.mkdir(parents=True, exist_ok=True)
    for file in (here / "book.css", html.HERE / "figure.css", *folder.glob("*.png")):
        shutil.copy(file, out)
    template = Template((here / "book.html").read_text(encoding="utf-8"))
    files, shown, films, page = chapters(), figures(folder), make(out), ROOT / "train" / "first.py"
    traces = {(page, "train"): ("One training step, line by line", training()),
              (page, "sample"): (f"Sampling step {STEP} of {T}, line by line", sampling())}
    paths = {f: f.relative_to(DOOR.parent if DOOR.parent in f.parents else ROOT) for f in files}
    first = {file: parsed(file)[0].strip('"').partition("\n")[0].strip('"') for file in files}
    for k, file in enumerate(files):
        text = template.render(
            files=files, parts=parts(), k=k, title=file.relative_to(ROOT).as_posix(), first=first,
            paths=paths, href=href, notation=NOTATION, math=formula.math, words=reader(file),
            defined=parsed(file)[2], blocks=blocks(file), picture=partial(html.figure, folder),
            storeys=storeys(), rows=highlighted(file), trace=lambda name, file=file: traces.get(
                (file, name)), films=lambda name, file=file: films.get((paths[file], name), ()),
            shown=lambda name, file=file: shown[file, name])
        (out / href(file)).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} pages; open {out / 'index.html'} in a browser")


if __name__ == "__main__":
    with cli.program():
        run()
