"""startup.py: the environment and Ctrl-C, before a program's imports and during them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["sample.toy", "train.uncond", "figures"])
def test_a_backend_that_is_not_there_has_no_effect(tmp_path, module):
    """$MPLBACKEND is matplotlib's, which otherwise fails when it is imported."""
    done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=tmp_path, text=True,
                          capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "none"})
    assert done.returncode == 0 and done.stderr == ""


def test_ctrl_c_during_the_imports_is_quiet(tmp_path):
    """They take seconds. Status 130, no traceback."""
    (tmp_path / "torch.py").write_text(
        "from pathlib import Path\nimport time\nPath('here').touch()\ntime.sleep(600)\n")
    place = os.pathsep.join(map(str, (tmp_path, ROOT)))
    run = subprocess.Popen([sys.executable, "-m", "sample.toy"], cwd=tmp_path,
                           stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": place})
    while not (tmp_path / "here").exists():
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.communicate()[1] == b"" and run.returncode == 130
