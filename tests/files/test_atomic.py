"""atomic.py: a file is written completely or not at all."""

import errno
import os
import stat
import subprocess
import sys
import threading

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


def test_a_symbolic_link_stays_one(tmp_path):
    """Its target gets the content, whether there is one yet or not."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/a.txt")
    for content in (b"new", b"newer"):
        with atomic_write(tmp_path / "link") as f:
            f.write(content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "a.txt").read_bytes() == content
    assert os.listdir(tmp_path / "there") == ["a.txt"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_permissions_stay(tmp_path, mode):
    """A file that only its owner may read is not opened to others, not even while it is written."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    with atomic_write(path) as f:
        f.write(b"secret")
        parts = [p for p in tmp_path.iterdir() if p != path]
        assert [stat.S_IMODE(p.stat().st_mode) for p in parts] == [mode]
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_text() == "secret"


@pytest.mark.parametrize("text", [False, True])
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path, text):
    """Only when the block has ended without an error."""
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    with pytest.raises(KeyboardInterrupt), atomic_write(path):
        raise KeyboardInterrupt
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    with atomic_write(path, text) as f:
        f.write("γ\n" if text else "γ\n".encode())
        f.seek(0)  # as some formats do
    reader.join()
    assert read == ["γ\n".encode()] and stat.S_ISFIFO(path.stat().st_mode)


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    """A name that is too long, a loop of links, a folder, a folder that does not exist."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    for name, number in (("x" * 256, errno.ENAMETOOLONG), ("loop", errno.ELOOP),
                         ("folder", errno.EISDIR), ("none/a.txt", errno.ENOENT)):
        with pytest.raises(OSError) as found, atomic_write(tmp_path / name):
            pytest.fail("the work was done")
        assert found.value.errno == number and found.value.filename
    with atomic_write(tmp_path / ("x" * 255)) as f:
        f.write(b"long")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"long"


def test_temporary_files_of_dead_processes_are_removed(tmp_path):
    """Not those of processes that may still write, nor anybody else's."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [f"a.txt.{os.getppid()}.part", f"b.txt.{dead.pid}.part", "a.txt.old.part", "a.txt"]
    for name in [f"a.txt.{dead.pid}.part", *kept]:
        (tmp_path / name).touch()
    with atomic_write(tmp_path / "a.txt") as f:
        f.write(b"new")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_full_disk_names_the_file(tmp_path):
    """The system's error for a write names none."""
    with pytest.raises(OSError, match="a.txt"), atomic_write(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert os.listdir(tmp_path) == []


def test_a_quoted_tilde_is_the_home_folder(tmp_path, monkeypatch):
    """As in a configuration file, where no shell expands it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with atomic_write("~/a.txt") as f:
        f.write(b"home")
    assert (tmp_path / "a.txt").read_bytes() == b"home"
