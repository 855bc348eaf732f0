"""runs.py: a run's folder and its log."""

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from minidiff.files import runs

ROW = {"step": 10, "epoch": 1, "loss": 0.5, "lr": 0.001, "images_per_second": 99.5,
       "validation": None}


def test_numbers_count_up_and_the_newest_is_by_number_not_by_name(workplace):
    """After 999 comes 1000, although as text "1000" < "999"."""
    assert runs.make_folder("uncond").name == "001"
    assert runs.make_folder("uncond").name == "002"
    (runs.RUNS / "uncond" / "999").mkdir()
    last = runs.make_folder("uncond")
    assert last.name == "1000"
    (last / runs.LAST).touch()
    (runs.RUNS / "uncond" / "999" / runs.LAST).touch()
    assert runs.newest("uncond") == last


def test_the_newest_run_is_the_newest_with_the_file_needed(workplace):
    """A folder without a checkpoint is skipped; without any, the message says how to make one."""
    folder = runs.make_folder("uncond")
    with pytest.raises(ValueError, match="make train-uncond"):
        runs.newest("uncond")
    (folder / runs.LAST).touch()
    runs.make_folder("uncond")
    (runs.RUNS / "uncond" / "notes").mkdir()
    assert runs.newest("uncond") == folder
    with pytest.raises(ValueError, match="no trained uncond model"):
        runs.newest("uncond", "epoch-*.pt")


def test_two_trainings_that_start_together_get_two_folders(workplace, monkeypatch):
    """Another process takes the next number between our look and our mkdir: we take the one
    after."""
    look, taken = runs.folders, []

    def slow(kind):
        found = look(kind)
        if not taken:
            taken.append(runs.RUNS / kind / "001")
            taken[0].mkdir(parents=True)
        return found

    monkeypatch.setattr(runs, "folders", slow)
    assert runs.make_folder("uncond").name == "002"


def test_a_folder_that_is_not_empty_is_never_overwritten(workplace):
    """The message offers --resume for a run; it names what else is there."""
    (workplace / "mine").mkdir()
    assert runs.make_folder("uncond", "mine").name == "mine"
    (workplace / "mine" / "thesis.txt").touch()
    with pytest.raises(ValueError, match="not empty: it holds 'thesis.txt', but no run; delete"):
        runs.make_folder("uncond", "mine")
    (workplace / "mine" / runs.CONFIG).touch()
    with pytest.raises(ValueError, match="not empty.*--resume"):
        runs.make_folder("uncond", "mine")
    with pytest.raises(ValueError, match="not empty"):
        runs.make_folder("uncond", "mine/thesis.txt")


def test_a_log_comes_back_and_a_row_cut_by_a_kill_is_left_out(tmp_path):
    """kill -9 may end the file anywhere; complete rows stay readable."""
    runs.write_log(tmp_path, [ROW, {**ROW, "step": 20}])
    assert runs.read_log(tmp_path) == [ROW, {**ROW, "step": 20}]
    whole = (tmp_path / runs.LOG).read_text()
    last_row = whole.rindex("20,1")
    for cut in range(last_row + 1, len(whole)):
        (tmp_path / runs.LOG).write_text(whole[:cut])
        assert runs.read_log(tmp_path) == [ROW]
    assert runs.read_log(tmp_path / "nowhere") == []


@pytest.mark.parametrize("change", [
    lambda text: text,
    lambda text: "\ufeff" + text,
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text.replace(",", ";").replace(".", ","),
], ids=["as-written", "mark", "line-ends", "semicolons"])
def test_a_log_that_a_spreadsheet_saved_is_read(tmp_path, change):
    """With a byte order mark, other line ends, semicolons and decimal commas."""
    runs.write_log(tmp_path, [ROW, {**ROW, "step": 20}])
    text = (tmp_path / runs.LOG).read_text()
    (tmp_path / runs.LOG).write_bytes(change(text).encode())
    assert runs.read_log(tmp_path) == [ROW, {**ROW, "step": 20}]


@pytest.mark.parametrize("row", [
    "x,1,0.5,0.001,99.5", "10,1,0.5", "10,1,0.5,0.001,99.5,7,8", "10,1,0.5,0.001,99.5,x",
    "10,1,0.5,0.001,99.5,nan", "10,1,nan,0.001,99.5", "",
    "-1,1,0.5,0.001,99.5", "10,1,0.5,0.001,0", "1.5,1,0.5,0.001,9", "#REF!,1,1,1,1", '"10,1,1,1,1',
    "10,1,0.5,inf,99.5", "9" * 30 + ",1,1,1,1", "\0,1,1,1,1", None,
])
def test_a_log_with_a_bad_row_names_file_and_line(tmp_path, row):
    """Text, missing and further cells, impossible numbers; other columns; and the cure."""
    text = ",".join(runs.COLUMNS) + f"\n10,1,1,1,1,\n{row}\n" if row is not None else "a,b\n1,2\n"
    (tmp_path / runs.LOG).write_text(text)
    number = 1 if row is None else 3
    with pytest.raises(ValueError, match=f"metrics.csv was changed, line {number}: .*delete it"):
        runs.read_log(tmp_path)


