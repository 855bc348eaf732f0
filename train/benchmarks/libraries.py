"""Other libraries' UNets, measured next to ours: `make bench PEERS=1`.

Each is built for 28x28 images with about as many parameters as ours has at D = 64, and trained as
its own README says: its network, its loss, Adam, float32, no labels. All get their batches from
memory, so only network and loss are compared. Sampling is the same for all too: twenty network
calls on forty images, without guidance; nothing else is counted.

Networks of equal size may cost different numbers of operations. So in addition to images per second
the table has the operations per image, and the operations per second of each.
"""

import importlib.util
from functools import partial

import torch
import torch.nn.functional as F

from minidiff.models.model import NoiseModel
from minidiff.network.blocks import folded
from minidiff.system.torchvision_ops import torchvision_datasets
from train.benchmarks import processes
from train.benchmarks.timing import count, in_turn, summary

PACKAGES = {
    "diffusers": "diffusers", "denoising_diffusion_pytorch": "denoising-diffusion-pytorch",
    "smalldiffusion": "smalldiffusion",
}
STEPS, DIGITS = 20, 40  # of a sample


def check():
    """Raise ValueError unless all libraries are installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"not installed here: {', '.join(missing)}; make bench PEERS=1 installs them"
        )


def diffusers(device):
    """Return network, loss(x_0) and eps(x, t) of diffusers' UNet2DModel and DDPMScheduler."""
    from diffusers import DDPMScheduler, UNet2DModel

    network = UNet2DModel(
        sample_size=28, in_channels=1, out_channels=1, norm_num_groups=8,
        block_out_channels=(32, 64, 80), down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
    ).to(device)
    scheduler = DDPMScheduler(num_train_timesteps=1000)

    def loss(x_0):
        eps, t = torch.randn_like(x_0), torch.randint(0, 1000, (len(x_0),), device=device)
        return F.mse_loss(network(scheduler.add_noise(x_0, eps, t), t).sample, eps)

    return network, loss, lambda x, t: network(x, t).sample


def denoising_diffusion_pytorch(device):
    """Return network, loss(x_0) and eps(x, t) of lucidrains' Unet and GaussianDiffusion."""
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    network = Unet(dim=28, channels=1, dim_mults=(1, 2, 4)).to(device)
    return network, GaussianDiffusion(network, image_size=28).to(device), network


def smalldiffusion(device):
    """Return network, loss(x_0) and eps(x, t) of smalldiffusion's Unet."""
    from smalldiffusion import ScheduleDDPM, Unet, generate_train_sample

    network = Unet(28, 1, 1, ch=32, ch_mult=(1, 2, 2), attn_resolutions=(14,)).to(device)
    schedule = ScheduleDDPM()

    def loss(x_0):
        x_0, sigma, eps, cond = generate_train_sample(x_0, schedule)
        return network.get_loss(x_0, sigma, eps, cond)

    return network, loss, lambda x, t: network(x, schedule[t.cpu()].to(x).view(-1, 1, 1, 1))


class Library:
    """A library's training and sampling, as functions that `in_turn` can call."""

    def __init__(self, build, dataset, batch_size, device):
        self.network, self.loss, self.eps = build(device)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.dataset, self.batch_size, self.device = dataset, batch_size, device

    def train(self):
        """Do one step of Adam on random images."""
        index = torch.randint(len(self.dataset), (self.batch_size,), device=self.device)
        self.network.train()
        loss = self.loss(self.dataset.images_at(index))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @torch.no_grad()
    def sample(self):
        """Call the network as often as sampling does."""
        self.network.eval()
        x = torch.randn(DIGITS, 1, 28, 28, device=self.device)
        for t in range(STEPS, 0, -1):
            self.eps(x, torch.full((DIGITS,), t, device=self.device))


class Ours(Library):
    """Our training and our model, in one number format."""

    def __init__(self, dataset, width, batch_size, device, precision):
        self.training = processes.ready(width, batch_size, device, precision)
        self.network, precision = self.training.network, self.training.cfg.precision
        self.dataset, self.batch_size, self.device = dataset, batch_size, device
        model = NoiseModel(folded(self.network), precision=precision)
        self.eps = partial(model, cond=torch.zeros(DIGITS, 10, device=device))

    def train(self):
        """Do one of our steps on random images."""
        index = torch.randint(len(self.dataset), (self.batch_size,), device=self.device)
        self.network.train()
        x_0, labels = self.dataset.images_at(index), self.dataset.labels[index]
        self.training.update(x_0, labels, self.training.cfg.lr)


def measure(dataset, flags, device):
    """Return, for ours and every library: parameters, operations per image of a training step,
    images per second, and seconds of sampling."""
    torchvision_datasets()  # so that diffusers can import torchvision next to any torch
    B = flags.batch_size
    kinds = {"ours": "auto", "ours, float32": "float32"}
    found = {k: Ours(dataset, flags.width, B, device, v) for k, v in kinds.items()}
    for build in (diffusers, denoising_diffusion_pytorch, smalldiffusion):
        found[PACKAGES[build.__name__]] = Library(build, dataset, B, device)
    counts = {name: count(each.train) / B for name, each in found.items()}
    trained = in_turn({name: each.train for name, each in found.items()}, flags.runs, device)
    sampled = in_turn({name: each.sample for name, each in found.items()}, flags.runs, device)
    return {
        name: {
            "parameters": sum(p.numel() for p in each.network.parameters()),
            "operations": counts[name],
            "images": summary([B / s for s in trained[name]]),
            "sample": summary(sampled[name]),
        }
        for name, each in found.items()
    }
