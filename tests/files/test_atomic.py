"""atomic.py: a file is written completely or not at all."""

import os

import pytest

from minidiff.files.atomic import atomic_write


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """Whatever fails, before or while the bytes reach the disk, the file keeps its content."""
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
    """Another process never reads half of the new one."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as f:
        f.write(b"new")
        f.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_text_is_utf_8_with_newlines_as_written(tmp_path):
    """On every system the same bytes."""
    with atomic_write(tmp_path / "a.txt", text=True) as f:
        f.write("γ\r\nβ\n")
    assert (tmp_path / "a.txt").read_bytes() == "γ\r\nβ\n".encode()
