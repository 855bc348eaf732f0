"""models/deepfloyd/embeddings.py: a dictionary, then the disk, then the encoder, run once."""

import pytest
import torch

from minidiff.models.deepfloyd.embeddings import Embeddings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty folder for embeddings."""
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Encoder:
    """Encodes a prompt as its length, and records its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, prompts):
        self.calls.append(prompts)
        return torch.stack([torch.full((77, 4), float(len(p))) for p in prompts]).half()


def test_the_encoder_runs_once_for_all_new_prompts():
    """A repeated prompt is encoded once; the result is in the prompts' order, float32."""
    encoder = Encoder()
    texts = Embeddings(encoder, "T5")
    found = texts(["a dog", "a dog", "rocket"])
    assert encoder.calls == [["a dog", "rocket", ""]]  # the null prompt is encoded with them
    assert found[:, 0, 0].tolist() == [5, 5, 6] and found.dtype == torch.float32
    assert found.shape == (3, 77, 4)
    texts(["rocket", ""])
    assert len(encoder.calls) == 1


def test_another_process_reads_them_from_disk():
    """A new object with the same encoder does not run it again; one with another encoder does."""
    encoder = Encoder()
    first = Embeddings(encoder, "T5")(["a dog"])
    assert torch.equal(Embeddings(encoder, "T5")(["a dog"]), first) and len(encoder.calls) == 1
    Embeddings(encoder, "another")(["a dog"])
    assert len(encoder.calls) == 2


def test_a_damaged_file_is_made_again(cache):
    """A truncated file counts as missing."""
    encoder = Encoder()
    first = Embeddings(encoder, "T5")(["a dog"])
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert torch.equal(Embeddings(encoder, "T5")(["a dog"]), first) and len(encoder.calls) == 2
    Embeddings(encoder, "T5")(["a dog"])
    assert len(encoder.calls) == 2


def test_with_a_dictionary_the_encoder_never_runs(tmp_path):
    """It has (1,77,C) for each prompt, as the course hands it out; for another prompt the message
    lists those it has."""
    file = tmp_path / "prompts.pth"
    torch.save({"": torch.zeros(1, 77, 4).half(), "a dog": torch.ones(1, 77, 4).half()}, file)
    encoder = Encoder()
    texts = Embeddings(encoder, "T5", str(file))
    assert texts(["a dog", ""])[:, 0, 0].tolist() == [1, 0]
    with pytest.raises(ValueError, match="'a cat' is not in .*prompts.pth, which has: '', 'a "):
        texts(["a cat"])
    assert encoder.calls == []


def test_a_cache_that_cannot_be_written_does_not_stop_the_work(tmp_path, monkeypatch, capsys):
    """The embedding is used, and a note names the variable to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIDIFF_CACHE", str(tmp_path / "file"))
    assert Embeddings(Encoder(), "T5")(["a dog"])[0, 0, 0] == 5
    note = capsys.readouterr().err
    assert "cannot be saved" in note and "MINIDIFF_CACHE" in note


@pytest.mark.parametrize("wrong", [(1, 20, 4), (2, 77, 4), (1, 77, 8), (4,)])
def test_embeddings_of_another_shape_are_refused(tmp_path, wrong):
    """Each must be (1,77,C), with one C; the prompt is named."""
    file = tmp_path / "prompts.pth"
    torch.save({"": torch.zeros(1, 77, 4), "a dog": torch.zeros(wrong)}, file)
    with pytest.raises(ValueError, match="for 'a dog': expected"):
        Embeddings(Encoder(), "T5", str(file))


@pytest.mark.parametrize("content", [b"not a file of torch", None, {"a dog": "a string"}, [1, 2]])
def test_a_file_that_is_no_dictionary_is_refused(tmp_path, content):
    """In one sentence: another kind of file, none at all, other values, another type."""
    file = tmp_path / "prompts.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ValueError, match="no file of embeddings|holds no embeddings"):
        Embeddings(Encoder(), "T5", str(file))


FLAWS = {
    "nan": lambda e: e * float("nan"), "sparse": lambda e: e.to_sparse(), "text": lambda e: "a dog",
    "integers": lambda e: e.int(), "complex": lambda e: e.to(torch.complex64),
    "short": lambda e: e[:20], "batch": lambda e: e[None, None], "empty": lambda e: e[:, :0],
    "channels": lambda e: torch.cat([e, e], 1), "list": lambda e: [e],
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_cached_embedding_that_cannot_be_one_is_made_again(cache, flaw):
    """Another shape, not a number, another kind of tensor: as if the file were not there."""
    encoder, prompts = Encoder(), ["a dog", ""]
    first = Embeddings(encoder, "T5")(prompts)
    file = Embeddings(encoder, "T5")._path("a dog")
    torch.save(FLAWS[flaw](torch.load(file)), file)
    assert torch.equal(Embeddings(encoder, "T5")(prompts), first) and len(encoder.calls) == 2
    assert torch.equal(Embeddings(encoder, "T5")(prompts), first) and len(encoder.calls) == 2


def test_a_cached_embedding_with_a_flipped_bit_is_made_again(cache):
    """The file's checksum does not fit."""
    encoder = Encoder()
    first = Embeddings(encoder, "T5")(["a dog"])
    file = Embeddings(encoder, "T5")._path("a dog")
    whole = bytearray(file.read_bytes())
    whole[whole.index(first[0, 0, :1].half().numpy().tobytes() * 4)] ^= 1
    file.write_bytes(whole)
    assert torch.equal(Embeddings(encoder, "T5")(["a dog"]), first) and len(encoder.calls) == 2


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_dictionary_with_a_flaw_is_refused(tmp_path, flaw):
    """The file is named, and what it should hold."""
    file, e = tmp_path / "prompts.pth", torch.ones(77, 4)
    if flaw == "channels":
        torch.save({"": e, "a dog": FLAWS[flaw](e)}, file)
    else:
        torch.save({"": FLAWS[flaw](e), "a dog": e}, file)
    with pytest.raises(ValueError, match=r"prompts.pth holds .*expected a .pth dictionary"):
        Embeddings(Encoder(), "T5", str(file))
