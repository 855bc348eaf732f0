"""streams.py, cli.program: broken streams, a poor locale and a matplotlibrc cost no work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = """
import sys
import matplotlib
from tqdm import tqdm
from minidiff.files.images import save_grid
from minidiff.system.cli import program
import torch
with program():
    for _ in tqdm(range(3)):
        print("x" * 20_000)
        print("3 \\u4e09 \\udcff", flush=True)
    print("a word", file=sys.stderr)
    save_grid("a.png", torch.zeros(1, 1, 28, 28), "gamma $3")
    if sys.argv[1:]:
        raise ValueError("a user error \\u4e09")
"""


def shell(line, folder, **env):
    """Run a line of bash with $RUN, the program above, in a folder; return its exit status."""
    (folder / "work.py").write_text(WORK)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RUN": f"{sys.executable} work.py", **env}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=folder, env=env,
                          capture_output=True, text=True, errors="replace")
    return done.returncode, done.stderr


@pytest.mark.parametrize("line", [
    "$RUN >&-", "$RUN 2>&-", "$RUN >&- 2>&-", "$RUN >/dev/full", "$RUN 2>/dev/full",
    "$RUN >/dev/full 2>&1", "$RUN 2>&1 | head -c 1", "$RUN | true", "$RUN <&-",
])
def test_a_broken_stream_costs_no_work(tmp_path, line):
    """The file is written, and the exit status is that of the work."""
    status, err = shell(line, tmp_path)
    assert (tmp_path / "a.png").is_file() and status == 0 and "Traceback" not in err


def test_a_user_error_keeps_its_exit_status(tmp_path):
    """Even where nobody can read its sentence."""
    assert shell("$RUN fail 2>&-", tmp_path)[0] == shell("$RUN fail >/dev/full", tmp_path)[0] == 2


@pytest.mark.parametrize("env", [
    {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
])
def test_a_locale_that_lacks_a_character_costs_no_work(tmp_path, env):
    """It is written with a backslash, in a message and in a user error."""
    assert shell("$RUN", tmp_path, **env)[0] == 0 and (tmp_path / "a.png").is_file()
    status, err = shell("$RUN fail", tmp_path, **env)
    assert status == 2 and err.endswith("minidiff: a user error \\u4e09\n")


def test_the_users_matplotlibrc_has_no_effect(tmp_path):
    """A program draws the same file with and without it: LaTeX, font sizes, another resolution."""
    (tmp_path / "own").mkdir()
    assert shell("$RUN", tmp_path)[0] == 0
    (tmp_path / "own" / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 20\nsavefig.dpi: 30\nbackend: TkAgg\n")
    assert shell("$RUN", tmp_path / "own")[0] == 0
    assert (tmp_path / "own" / "a.png").read_bytes() == (tmp_path / "a.png").read_bytes()
