"""A small network that classifies digits: the judge of every model's samples (evaluation/judge.py).

Five 3x3 convolutions with BatchNorm and ReLU, two poolings, a mean over what is left, one linear
layer. The vector before the last layer, `features`, is a good space in which to compare two sets
of digits.
"""

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
