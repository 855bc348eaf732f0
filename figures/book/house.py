"""The map of the house, the book's first figure: each folder on the floor above all it imports."""

import re
from functools import cache

from figures.book.source import DOOR, SCRIPTS, chapters, parsed
from figures.build import ROOT

IMPORT = re.compile(r"^\s*from (?:minidiff\.)?(\w+)[. ]", re.M)


def folders():
    """Return {folder: its files that are pages of the book}, in the order of the book."""
    found = {}
    for file in chapters():
        inside = file.relative_to(DOOR.parent if DOOR.parent in file.parents else ROOT)
        if file != DOOR:
            found.setdefault(inside.parts[0], []).append(file)
    return found


def about():
    """Return {folder: what is in it}, as README.md says."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^ {4,6}(\w+)/ +(.+)$", text, re.M))


@cache
def floor(folder):
    """Return the floor of a folder: 0 if it imports no other one, else one above the highest."""
    rooms = folders()
    used = {name for file in rooms[folder] for name in IMPORT.findall(parsed(file)[0])}
    below = [floor(name) for name in sorted(used & rooms.keys() - {folder, *SCRIPTS})]
    return 1 + max(below, default=-1)


def number(file):
    """Return the number of the chapter that a file is, "" for none."""
    found = re.match(r'"""(\d\w?)\. ', parsed(file)[0])
    return found[1] if found else ""


def storeys():
    """Return the floors from the roof down, each a list of (folder, what is in it, [(chapter's
    number, file)])."""
    rooms, words = folders(), about()
    top = max(map(floor, rooms))
    floors = [[name for name in rooms if name not in SCRIPTS and floor(name) == k]
              for k in range(top, -1, -1)]
    return [[(name, words.get(name, ""), [(number(file), file) for file in rooms[name]
                                           if file.parent.name == name])
             for name in names] for names in [list(SCRIPTS), *floors] if names]
