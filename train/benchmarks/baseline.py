"""The baseline of `make bench`: chapter 1 (train/first.py), fed with data as in a usual tutorial.

Network, loss and optimiser are ours; what differs is everything around them. Images are decoded one
by one with Pillow and collected by a DataLoader, everything is float32, Adam updates one weight
tensor at a time, and the loss is read after every step. Sampling takes 300 steps with two network
calls each, one per guidance branch. Nothing is slower than it has to be in this style.
"""

from itertools import count

import torch
from PIL import Image
from torch.utils.data import DataLoader

from minidiff.network.unet import UNet
from minidiff.system.torchvision_ops import torchvision_functional
from train import first


class Images(torch.utils.data.Dataset):
    """A Dataset like torchvision's own: each image goes through Pillow and a transform."""

    def __init__(self, dataset):
        self.images, self.labels = dataset.images[:, 0].cpu(), dataset.labels.cpu()
        self.F = torchvision_functional()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        image = Image.fromarray(self.images[k].numpy())
        return self.F.pil_to_tensor(image).float() / 255, int(self.labels[k])  # as ToTensor does


def loader(dataset, batch_size=128):
    """Return a shuffling DataLoader over a Dataset."""
    return DataLoader(Images(dataset), batch_size, shuffle=True)


def forever(loader):
    """Yield a loader's batches, epoch after epoch."""
    while True:
        yield from loader


def rounds(dataset, width, batch_size, steps, device):
    """Train; yield None once ready, and again after every `steps` steps."""
    network = UNet(width, **first.NETWORK).to(device)
    losses = first.train(network, forever(loader(dataset, batch_size)))
    yield
    while True:
        for _ in range(steps):
            next(losses)
        yield


def draws(network, digits, gamma, steps, device):
    """Yield None once ready, then samples of digits, int64 (B,), on the CPU, for seeds 0, 1, ..."""
    network.to(device)
    yield
    for seed in count():
        torch.manual_seed(seed)
        yield first.sample(network, digits, gamma, steps).cpu()
