"""A cache of text-encoder outputs.

DeepFloyd's text encoder, T5, is five times as large as the network that predicts the noise. It maps
a prompt to 77 vectors, always the same, and is not needed after that. So an embedding is looked up
in a dictionary given by the user, prompt -> (1,77,4096), such as the course hands out; then on
disk, where each prompt has a file, named by a hash of prompt and encoder. Only then is the encoder
run, once for all new prompts and for the null prompt "". With a dictionary it is never run: there
may be no memory for T5.
"""

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import torch

from minidiff.files import checkpoint, validate


class Embeddings:
    """Maps prompts to embeddings.

    encode: list of prompts -> float (N,77,channels), the text encoder. identity: a str that differs
    between text encoders. file: a dictionary of embeddings, "" for none. Raises ValueError for a
    file that is something else.
    """

    def __init__(self, encode, identity, file=""):
        self.encode, self.identity, self.file = encode, identity, file
        self.known = _read_dictionary(file) if file else {}

    def __call__(self, prompts):
        """Return float32 (len(prompts), 77, channels) on the CPU. Raises ValueError for a prompt
        that is not in the file."""
        new = [p for p in dict.fromkeys(prompts) if p not in self.known]
        if new and self.file:
            null = " (the null prompt, which guidance needs)" if new[0] == "" else ""
            raise ValueError(
                f"the prompt {new[0]!r}{null} is not in {self.file}, which has: "
                f"{', '.join(map(repr, self.known))}; use one of these, or leave out --embeddings"
            )
        if [p for p in new if not self._cached(p)]:
            self._encode([p for p in dict.fromkeys([*new, ""]) if not self._cached(p)])
        if len({self.known[p].shape for p in prompts}) > 1:  # a file of another encoder's
            self._encode(list(dict.fromkeys(prompts)))
        return torch.stack([self.known[p] for p in prompts])

    def _encode(self, prompts):
        """Encode prompts and write the results to disk, if possible."""
        for prompt, embedding in zip(prompts, self.encode(prompts)):
            self.known[prompt] = embedding.float()
            try:
                file = self._path(prompt)
                file.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.write(file, embedding.clone())
            except OSError as e:
                print(f"note: embeddings cannot be saved in {file.parent} ({e.strerror}); set "
                      "MINIDIFF_CACHE to a folder that can be written", file=sys.stderr)

    def _path(self, prompt):
        """Return the file of a prompt's embedding."""
        folder = Path(os.environ.get("MINIDIFF_CACHE") or Path.home() / ".cache" / "minidiff")
        name = hashlib.sha256(repr((self.identity, prompt)).encode()).hexdigest()[:32]
        return folder / f"{name}.pt"

    def _cached(self, prompt):
        """Return whether a prompt's embedding is known; if it is on disk, read and check it."""
        if prompt in self.known:
            return True
        try:
            found = _read(self._path(prompt))
        except Exception:  # missing or damaged: it is encoded again
            return False
        if not _is_embedding(found) or found.dim() != 2:
            return False
        self.known[prompt] = found.float()
        return True


def _read(file):
    """Return what torch.load reads in a file whose checksums, if it has any, are right."""
    if not os.path.isfile(file) or zipfile.is_zipfile(file) and validate.flaw_of_zip(file):
        raise ValueError(f"{file} is missing or damaged")
    return torch.load(file, map_location="cpu", weights_only=True)


def _is_embedding(e):
    """Return whether e is finite, float (77,channels) or (1,77,channels)."""
    return (validate.dense(e) and e.dim() in (2, 3) and e.shape[:-1] in ((77,), (1, 77))
            and e.shape[-1] > 0 and bool(torch.isfinite(e.float()).all()))


def _read_dictionary(file):
    """Read {prompt: (1,77,channels)} as {prompt: (77,channels)}, float32."""
    file = os.path.expanduser(file)
    if not os.path.isfile(file):
        raise ValueError(f"there is no file of embeddings {file}; name one, or leave it out")
    expected = "expected a .pth dictionary, prompt to tensor (1,77,4096) of finite numbers"
    try:
        found = _read(file)
        shapes = {str(p): tuple(e.shape) for p, e in found.items()}
    except Exception as e:  # a file that is something else can raise any error
        raise ValueError(f"{file} holds no embeddings: {expected}") from e
    for prompt, e in found.items():
        if not _is_embedding(e) or e.shape[-1:] != next(iter(shapes.values()))[-1:]:
            raise ValueError(f"{file} holds {e.dtype} {tuple(e.shape)} for {prompt!r:.40}: "
                             f"{expected}, all alike")
    return {str(p): e.reshape(77, -1).float() for p, e in found.items()}
