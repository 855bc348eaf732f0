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

from minidiff.files import checkpoint
from minidiff.models import zoo

DIGITS = {"mnist", "strokes"}  # sets of the same things: a model of one can be judged by the other


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


def find(place="", data=None):
    """Return the checkpoint of the judge that `place` means, a dict, and its description. data: the
    set that the samples' model was trained on. Raises ValueError if the judge does not know it."""
    file = zoo.find("classifier", place)
    found = zoo.load_kind("classifier", file)
    if data:
        cure = f'train one: make train-classifier ARGS="--dataset {data}", or name another: --judge'
        check_data("the judge", found["dataset"], data, cure if data != "doodles" else "there is "
                   "no judge of doodles")
    return found, f"{zoo.origin(file)} ({checkpoint.summary(found)})"


def check_data(what, own, data, cure):
    """Check that a network can be used on a model's images; `own` and `data` are the sets that the
    two were trained on. what: the network, in words. cure: what the user can do. Prints a note if
    both are sets of digits; raises ValueError for anything else that differs."""
    if own != data and not {own, data} <= DIGITS:
        raise ValueError(f"{what} was trained on {own}, the model on {data}; {cure}")
    if own != data:
        print(f"note: {what} was trained on {own}, the model on {data}; both are digits")
