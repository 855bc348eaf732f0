"""files.py: atomic_write or not at all."""

import os

import pytest

from minidiff.files.atomic import atomic_write


def test_an_error_or_a_kill_in_the_middle_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    """Whatever breaks, before or while the bytes reach the disk, the name keeps its content."""
    path = tmp_path / "a.txt"
    with atomic_write(path, text=True) as f:
        f.write("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as f:
        f.write(b"ne")
        raise KeyboardInterrupt

    def broken(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"), atomic_write(path) as f:
        f.write(b"new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_while_it_is_written_the_old_file_is_still_there(tmp_path):
    """A reader beside us never sees half of it."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as f:
        f.write(b"new")
        f.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
