"""Prompts: a sentence becomes the sum of its words.

A network conditioned on a digit gets a one-hot vector. A sentence gets a multi-hot one, with a 1
for each of its words that the vocabulary knows:

    cond = Σ over the words w of the sentence of onehot(w)            ""  ->  0

The first matrix of the network's FCBlock turns it into Σ W[:, w], a learned vector for each word,
added up. No new network is needed; order is lost, and the doodles are such that it never matters.

Case, punctuation and small words ("a", "of", "wearing") say nothing and are ignored. A word that
no one taught the model is named in a note, since it has no effect; a prompt of which no word is
known is an error. In training drop_words hides words at random, so that a model knows a short
prompt as well as a long one, and leaves free what a prompt does not say.

A vocabulary of digits is the special case of labels: a prompt is one of its words or "".

Exercise: a "puppy" is a dog. Where do you say so, and must a model be trained again?
   test_prompts.py: test_synonyms_share_a_column
Next: doodles/chance.py
"""

import re
import sys
from dataclasses import dataclass

import torch

GROUPS = {
    "subjects": (
        "man", "hat", "hipster", "barista", "old", "dog", "skull", "eye", "cpu", "pencil", "rocket",
        "ship", "snowy", "mountain", "village", "amalfi", "coast", "waterfalls", "people",
        "campfire",
    ),
    "media": ("photo", "oil", "painting", "lithograph", "high", "quality"),
    "attributes": (
        "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
        "day", "sunset", "night", "shirt", "apron", "houses",
    ),
}
SYNONYMS = {
    "cost": "coast", "photograph": "photo", "waterfall": "waterfalls", "puppy": "dog",
    "spaceship": "rocket", "chip": "cpu", "processor": "cpu", "house": "houses", "violet": "purple",
}
SMALL = frozenset((
    "a", "an", "and", "around", "at", "by", "in", "is", "of", "on", "the", "this", "to", "wearing",
    "who", "with",
))


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows, one column of `cond` each."""

    words: tuple[str, ...]

    @property
    def labels(self) -> bool:
        """Whether a prompt is one word: so it is where no word has a letter, as for digits."""
        return not any(word.isalpha() for word in self.words)

    def embed(self, prompts: list[str]) -> torch.Tensor:
        """Return the multi-hot vectors of prompts, float32 (len(prompts), len(words)).

        Words that are not known are named in one note on stderr. Raises ValueError for a prompt
        with words of which none is known, or for an unknown label.
        """
        cond, unknown = torch.zeros(len(prompts), len(self.words)), {}
        column = {word: k for k, word in enumerate(self.words)}
        for row, prompt in zip(cond, prompts):
            words = self._split(prompt)
            known = [column[word] for word in words if word in column]
            if words and not known:
                raise ValueError(self._message(prompt))
            row[known] = 1
            unknown.update((word, None) for word in words if word not in column)
        if unknown:
            names = ", ".join(repr(word) for word in unknown)
            print(f"note: this model does not know {names}; ignored", file=sys.stderr)
        return cond

    def _split(self, prompt):
        """Return the words of a prompt that say something, as the vocabulary spells them."""
        if self.labels:
            return [prompt.strip()] if prompt.strip() else []
        words = re.findall(r"\w+", prompt.lower())
        words = [word if word in self.words else SYNONYMS.get(word, word) for word in words]
        said = [word for word in words if word not in SMALL]
        return said or words            # of "the" alone nothing is known, which is worth an error

    def _message(self, prompt):
        if self.labels:
            known = " ".join(repr(word) for word in ("", *self.words))
            return f"unknown prompt {prompt!r}; this model knows: {known}"
        groups = [(name, [word for word in words if word in self.words])
                  for name, words in GROUPS.items()]
        grouped = {word for _, words in groups for word in words}
        groups.append(("others", [word for word in self.words if word not in grouped]))
        known = "; ".join(f"{name}: {' '.join(words)}" for name, words in groups if words)
        return f"no word of {prompt!r} is known; this model knows {known}"


DOODLES = Vocabulary(tuple(word for group in GROUPS.values() for word in group))
DIGITS = Vocabulary(tuple("0123456789"))


def drop_words(cond: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Drop each word of each sentence with probability p: cond · m, m ~ Bernoulli(1 − p).

    cond: float (N, words). generator: where the random numbers come from, on any device.
    Returns a new tensor like cond. Raises ValueError for a p outside 0..1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"got p = {p}, wanted a probability, 0..1")
    keep = torch.rand(cond.shape, generator=generator, device=generator.device) >= p
    return cond * keep.to(cond.device)