def test_a_log_has_the_loss_on_test_images_at_the_end_of_an_epoch(tmp_path):
    """Its curve goes through those; a log of an older version has no such column."""
    rows = [ROW, {**ROW, "step": 20, "validation": 0.25}, {**ROW, "step": 40, "epoch": 2,
                                                           "validation": 0.125}]
    runs.write_log(tmp_path, rows)
    assert runs.read_log(tmp_path) == rows
    assert runs.loss_curves(rows)["test images"] == ([20, 40], [0.25, 0.125])
    old = ",".join([*runs.COLUMNS][:-1]) + "\n10,1,0.5,0.001,99.5\n"
    (tmp_path / runs.LOG).write_text(old)
    found = runs.read_log(tmp_path)
    assert len(found) == 1 and found[0].get("validation") is None
    assert len(runs.loss_curves(found)) == 2


def test_a_log_that_was_deleted_begins_again(tmp_path):
    """With its header; the rows that follow can be read."""
    for step in (10, 20):
        runs.append_log(tmp_path, {**ROW, "step": step})
    assert [r["step"] for r in runs.read_log(tmp_path)] == [10, 20]
    (tmp_path / runs.LOG).unlink()
    runs.append_log(tmp_path, {**ROW, "step": 30})
    assert [r["step"] for r in runs.read_log(tmp_path)] == [30]


def test_a_folder_is_held_by_one_training_until_its_process_ends(tmp_path):
    """Whether that ends by itself or is killed: no lock is left behind."""
    code = ("import sys, time; from pathlib import Path; from minidiff.files import runs\n"
            "with runs.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(1e4)")
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    other.stdout.readline()
    refused = pytest.raises(ValueError, match="another training is running in")
    with refused, runs.locked(tmp_path):
        pytest.fail("two hold it")
    other.kill()
    other.wait()
    for _ in range(2):
        with runs.locked(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def windows(monkeypatch):
    """No fcntl, but msvcrt, whose locks are of files, not of folders."""
    def locking(handle, mode, count):
        assert mode == 2 and count == 1 and stat.S_ISREG(os.fstat(handle).st_mode)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise PermissionError(errno.EACCES, "Permission denied") from e

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))


def test_windows_locks_a_file_beside_the_folder(tmp_path, windows, capsys):
    """A second training is refused, in another folder not; the file goes when the training ends,
    and one that a killed training left behind locks nobody out."""
    (tmp_path / "001").mkdir()
    (tmp_path / "002").mkdir()
    (tmp_path / ".001.lock").touch()
    for _ in range(2):
        with runs.locked(tmp_path / "001"), runs.locked(tmp_path / "002"):
            refused = pytest.raises(ValueError, match="another training is running in .*001; wait")
            with refused, runs.locked(tmp_path / "001"):
                pytest.fail("two hold it")
            runs.check_empty(tmp_path / "001")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["001", "002"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, None])
def test_where_nothing_can_be_locked_a_training_goes_on_with_a_note(
    tmp_path, monkeypatch, capsys, number
):
    """A drive without locks, or a system without either module: one line, and no file is left."""
    def flock(*_):
        raise OSError(number, os.strerror(number))

    if number:
        monkeypatch.setattr("fcntl.flock", flock)
    else:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", None)
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with runs.locked(tmp_path):
        done = True
    err = capsys.readouterr().err
    assert done and err.count("\n") == 1 and f"note: {tmp_path} cannot be locked here" in err
    assert not any(tmp_path.iterdir()) and not any(tmp_path.parent.glob(".*.lock"))
    assert not opened or len(os.listdir("/proc/self/fd")) == opened


def test_the_seconds_of_a_run_are_its_images_at_the_median_speed():
    """10 steps of 64 images at 50, 100, 100 and 2 images per second: a break does not count."""
    rows = [{**ROW, "images_per_second": v} for v in (50.0, 100.0, 100.0, 2.0)]
    assert runs.seconds(rows, 64) == pytest.approx(10 * 64 / 75)
    assert runs.seconds(rows[:3], 64) == pytest.approx(6.4)


def test_curves_have_every_record_and_the_mean_of_each_epoch():
    """The mean of an epoch is placed at its last step."""
    rows = [{**ROW, "step": s, "epoch": e, "loss": v}
            for s, e, v in ((1, 1, 1.0), (2, 1, 3.0), (3, 2, 0.5))]
    every, mean = runs.loss_curves(rows).values()
    assert every == ([1, 2, 3], [1.0, 3.0, 0.5])
    assert mean == ([2, 3], [2.0, 0.5])


def test_json_is_readable_and_comes_back(tmp_path):
    """Lists of numbers are on one line; text with brackets is unchanged."""
    content = {"a": [1, 2.5, "x [1,  2 ] y"], "b": {"c": [[1, 2], [3]], "d": []}, "e": ["{}", "]"]}
    runs.write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == content == runs.read_json(tmp_path / "a.json")
    assert '"c": [' in text
    runs.write_json(tmp_path / "b.json", {"loss": [0.5, 0.25]})
    assert '"loss": [0.5, 0.25]' in (tmp_path / "b.json").read_text()
    for damaged in (b"[1, 2]", b'{"a": ', b"[" * 10**5, b"\xff", b""):
        (tmp_path / "c.json").write_bytes(damaged)
        with pytest.raises(ValueError, match="c.json is damaged"):
            runs.read_json(tmp_path / "c.json")
