"""sample/measure/npz.py: files of images from anyone."""

import os
import zipfile

import numpy as np
import pytest

from sample.measure.npz import MOST, read_npz


def header(text):
    """Return the start of an array file of version 1.0 with this header."""
    text = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def claims(shape, descr="<f4"):
    return header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}")


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def test_images_and_labels_are_read(tmp_path):
    """As float32 and int64, whatever their number format; labels may be absent; other arrays, even
    of objects, are not looked at."""
    images = np.random.default_rng(0).random((3, 1, 28, 28))
    np.savez(tmp_path / "x.npz", images=images.astype(">f8"), other=np.array([None]),
             labels=np.array([1, 2, 9], np.uint8))
    x, labels = read_npz(tmp_path / "x.npz")
    assert x.dtype.is_floating_point and np.array_equal(x.numpy(), images.astype(np.float32))
    assert labels.tolist() == [1, 2, 9]
    for kind in (bool, np.uint8, np.float16):
        np.savez_compressed(tmp_path / "y.npz", images=(images > 0.5).astype(kind))
        x, labels = read_npz(tmp_path / "y.npz")
        assert np.array_equal(x.numpy(), images > 0.5) and labels is None


@pytest.mark.parametrize("content", [
    claims("(1000000000000, 1, 28, 28)"), claims(f"({MOST + 1}, 1, 28, 28)"),
    claims("(10, 1, 28000, 28000)"), claims("(-3, 1, 28, 28)"),
])
def test_a_header_that_claims_too_much_is_refused_before_anything_is_read(tmp_path, content):
    """The message has the shape, and no memory is allocated for it."""
    archive(tmp_path / "x.npz", images=content)
    with pytest.raises(ValueError, match="expected images .*at most 100,000, got "):
        read_npz(tmp_path / "x.npz")


def test_an_array_that_unpacks_to_too_much_is_refused(tmp_path):
    """A megabyte of zeros that becomes a gigabyte."""
    with (zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as file,
          file.open("images.npy", "w") as f):
        f.write(claims("(3, 1, 28, 28)"))
        for _ in range(700):
            f.write(bytes(10**6))
    with pytest.raises(ValueError, match="got .*more than .* bytes"):
        read_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [
    claims("(3, 1, 28, 28)"), claims("(3, 1, 28, 28)", "|O"), claims("3"), header("{'a': 1}"),
    header("__import__('os').system('false')"), b"", b"\x93NUMPY\x09\x00" + bytes(200),
])
def test_a_damaged_array_is_refused(tmp_path, content):
    """Cut short, of objects, without a shape, of another version."""
    archive(tmp_path / "x.npz", images=content)
    with pytest.raises(ValueError, match="no npz with `images`|expected images"):
        read_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("arrays, message", [
    ({"pictures": np.zeros((3, 1, 28, 28))}, "no npz with `images`"),
    ({"images": np.zeros((3, 28, 28))}, r"expected images \(N,1,28,28\).*got \(3, 28, 28\)"),
    ({"images": np.full((3, 1, 28, 28), 200.0)}, r"in \[0, 1\], got 200"),
    ({"images": np.zeros((3, 1, 28, 28)), "labels": np.zeros(2)}, "one label per image"),
    ({"images": np.array(["a"])}, "no npz"),
    ({"images": np.zeros((3, 1, 28, 28)), "labels": np.array([1, 2, 77])}, r"0\.\.9, got .*77"),
    ({"images": np.zeros((3, 1, 28, 28)), "labels": np.array([1, 2, 2.7])}, "integer labels"),
])
def test_an_npz_of_something_else_is_refused(tmp_path, arrays, message):
    """One sentence, with what was expected and what was found."""
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_npz(tmp_path / "x.npz")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    """A damaged one, and none."""
    (tmp_path / "x.npz").write_bytes(b"PK not really")
    with pytest.raises(ValueError, match="no npz"):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="there is no file"):
        read_npz(tmp_path / "none.npz")
    os.mkfifo(tmp_path / "pipe.npz")  # would wait for ever
    with pytest.raises(ValueError, match="there is no file"):
        read_npz(tmp_path / "pipe.npz")
