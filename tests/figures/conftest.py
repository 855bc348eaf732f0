"""The book as the tests of its pages need it, built once."""

import pytest
import torch

from figures.book import book, films, source, steps
from figures.page.sheet import save_sheet
from minidiff.files import images, runs

MADE = ("inpaint-7.png", "inpaint-0.png")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The book, with the figures of one section."""
    place = tmp_path_factory.mktemp("book")
    (place / "pictures").mkdir()
    sheet, grid = (place / "pictures" / name for name in MADE)
    save_sheet(sheet, [("result", torch.rand(3, 1, 28, 28))], f"grid {sheet.name}", tuple("abc"))
    images.save_grid(grid, torch.rand(40, 1, 28, 28), f"grid {grid.name}", 20)
    runs.write_json(place / "pictures" / "manifest.json", {"inpaint": {"key": "", "files": MADE}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(films, "STEPS", 2)
        patch.setattr(steps, "STEP", 299)  # the second step, not one of the last
        book.run(["--out", str(place / "book"), "--pictures", str(place / "pictures")])
    return place / "book"


@pytest.fixture(scope="session")
def texts(built):
    """{file: text of its page}."""
    return {file: (built / source.href(file)).read_text(encoding="utf-8")
            for file in source.chapters()}
