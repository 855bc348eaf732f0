"""A small network that reads images: the judge of every model's samples (evaluation/judge.py).

Five 3x3 convolutions with BatchNorm and ReLU, two poolings, a mean over what is left, one linear
layer. The vector before the last layer, `features`, is a good space in which to compare two sets
of images.

It answers one question or several, such as which digit an image shows, or which subject in which
colour: the last layer has a group of outputs for each.
"""

from torch import nn


class Classifier(nn.Module):
    """Answer questions about images. width: channels of the first layer, >= 1. channels: of the
    images. answers: how many possible answers each question has."""

    def __init__(self, width: int = 32, channels: int = 1, answers=(10,)):
        super().__init__()
        w, self.channels, self.answers = width, channels, tuple(answers)
        self.body = nn.Sequential(
            self._conv(channels, w), self._conv(w, w), nn.MaxPool2d(2),
            self._conv(w, 2 * w), self._conv(2 * w, 2 * w), nn.MaxPool2d(2),
            self._conv(2 * w, 4 * w), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
        self.head = nn.Linear(4 * w, sum(answers))

    @staticmethod
    def _conv(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.ReLU())

    def features(self, x):
        """Return the vector before the last layer, (B, 4 * width), of images x (B,C,H,W)."""
        return self.body(x)

    def forward(self, x):
        """Return logits (B, sum of answers) of images x, float (B,C,H,W) in [0, 1]."""
        return self.head(self.body(x))
