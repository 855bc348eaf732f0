"""The source as the book needs it: its order, its definitions, its code as HTML."""

import ast
import re
from functools import cache
from html import escape

from figures.build import ROOT

try:
    from pygments import lex
    from pygments.lexers import PythonLexer
    from pygments.token import STANDARD_TYPES
except ImportError:
    lex = None

DOOR, SCRIPTS = ROOT / "minidiff" / "__init__.py", ("train", "sample", "figures")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
FILE = r"(?<![\w/])(?:\w+/)*\w+\.py\b"


@cache
def parts():
    """Return the source files in the order of the book, {heading: files}."""
    chain, following = [], ROOT / "train" / "first.py"
    while following and following not in chain:
        chain.append(following)
        found = re.search(rf"^Next: ({FILE})", following.read_text(encoding="utf-8"), re.M)
        following = found and place(found[1], following)
    numbered = [k for k, file in enumerate(chain) if re.match(r'"""\d', parsed(file)[0])]
    spine, second = chain[:numbered[-1] + 1], chain[numbered[-1] + 1:]
    found = {"Chapters": [DOOR, *spine], "The second part": second}
    for folder in ("minidiff", *SCRIPTS):
        files = sorted((ROOT / folder).rglob("[a-z]*.py"))
        heading = "Appendix" if folder == "minidiff" else f"{folder}/"
        found[heading] = [file for file in files if file not in chain]
    return found


@cache
def chapters():
    """Return the source files in the order of the book."""
    return sum(parts().values(), [])


def place(name, file):
    """Return the file that a name such as "theory/flow.py" in another file means, None for none."""
    folders = (ROOT, DOOR.parent, file.parent)
    return next((f / name for f in folders if (f / name).is_file()), None)


def href(file, name=""):
    """Return the address of a file's page, or of a definition on it."""
    page = "index" if file == DOOR else "-".join(file.relative_to(ROOT).with_suffix("").parts)
    return f"{page}.html#{name}" if name else f"{page}.html"


@cache
def parsed(file):
    """Return a file's text, its syntax tree, and {name: row} of what it defines, rows from 0."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    nodes = [n for top in tree.body
             for n in getattr(top, "targets", None) or [getattr(top, "target", top)]]
    defined = {getattr(n, "name", getattr(n, "id", "")): n.lineno - 1 for n in nodes}
    return text, tree, {name: row for name, row in defined.items() if name}


@cache
def names(file):
    """Return {name: (file, name there)} of what a file defines or imports; a module has no name."""
    found = {}
    for node in ast.walk(parsed(file)[1]):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("minidiff", *SCRIPTS):
            source = ROOT.joinpath(*node.module.split("."))
            whole = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
            for alias in node.names:
                part = source / f"{alias.name}.py"
                there = (part, "") if part.is_file() else names(whole).get(alias.name)
                found[alias.asname or alias.name] = there
    return found | {name: (file, name) for name in parsed(file)[2]}


def link(word, file, shown):
    """Return what is shown, linked if a file knows the word, which may be "module.name"."""
    first, _, rest = word.partition(".")
    known = names(file).get(first)
    if known and rest:
        known = names(known[0]).get(rest) if not known[1] else None
    return f'<a href="{href(*known)}">{shown}</a>' if known and known[0] in chapters() else shown


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
