"""classifier.py: shapes, and what its features are."""

import torch

from minidiff.network.classifier import Classifier


def test_shapes_and_features():
    """Logits are the last layer applied to the features."""
    network, x = Classifier(8).eval(), torch.rand(5, 1, 28, 28)
    features = network.features(x)
    assert features.shape == (5, 32)
    assert torch.allclose(network(x), network.head(features))
