"""docs/api.md: ten tasks, each complete, short, and run as it stands."""

import re

import pytest

from minidiff.data import catalog
from minidiff.files.photos import sample_photo
from tests.test_house import ROOT

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def test_there_are_ten_tasks_of_fewer_than_ten_lines():
    """Numbered, with a block of code each."""
    assert re.findall(r"^\*\*(\d+)\. ", TEXT, re.M) == [str(k) for k in range(1, 11)]
    assert len(BLOCKS) == 10
    assert all(len(block.splitlines()) < 10 for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=range(1, 11))
def test_a_task_runs_as_it_stands(workplace, monkeypatch, block):
    """In an empty folder with a photo in it, with strokes in place of MNIST; what it makes is
    finite."""
    strokes = catalog.SETS["strokes"]
    monkeypatch.setitem(catalog.SETS, "mnist", lambda split, root, _: strokes(split, root, 28))
    (workplace / "photo.jpg").symlink_to(sample_photo())
    names = {}
    exec(block, names)
    made = [names[name] for name in ("images", "large", "x_0_hat", "turned") if name in names]
    assert all(x.isfinite().all() and x.min() > -2 and x.max() < 3 for x in made)
    assert made or "run" in names or {"rows", "again", "found"} & names.keys()
