"""Prompts: a sentence becomes the sum of its words.

A network conditioned on a digit is given a one-hot vector. A sentence becomes a multi-hot one, with
a 1 for each of its words that is in the vocabulary:

    cond = Σ onehot(w), over the words w of the sentence            ""  ->  0

The first matrix of the network's FCBlock turns it into Σ W[:, w], a learned vector for each word,
added up. No new network is needed. Word order is lost, but in captions of doodles it never matters.

Case, punctuation and small words ("a", "of", "wearing") are ignored. A word outside the vocabulary
has no effect, so a note names it; a prompt without any known word is an error. In training,
drop_words hides words at random, so that a model can follow short prompts as well as long ones, and
varies whatever a prompt leaves out.

A vocabulary of digits is the special case of labels: a prompt is one of its words or "". Names of
classes and captions of a data set of one's own make a vocabulary too (`learned`).

Exercises
1. A "puppy" is a dog. Where do you add that, and must a model be trained again?
   test_prompts.py: test_synonyms_share_a_column
2. Drop all words of a sentence together or none. Which test notices?
   test_prompts.py: test_words_are_dropped_at_their_rate_by_the_generator_alone
"""

import re
import sys
from collections import Counter
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
        """Whether a prompt is a single label: true if no word has a letter, as for digits."""
        return not any(c.isalpha() for word in self.words for c in word)

    def embed(self, prompts: list[str]) -> torch.Tensor:
        """Return the multi-hot vectors of prompts, float32 (len(prompts), len(words)).

        Unknown words are named in one note on stderr. Raises ValueError for a prompt none of whose
        words is known, or for an unknown label.
        """
        cond, unknown = torch.zeros(len(prompts), len(self.words)), {}
        column = {word: k for k, word in enumerate(self.words)}
        for row, prompt in zip(cond, prompts):
            words = self.split(prompt)
            known = [column[word] for word in words if word in column]
            if words and not known:
                raise ValueError(self._message(prompt))
            row[known] = 1
            unknown.update((word, None) for word in words if word not in column)
        if unknown:
            names = ", ".join(repr(word) for word in unknown)
            print(f"note: this model does not know {names}; ignored", file=sys.stderr)
        return cond

    def split(self, prompt):
        """Return the words of a prompt, a list, without small ones, synonyms replaced by known
        words."""
        if self.labels:
            return [prompt.strip()] if prompt.strip() else []
        words = [word if word in self.words else SYNONYMS.get(word, word)
                 for word in re.findall(r"\w+", prompt.lower())]
        said = [word for word in words if word not in SMALL or word in self.words]
        return said or words            # a prompt of small words only should be an error

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


def learned(texts, most=500) -> Vocabulary:
    """Return the vocabulary of a data set: the `most` frequent words of its texts, in alphabetical
    order. A small word counts only in a text that has no others, such as the letter "A". Texts
    without any letter, such as numbers, are labels: each is a word as it is."""
    counts = Counter()
    for text, times in Counter(texts).items():
        words = re.findall(r"\w+", text.lower())
        words = [word for word in words if word not in SMALL] or words
        counts.update({word: times for word in words if len(word) <= 100})
    if not Vocabulary(tuple(texts)).labels:
        return Vocabulary(tuple(sorted(sorted(counts, key=lambda w: (-counts[w], w))[:most])))
    labels = {text.strip() for text in texts} - {""}
    return Vocabulary(tuple(sorted(labels, key=lambda text: (len(text), text))))


def drop_words(cond: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Drop each word of each sentence with probability p: cond · m, m ~ Bernoulli(1 − p).

    cond: float (N, words). generator: source of the random numbers, on any device.
    Returns a new tensor like cond. Raises ValueError for a p outside 0..1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie in 0..1, got {p}")
    keep = torch.rand(cond.shape, generator=generator, device=generator.device) >= p
    return cond * keep.to(cond.device)
