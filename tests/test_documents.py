"""README and the other documents name what exists; nothing private is tracked."""

import re
import subprocess

import pytest

from tests.test_house import LAYERS, ROOT


def test_the_readme_names_only_targets_and_files_that_exist():
    """Commands, links and the file map of the README are true, it is under 200 lines, and help
    lists every target."""
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    assert set(re.findall(r"make ([a-z][a-z-]+)", readme)) <= targets
    assert len(readme.splitlines()) < 200
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", makefile, re.M), f"{target} has no help"
    for name in set().union(*LAYERS):
        assert f"{name}/" in readme, f"{name} is missing in the README's file map"
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_no_data_and_no_run_is_tracked():
    """MNIST and runs never enter the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    assert not re.search(r"ubyte|^runs/|^data/|campanile", files, re.M)
