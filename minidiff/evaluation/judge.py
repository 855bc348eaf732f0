"""The judge: how the classifier is trained, and what it reads in images.

It is trained with the usual cross entropy, on digits that are each shifted, rotated and stretched a
little, since a judge should not depend on where exactly a digit is.

Exercises
1. What is its loss before the first step? Estimate, then look.
   test_judge.py: test_it_learns_to_read
2. Let `jitter` move a whole batch the same way. Which test notices? What is lost in training?
   test_judge.py: test_jitter_moves_little_and_each_image_differently
"""

import torch
import torch.nn.functional as F


def jitter(x, generator=None):
    """Return images x (B,1,28,28) shifted (by up to 1.6 pixels), rotated, stretched, sheared."""
    off = torch.rand(len(x), 2, 3, generator=generator, device=x.device) - 0.5
    size = torch.tensor([0.15, 0.15, 0.225], device=x.device)
    matrix = torch.eye(2, 3, device=x.device) + off * size
    grid = F.affine_grid(matrix, x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def classification_loss(network, x_0, labels, generator=None):
    """Return the cross entropy on jittered images, a float32 scalar."""
    return F.cross_entropy(network(jitter(x_0, generator)).float(), labels)


@torch.no_grad()
def predict(network, dataset, chunk=500):
    """Return the predicted digit of each image of a Dataset, int64 (N,). network: in eval mode."""
    parts = torch.arange(len(dataset)).split(chunk)
    return torch.cat([network(dataset.images_at(p)).argmax(1) for p in parts])
