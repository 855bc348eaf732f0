"""docs/tour.ipynb runs from top to bottom: `make test-play` installs what this needs."""

import json

import pytest

from tests.test_house import ROOT

NOTEBOOK = ROOT / "docs" / "tour.ipynb"


def test_its_outputs_are_small_and_of_one_run():
    """At most 300 kB; every cell of code was run, in order, and none failed."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(text) <= 300_000
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(out["output_type"] != "error" for cell in cells for out in cell["outputs"])
    assert sum("image/png" in out.get("data", {}) for c in cells for out in c["outputs"]) == 8


def test_it_runs_from_a_clean_kernel(monkeypatch):
    """Every cell, with a smaller training; as many images are shown as in the file."""
    nbformat = pytest.importorskip("nbformat", reason="make test-play installs it")
    nbclient = pytest.importorskip("nbclient", reason="make test-play installs it")
    monkeypatch.setenv("MINIDIFF_FAST", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3",
                                     resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    client.execute()
    shown = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert sum("image/png" in out.get("data", {}) for out in shown) == 8
