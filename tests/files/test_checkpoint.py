"""checkpoint.py: written completely or not at all; read without trusting the file."""

import os
import pickle

import pytest
import torch

from minidiff.files import checkpoint
from minidiff.network import registry
from minidiff.network.unet import UNet


def content(network=None, **more):
    network = network or UNet(4, time=True)
    return {
        "kind": "uncond", "network": {"width": 4, "time": True}, "weights": network.state_dict(),
        "config": {"T": 300}, "dataset": "mnist", "epoch": 3, "step": 9, **more,
    }


def test_a_network_comes_back_bit_for_bit_from_its_file_alone(tmp_path):
    """Running statistics included: same input, same output, in eval mode."""
    network = UNet(4, time=True)
    x, t = torch.randn(3, 1, 28, 28), torch.rand(3)
    network(x, t)  # moves the running statistics
    checkpoint.save(tmp_path / "a.pt", content(network))
    found = registry.rebuild(checkpoint.load(tmp_path / "a.pt"))
    assert not found.training
    assert torch.equal(found(x, t), network.eval()(x, t))


def test_all_values_come_back_and_the_format_is_recorded(tmp_path):
    """What was saved, and "minidiff", the format's version; the summary names the model."""
    saved = content(model={"words": ["0", "1"], "data_range": [0.0, 1.0]}, device="cpu")
    checkpoint.save(tmp_path / "a.pt", saved)
    found = checkpoint.load(tmp_path / "a.pt")
    weights = found.pop("weights")
    assert all(torch.equal(weights[k], v) for k, v in saved.pop("weights").items())
    assert found == {"minidiff": checkpoint.VERSION, **saved}
    assert checkpoint.summary(found) == "uncond (D=4), mnist, epoch 3"


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    """Killed before the bytes are on the disk, the file is still the old, complete checkpoint."""
    path = tmp_path / "a.pt"
    checkpoint.save(path, content(epoch=1))

    def killed(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, content(epoch=2))
    assert checkpoint.load(path)["epoch"] == 1


@pytest.mark.parametrize("error", [RuntimeError("unexpected pos"), OSError(28, "No space left")])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch, error):
    """torch reports a failed write in two ways, depending on where it happens."""
    path = tmp_path / "a.pt"
    checkpoint.save(path, content(epoch=1))

    def full(content, f):
        f.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="a.pt"):
        checkpoint.save(path, content(epoch=2))
    assert checkpoint.load(path)["epoch"] == 1 and os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: os.symlink(p, p)],
                         ids=["pipe", "folder", "loop"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, make):
    """A pipe is not waited for."""
    make(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "a.pt")


class Evil:
    """A pickle that runs code when it is read."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_code_in_a_file_is_never_run(tmp_path, monkeypatch):
    """weights_only: a malicious pickle is rejected and does nothing; otherwise its code runs."""
    monkeypatch.chdir(tmp_path)
    torch.save({"minidiff": 1, "evil": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "pwned").exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert (tmp_path / "pwned").exists()


def test_every_bad_file_gets_its_own_sentence(tmp_path):
    """Missing, foreign, truncated, of a later version, incomplete."""
    good = tmp_path / "good.pt"
    checkpoint.save(good, content())
    whole = good.read_bytes()
    for length in (0, 10, 1000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="truncated or was not written by minidiff"):
            checkpoint.load(tmp_path / "cut.pt")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps({"a": 1}))
    for name in ("text.pt", "pickle.pt"):
        with pytest.raises(ValueError, match="minidiff"):
            checkpoint.load(tmp_path / name)
    torch.save({"model": torch.zeros(2)}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match="another program"):
        checkpoint.load(tmp_path / "foreign.pt")
    torch.save({**content(), "minidiff": 99}, tmp_path / "newer.pt")
    with pytest.raises(ValueError, match="format 99.*update"):
        checkpoint.load(tmp_path / "newer.pt")
    torch.save({"minidiff": 1, "kind": "uncond"}, tmp_path / "partial.pt")
    with pytest.raises(ValueError, match="lacks .*weights"):
        checkpoint.load(tmp_path / "partial.pt")
    with pytest.raises(ValueError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "nowhere.pt")
    for network in ({"width": 5, "time": True}, None):
        with pytest.raises(ValueError, match="do not fit"):
            registry.rebuild({**content(), "network": network})
