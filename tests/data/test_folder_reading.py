"""folder.py: how much of a folder is read, and what is said about it."""

import torch

from minidiff.data import catalog
from minidiff.files import photos
from tests.data.test_folder import classes


def test_a_limit_reads_no_more_than_it_needs(workplace, monkeypatch):
    """Of 60 images about ten, evenly spread, and always the same, whether all are kept or not."""
    read, whole = [], photos.load_image
    monkeypatch.setattr(photos, "load_image", lambda path, *a: read.append(path) or whole(path, *a))
    name = classes(workplace / "own", ("cat", "dog"), 30)
    few = catalog.load(name, limit=6, size=8)
    count = len(read)
    assert 6 <= len(few) <= count <= 16 and len(few.labels.unique()) == 2
    again = catalog.load(name, limit=6, size=8)
    assert len(read) == count and torch.equal(few.images, again.images)
    assert len(catalog.load(name, size=8)) > 50


def test_a_symlink_loop_is_one_note(workplace, capsys):
    """And a folder of classes has no images of its own to miss."""
    name = classes(workplace / "own", each=3)
    (workplace / "own" / "cat" / "loop").symlink_to(workplace / "own")
    catalog.load(name, size=8)
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert len(notes) == 1 and "leads to a folder that is read already" in notes[0]
