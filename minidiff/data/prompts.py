"""Prompts: from words to the vectors that condition a network.

A model knows a vocabulary, a list of words. The condition of a prompt is the sum of its words'
one-hot vectors; the null prompt "" is the zero vector, which means "no condition". The digit models
know ten words, "0" to "9".
"""

from dataclasses import dataclass

import torch

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Vocabulary:
    """The words a model was trained with; a word's index is its place in the condition."""

    words: tuple[str, ...]

    def embed(self, prompts: list[str], device="cpu"):
        """Return the conditions of prompts, float32 (len(prompts), len(words)), zeros for "".

        Raises ValueError for a word that is not known.
        """
        cond = torch.zeros(len(prompts), len(self.words))
        for row, prompt in zip(cond, prompts):
            for word in prompt.split() or [prompt][: prompt != ""]:
                if word not in self.words:
                    known = " ".join(repr(p) for p in ("", *self.words))
                    raise ValueError(f"unknown prompt {prompt!r}; this model knows: {known}")
                row[self.words.index(word)] = 1
        return cond.to(device)
