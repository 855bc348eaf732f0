"""A small network that classifies digits: the judge that evaluates every model's samples.

Five 3x3 convolutions with BatchNorm and ReLU, two poolings, a mean over what is left, one linear
layer. The vector before the last layer, `features`, is a good space in which to compare two sets
of digits.

It is trained with the usual cross entropy, on digits that are each shifted, rotated and stretched a
little, since a judge should not depend on where exactly a digit is.

Exercises
1. What is its loss before the first step? Estimate, then look.
   test_classifier.py: test_it_learns_to_read
2. Let `jitter` move the whole batch alike. Which test notices, and what is lost in training?
   test_classifier.py: test_jitter_moves_little_and_each_image_differently
"""

import torch
import torch.nn.functional as F
from torch import nn


class Classifier(nn.Module):
    """Classify digits. width: channels of the first layer, >= 1."""

    def __init__(self, width: int = 32):
        super().__init__()
        w = width
        self.body = nn.Sequential(
            self._conv(1, w), self._conv(w, w), nn.MaxPool2d(2),
            self._conv(w, 2 * w), self._conv(2 * w, 2 * w), nn.MaxPool2d(2),
            self._conv(2 * w, 4 * w), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
        self.head = nn.Linear(4 * w, 10)

    @staticmethod
    def _conv(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.ReLU())

    def features(self, x):
        """Return the vector before the last layer, (B, 4 * width), of images x (B,1,28,28)."""
        return self.body(x)

    def forward(self, x):
        """Return logits (B,10) of images x, float (B,1,28,28) in [0, 1]."""
        return self.head(self.body(x))


def jitter(x, generator=None):
    """Shift (by up to 1.6 pixels), rotate, stretch and shear each image of x (B,1,28,28)."""
    off = torch.rand(len(x), 2, 3, generator=generator, device=x.device) - 0.5
    size = torch.tensor([0.15, 0.15, 0.225], device=x.device)
    matrix = torch.eye(2, 3, device=x.device) + off * size
    grid = F.affine_grid(matrix, x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def classification_loss(network, x_0, labels, generator=None):
    """Return the cross entropy on jittered pictures, a float32 scalar."""
    return F.cross_entropy(network(jitter(x_0, generator)).float(), labels)


@torch.no_grad()
def predict(network, dataset, chunk=500):
    """Return the predicted digit of each image of a Dataset, int64 (N,). network: in eval mode."""
    parts = torch.arange(len(dataset)).split(chunk)
    return torch.cat([network(dataset.images_at(p)).argmax(1) for p in parts])
