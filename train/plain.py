"""The usual tutorial's way, written out: what `make bench` holds ours against.

Same network, data, loss and optimiser; what differs is all around them. Here pictures are decoded
one by one with Pillow and put together by a DataLoader, everything is float32, Adam updates weight
by weight, and the loss is read after every step. Samples are drawn in 300 steps, with two calls of
the network in each, one per guidance branch. Nothing is slower than it has to be in this style.
"""

from itertools import count

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader

from minidiff.torchvision_ops import torchvision_functional
from minidiff.unet import UNet

T = 300
P_UNCOND = 0.1
NETWORK = {"time": 1, "classes": 10}
BETA = torch.linspace(1e-4, 0.02, T)
ALPHA_BAR = torch.cumprod(1 - BETA, 0)  # entry t - 1 is step t's


class Pictures(torch.utils.data.Dataset):
    """A Dataset as torchvision's own give it: each picture through Pillow and a transform."""

    def __init__(self, dataset):
        self.images, self.labels = dataset.images[:, 0].cpu(), dataset.labels.cpu()
        self.F = torchvision_functional()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        picture = Image.fromarray(self.images[k].numpy())
        return self.F.pil_to_tensor(picture).float() / 255, int(self.labels[k])  # as ToTensor does


def loader(dataset, batch_size=128):
    """Return a shuffling DataLoader over a Dataset."""
    return DataLoader(Pictures(dataset), batch_size, shuffle=True)


def loss(network, x_0, c, t, eps):
    """Return the mean squared error of the guessed noise. DDPM (14).

    x_0, eps: (B,1,28,28) float32. c: (B,10), one-hot or zeros. t: (B,) int64 in 1..T.
    """
    ab = ALPHA_BAR.to(x_0.device)[t - 1].view(-1, 1, 1, 1)
    x_t = ab.sqrt() * x_0 + (1 - ab).sqrt() * eps
    return F.mse_loss(network(x_t, t / T, c), eps)


def train(network, batches, lr=1e-3):
    """Train on batches (x_0, labels) from a loader, on the network's device; yield each loss."""
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), lr)
    network.train()
    for x_0, labels in batches:
        x_0, labels = x_0.to(device), labels.to(device)
        c = F.one_hot(labels, 10).float()
        c[torch.rand(len(c), device=device) < P_UNCOND] = 0
        t = torch.randint(1, T + 1, (len(x_0),), device=device)
        found = loss(network, x_0, c, t, torch.randn_like(x_0))
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        yield found.item()


@torch.no_grad()
def sample(network, digits, gamma, steps=T):
    """Draw the digits asked for, int64 (B,), with guidance gamma. DDPM, algorithm 2.

    network: in eval mode. steps: the last so many of the T, all by default; fewer are for tests.
    Returns (B,1,28,28).
    """
    device = next(network.parameters()).device
    c = F.one_hot(digits, 10).float().to(device)
    x = torch.randn(len(c), 1, 28, 28, device=device)
    for k in reversed(range(steps)):
        t = torch.full((len(c),), (k + 1) / T, device=device)
        eps_u, eps_c = network(x, t, torch.zeros_like(c)), network(x, t, c)
        eps = eps_u + gamma * (eps_c - eps_u)
        x = (x - BETA[k] / (1 - ALPHA_BAR[k]).sqrt() * eps) / (1 - BETA[k]).sqrt()
        if k:
            x = x + BETA[k].sqrt() * torch.randn_like(x)
    return x


def check_steps(name, steps):
    """Raise ValueError for more steps than there are."""
    if steps > T:
        raise ValueError(f"{name} must lie in 1..{T}, the steps that were trained, got {steps}")


def forever(loader):
    """Yield a loader's batches, epoch after epoch."""
    while True:
        yield from loader


def draws(network, digits, gamma, steps, device):
    """Yield once when ready, then samples of the digits asked for, on the CPU, seed after seed."""
    network.to(device)
    yield
    for seed in count():
        torch.manual_seed(seed)
        yield sample(network, digits, gamma, steps).cpu()


def rounds(dataset, width, batch_size, steps, device):
    """Train; yield nothing when ready, and after every so many steps."""
    losses = train(UNet(width, **NETWORK).to(device), forever(loader(dataset, batch_size)))
    yield
    while True:
        for _ in range(steps):
            next(losses)
        yield
