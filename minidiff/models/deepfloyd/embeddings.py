"""What a language model said of a sentence, so that it need not be loaded to say it again.

DeepFloyd's text encoder is five times as large as the network that draws. It turns a prompt into a
few vectors, always the same, and then is in the way. So an embedding is looked for in three places:
in a dictionary that was given, prompt -> (1,77,4096), as the course hands one out; on disk, where
each prompt has a file, named by a sum over the prompt and the encoder; and only then is the encoder
asked, once for all prompts that are new, and for the null prompt "" along with them.

With a dictionary the encoder is never asked: who brings one may have no room for T5 at all.

Next: deepfloyd.py
"""

import hashlib
import os
import sys
from pathlib import Path

import torch

from minidiff.files.atomic import atomic_write


class Embeddings:
    """Prompts become embeddings.

    encode: list of prompts -> float (N,77,channels), the last resort. identity: str, another one
    for each text encoder. file: of ready embeddings, "" for none. Raises ValueError for a file that
    is something else.
    """

    def __init__(self, encode, identity, file=""):
        self.encode, self.identity, self.file = encode, identity, file
        self.known = _dictionary(file) if file else {}

    def __call__(self, prompts):
        """Return float32 (len(prompts), 77, channels) on the CPU. Raises ValueError for a prompt
        that is not in the file."""
        new = [p for p in dict.fromkeys(prompts) if p not in self.known]
        if new and self.file:
            null = " (the null prompt, which guidance needs)" if new[0] == "" else ""
            raise ValueError(
                f"the prompt {new[0]!r}{null} is not in {self.file}, which knows: "
                f"{', '.join(map(repr, self.known))}; take one of these, or leave out --embeddings"
            )
        if [p for p in new if not self._kept(p)]:
            self._ask([p for p in dict.fromkeys([*new, ""]) if not self._kept(p)])
        return torch.stack([self.known[p] for p in prompts])

    def _ask(self, prompts):
        """Ask the encoder and keep what it says; where that cannot be kept, go on without."""
        for prompt, embedding in zip(prompts, self.encode(prompts)):
            self.known[prompt] = embedding.float()
            try:
                file = self._place(prompt)
                file.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(file) as f:
                    torch.save(embedding.clone(), f)
            except OSError as e:
                print(f"note: embeddings cannot be kept in {file.parent} ({e.strerror}); set "
                      "MINIDIFF_CACHE to a folder that can be written", file=sys.stderr)

    def _place(self, prompt):
        """Return the file that keeps a prompt's embedding."""
        folder = Path(os.environ.get("MINIDIFF_CACHE") or Path.home() / ".cache" / "minidiff")
        name = hashlib.sha256(repr((self.identity, prompt)).encode()).hexdigest()[:32]
        return folder / f"{name}.pt"

    def _kept(self, prompt):
        """Take a prompt's embedding from disk, unless it is known; tell whether it is now."""
        try:
            if prompt not in self.known:
                self.known[prompt] = torch.load(self._place(prompt), weights_only=True).float()
        except Exception:  # missing or broken: the encoder says it again
            return False
        return True


def _dictionary(file):
    """Read {prompt: (1,77,channels)} as {prompt: (77,channels)}, float32."""
    if not Path(file).is_file():
        raise ValueError(f"there is no file of embeddings {file}; name one, or leave it out")
    wanted = "wanted a .pth dictionary, prompt to tensor (1,77,4096)"
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        shapes = {str(p): tuple(e.shape) for p, e in found.items()}
    except Exception as e:  # any error can come out of a file that is something else
        raise ValueError(f"{file} holds no embeddings: {wanted}") from e
    for prompt, shape in shapes.items():
        if shape[:-1] not in ((1, 77), (77,)) or shape[-1:] != next(iter(shapes.values()))[-1:]:
            raise ValueError(f"{file} holds {shape} for {prompt!r}: {wanted}, all alike")
    return {str(p): e.reshape(77, -1).float() for p, e in found.items()}
