"""The source as the book needs it: the order of its files, their definitions, links to them."""

import ast
import re
from functools import cache

from figures.build import ROOT

DOOR, SCRIPTS = ROOT / "minidiff" / "__init__.py", ("train", "sample", "figures")
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
