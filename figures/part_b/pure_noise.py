"""A denoiser that sees noise alone, trained in seconds: what it predicts, and the mean digit."""

import torch
from tqdm import trange

from minidiff.data import catalog
from minidiff.files.images import save_curves, save_grid
from minidiff.network.unet import UNet
from minidiff.theory.flow import pure_noise_loss

STEPS, BATCH, WIDTH, N = 300, 64, 12, 8


def trained(train):
    """Train a small UNet from noise to digits; return it in eval mode and the loss of each step."""
    torch.manual_seed(0)
    network, generator, losses = UNet(WIDTH), torch.Generator().manual_seed(0), []
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, STEPS)
    for _ in trange(STEPS, unit="step"):
        index = torch.randint(len(train), (BATCH,), generator=generator)
        loss = pure_noise_loss(network, train.images_at(index), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        losses.append(loss.item())
    return network.eval(), losses


def draw(out, studio):
    """Train, then draw noise, predictions and the true mean, and the loss. Yields each path."""
    train = catalog.load(studio.test.name, "train", studio.data_dir)
    network, losses = trained(train)
    noise = torch.randn(N, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers = network(noise)
    mean = (train.images.sum(0, dtype=torch.float64) / len(train) / 255).float()
    off = (answers - mean).square().mean().sqrt().item()
    caption = f"UNet (D={WIDTH}), {train.name}, {STEPS} steps of {BATCH}, seed 0"
    path = out / "flow-blind.png"
    save_grid(path, torch.cat([noise, answers, mean.expand(N, 1, 28, 28)]),
              f"noise, the predictions, and the mean of all {len(train):,} training digits, which "
              f"they miss by {off:.3f} (root mean square, black to white = 1): {caption}", N,
              ("noise", "predicted", "mean"))
    yield path
    variance = (train.images_at(slice(0, 5000)) - mean).square().mean().item()
    path = out / "flow-blind-loss.png"
    times = range(1, len(losses) + 1)
    curves = {"loss": (times, losses), "variance of the digits": (times, [variance] * len(losses))}
    save_curves(path, curves, f"the loss, and its lower bound: {caption}", "step", "loss")
    yield path
