"""A data set as one uint8 tensor, and batches cut from it.

MNIST is 60,000 images of 28 x 28 bytes: 47 MB, which fits on any device. A batch is a slice of a
random permutation and one indexing operation: no worker processes, no copy to the GPU at each step.
Which sets there are, and where they come from: catalog.py.

Images are float32 in [0, 1] once they are in a batch, 0 = black background, 1 = white ink.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from minidiff.data.prompts import DIGITS

RENEW = 3  # epochs after which an endless set is drawn anew


@dataclass(frozen=True)
class Dataset:
    """Images, and what each shows.

    name: which set this really is. images: uint8 (N,C,H,W), digits (N,1,28,28). labels: int64 (N,),
    each an index into `words`; of sentences, conditions, uint8 (N,words). words: the vocabulary of
    its prompts. captions: N sentences, if they are more than a word. questions: {name: possible
    answers}, what a judge is asked about an image. answers: int64 (N, questions), -1 where there is
    none; default: the labels.
    """

    name: str
    images: torch.Tensor
    labels: torch.Tensor
    words: tuple[str, ...] = DIGITS.words
    captions: list[str] | None = None
    questions: dict[str, tuple[str, ...]] | None = None
    answers: torch.Tensor | None = None
    renewed: Callable | None = None  # of an endless set: number -> another part of it
    flips: bool = False  # whether batches mirror half of the images

    def __post_init__(self):
        if isinstance(self.images, torch.Tensor) and self.images.dtype != torch.uint8:
            raise ValueError(f"a Dataset needs images of type uint8, 0..255, got "
                             f"{self.images.dtype}; for x in [0, 1]: (255 * x).round().byte()")

    def __len__(self):
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its images."""
        return tuple(self.images.shape[1:])

    @property
    def data_range(self) -> tuple[float, float]:
        """The range in which a model gets them: 0..1 for grey images, -1..1 for colour."""
        return (0.0, 1.0) if self.shape[0] == 1 else (-1.0, 1.0)

    def to(self, device) -> "Dataset":
        """Return the same set on `device`."""
        moved = {name: None if (value := getattr(self, name)) is None else value.to(device)
                 for name in ("images", "labels", "answers")}
        return replace(self, **moved)

    def at(self, epoch: int) -> "Dataset":
        """Return the set for an epoch, 0, 1, ...: itself or, if endless, a part that changes every
        RENEW epochs and is always the same for a given epoch."""
        if not self.renewed:
            return self
        return replace(self.renewed(epoch // RENEW).to(self.images.device), flips=self.flips)

    def judged(self) -> "Dataset":
        """Return the set to train a judge on: its labels are the answers, int64 (N, questions)."""
        answers = self.labels.view(len(self), -1) if self.answers is None else self.answers
        renewed = self.renewed and (lambda k: self.renewed(k).judged())
        questions = self.questions or {"digit": self.words}
        return replace(self, labels=answers, answers=answers, renewed=renewed, questions=questions)

    def prompts_at(self, index) -> list[str]:
        """Return the prompt of each image at `index`, int64 (B,)."""
        if self.captions:
            return [self.captions[k] for k in index.tolist()]
        return [self.words[k] if self.words else "" for k in self.labels[index].tolist()]

    def images_at(self, index) -> torch.Tensor:
        """Return the images at `index`, int64 (B,) or a slice, as float32 in [0, 1]."""
        return self.images[index].float() / 255


def batches(dataset: Dataset, batch_size: int, generator: torch.Generator):
    """Yield batches (x_0, labels), once over the set in random order; the last may be smaller.

    x_0: float32 (B,1,28,28) in [0, 1]. labels: int64 (B,). generator: decides the order, and which
    images are mirrored.
    """
    order = torch.randperm(len(dataset), generator=generator, device=generator.device)
    for index in order.to(dataset.images.device).split(batch_size):
        x_0 = dataset.images_at(index)
        if dataset.flips:
            coin = torch.rand(len(x_0), 1, 1, 1, generator=generator, device=generator.device)
            x_0 = torch.where(coin.to(x_0.device) < 0.5, x_0.flip(3), x_0)
        yield x_0, dataset.labels[index]
