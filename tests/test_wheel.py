"""The wheel: installed in an empty place, it does what the API promises."""

import os
import subprocess
import sys

import pytest

from tests.test_house import ROOT

CODE = """
import sys, minidiff
assert minidiff.__file__.startswith(sys.argv[1]) and "torch" not in sys.modules
import torch
model = minidiff.load("class")
images = model.sample(["3", "8"], steps=3, gamma=2, seed=0, progress=False)
edited = minidiff.edit(model, images[0], prompt="8", start=0.4, steps=3, progress=False)
filled = minidiff.inpaint(model, images[1], "rows 14:28", "3", steps=3, progress=False)
both = [make(model, steps=2, progress=False) for make in (minidiff.anagram, minidiff.hybrid)]
assert "matplotlib" not in sys.modules
minidiff.show(torch.cat([images, edited, filled, *both])).save("all.png")
run = minidiff.train(torch.rand(16, 3, 8, 8), ["cat", "dog"] * 8, epochs=1, width=2)
losses = [p.loss for p in run]
run.model.save("mine.pt")
print(tuple(minidiff.load("mine.pt").sample(["cat"], steps=2, progress=False).shape), len(losses))
"""


@pytest.mark.skipif(not os.environ.get("MINIDIFF_WHEEL"), reason="slow: set MINIDIFF_WHEEL=1")
def test_an_installed_wheel_does_all_of_it(tmp_path):
    """In an empty folder, away from the source, without the scripts."""
    site, here, source = tmp_path / "site", tmp_path / "here", tmp_path / "source"
    here.mkdir()
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path),
                    str(source)], check=True)
    wheel, = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CODE, str(site)], cwd=here, env=env, text=True,
                          capture_output=True)
    assert done.stdout == "(1, 3, 8, 8) 1\n", done.stderr
    assert sorted(p.name for p in here.iterdir()) == ["all.png", "mine.pt"]
    status = subprocess.run(["git", "status", "--short"], cwd=source, text=True,
                            capture_output=True)
    assert status.stdout == ""  # building leaves nothing untracked
