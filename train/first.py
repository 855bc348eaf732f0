"""1. The whole idea on one page: data, loss, loop, sampling, guidance.

    python -m train.first            trains for a few minutes, then writes forty digits, first.png

A diffusion model learns to remove noise. *Training*: take an image, add noise of a random strength,
and let a network predict that noise. *Sampling*: start with pure noise, and remove the predicted
noise in many small steps until an image is left. That is all, and here it is, as a typical
tutorial writes it. (DDPM: "Denoising Diffusion Probabilistic Models", arXiv:2006.11239; DDPM (4) is
its equation 4.)

Let x_0 be an image, and eps standard normal noise. After step t of T the share alpha_bar of the
image's variance is left, and the rest is noise:

    x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps                     DDPM (4)

The network is given x_t, t and a condition c: which digit it is. It is a UNet (network/unet.py),
used here as a black box. For a tenth of the images the condition is hidden, so that the network
also learns to predict without it; in sampling, the difference between its two predictions is
amplified, which makes the digits clearer (*guidance*).

The chapters that follow take each part, derive it, test it, and make it faster and better. `make
bench` measures by how much: this page is its baseline.

Remember: train a network to predict the noise in noisy images; then start from noise and remove
what it predicts, a little at a time. The rest of this book makes these two sentences precise.

Exercises
1. Replace `loss` by `noise_loss` (chapter 3). Is anything computed differently?
   test_first.py: test_the_loss_is_noise_loss
2. Replace the loop of `sample` by `trajectory` and `guided` (chapters 7 and 8). What must be given?
   test_first.py: test_the_samples_are_those_of_guided_ddpm
3. Leave out `if k:`. How strong is the noise that is left in the image? And with 20 large steps?
   test_exercises.py: test_noise_after_the_last_of_many_steps_is_hardly_seen
Next: theory/schedule.py
"""

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from minidiff.data.catalog import load
from minidiff.network.unet import UNet

T = 300
P_UNCOND = 0.1
NETWORK = {"time": 1, "classes": 10}
BETA = torch.linspace(1e-4, 0.02, T)    # the share of the variance each step replaces with noise
ALPHA_BAR = torch.cumprod(1 - BETA, 0)  # the share left after step t is at [t - 1]


def loss(network, x_0, c, t, eps):
    """Return the mean squared error of the predicted noise. DDPM (14).

    x_0, eps: (B,1,28,28) float32. c: (B,10), one-hot or zeros. t: (B,) int64 in 1..T.
    """
    ab = ALPHA_BAR.to(x_0.device)[t - 1].view(-1, 1, 1, 1)
    x_t = ab.sqrt() * x_0 + (1 - ab).sqrt() * eps
    return F.mse_loss(network(x_t, t / T, c), eps)


def train(network, batches, lr=1e-3, steps=None):
    """Train on batches (x_0, labels), on the network's device; yield each loss. DDPM, algorithm 1.

    x_0: (B,1,28,28) float32 in [0, 1]. labels: (B,) int64. steps: their number, over which the
    learning rate falls from lr to 0; by default it stays at lr.
    """
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), lr)
    network.train()
    for k, (x_0, labels) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = lr * (1 - k / steps) if steps else lr
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
    """Return images (B,1,28,28) of digits, int64 (B,), with guidance gamma. DDPM, algorithm 2.

    network: in eval mode. steps: how many of the last steps to take, by default all T.
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


def main(width=16, batch_size=16):
    """Train for one epoch and write forty digits, ten a row, to first.png."""
    torch.manual_seed(0)
    data = load("auto")  # 60,000 digits, uint8
    images = TensorDataset(data.images.float() / 255, data.labels)
    batches = DataLoader(images, batch_size, shuffle=True)
    network, losses = UNet(width, **NETWORK), []
    steps = len(batches)
    for found in (bar := tqdm(train(network, batches, 3e-3, steps), total=steps)):
        losses = [*losses[-99:], found]
        bar.set_postfix_str(f"loss {sum(losses) / len(losses):.3f}", refresh=False)
    x = sample(network.eval(), torch.arange(40) % 10, gamma=3).clamp(0, 1)
    grid = x.view(4, 10, 28, 28).permute(0, 2, 1, 3).reshape(4 * 28, 10 * 28)
    Image.fromarray((grid * 255).byte().numpy()).resize((840, 336)).save("first.png")
    print("wrote first.png")


if __name__ == "__main__":
    main()
