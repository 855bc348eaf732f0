"""embeddings.py: a dictionary, then the disk, then the encoder, which is asked once."""

import pytest
import torch

from minidiff.models.deepfloyd.embeddings import Embeddings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty place to keep embeddings."""
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Encoder:
    """Says a prompt's length in all its numbers, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, prompts):
        self.asked.append(prompts)
        return torch.stack([torch.full((77, 4), float(len(p))) for p in prompts]).half()


def test_the_encoder_is_asked_once_for_all_that_is_new():
    """Twice the same prompt is one; the answer is in the prompts' order, float32."""
    encoder = Encoder()
    texts = Embeddings(encoder, "T5")
    found = texts(["a dog", "a dog", "rocket"])
    assert encoder.asked == [["a dog", "rocket", ""]]  # the null prompt along with them
    assert found[:, 0, 0].tolist() == [5, 5, 6] and found.dtype == torch.float32
    assert found.shape == (3, 77, 4)
    texts(["rocket", ""])
    assert len(encoder.asked) == 1


def test_another_process_reads_them_from_disk():
    """A new object with the same encoder does not ask again; one with another encoder does."""
    encoder = Encoder()
    first = Embeddings(encoder, "T5")(["a dog"])
    assert torch.equal(Embeddings(encoder, "T5")(["a dog"]), first) and len(encoder.asked) == 1
    Embeddings(encoder, "another")(["a dog"])
    assert len(encoder.asked) == 2


def test_a_broken_file_is_made_again(cache):
    """A file that was cut short counts as missing."""
    encoder = Encoder()
    first = Embeddings(encoder, "T5")(["a dog"])
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert torch.equal(Embeddings(encoder, "T5")(["a dog"]), first) and len(encoder.asked) == 2
    Embeddings(encoder, "T5")(["a dog"])
    assert len(encoder.asked) == 2


def test_a_dictionary_spares_the_encoder(tmp_path):
    """(1,77,C) as the course hands it out; for another prompt one is told which there are."""
    file = tmp_path / "prompts.pth"
    torch.save({"": torch.zeros(1, 77, 4).half(), "a dog": torch.ones(1, 77, 4).half()}, file)
    encoder = Encoder()
    texts = Embeddings(encoder, "T5", str(file))
    assert texts(["a dog", ""])[:, 0, 0].tolist() == [1, 0]
    with pytest.raises(ValueError, match="'a cat' is not in .*prompts.pth, which knows: '', 'a "):
        texts(["a cat"])
    assert encoder.asked == []


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path, monkeypatch, capsys):
    """What the encoder said is used, and one is told which variable to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "file"))
    assert Embeddings(Encoder(), "T5")(["a dog"])[0, 0, 0] == 5
    assert "cannot be kept" in (told := capsys.readouterr().err) and "MINIDIFF_CACHE" in told


@pytest.mark.parametrize("wrong", [(1, 20, 4), (2, 77, 4), (1, 77, 8), (4,)])
def test_embeddings_of_another_shape_are_refused(tmp_path, wrong):
    """Each must be (1,77,C), with one C; the prompt is named."""
    file = tmp_path / "prompts.pth"
    torch.save({"": torch.zeros(1, 77, 4), "a dog": torch.zeros(wrong)}, file)
    with pytest.raises(ValueError, match="for 'a dog': wanted"):
        Embeddings(Encoder(), "T5", str(file))


@pytest.mark.parametrize("content", [b"not a file of torch", None, {"a dog": "a string"}, [1, 2]])
def test_what_is_no_dictionary_is_refused(tmp_path, content):
    """In one sentence: another kind of file, none at all, other values, another type."""
    file = tmp_path / "prompts.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ValueError, match="no file of embeddings|holds no embeddings"):
        Embeddings(Encoder(), "T5", str(file))
