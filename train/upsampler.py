"""Train the upsampler: eps_hat of a 56x56 digit, shown the same digit at 28x28, noised.

    python -m train.upsampler                     the recipe that fits this machine
    python -m train.upsampler --recipe full       D = 64, 20 epochs
    python -m train.upsampler --resume            go on with the newest run

The digits are strokes, the only ones there are at that size; no file and no network is needed.
"""

import torch
import torch.nn.functional as F

from minidiff.cli import main
from minidiff.diffusion import noise_like, noise_loss, q_sample
from minidiff.guidance import drop_condition
from minidiff.images import save_grid
from minidiff.schedule import linear
from minidiff.upsampler import TOP, Upsampler, enlarged, shrunk, upsample
from train.run import Job, run

SIZE = 56


def loss(cfg, device):
    """Return the loss: the network guesses the noise in x_t, told t/T, shown the small picture at a
    level s of 0 .. TOP T, told s/T and mostly the digit."""
    schedule = linear(cfg.T).to(device)

    def loss_fn(network, x_0, labels, generator):
        low = enlarged(shrunk(x_0, generator))
        top = int(TOP * cfg.T)
        s = torch.randint(top + 1, (len(x_0),), generator=generator, device=x_0.device)
        low = q_sample(schedule, low, s, noise_like(low, generator))
        digit = drop_condition(F.one_hot(labels, 10).float(), cfg.p_uncond, generator)

        def model(x_t, t, cond):
            return network(torch.cat([x_t, low], 1), torch.stack([t, s], 1) / cfg.T, cond)

        return noise_loss(schedule, model, x_0, digit, generator)

    return loss_fn


def draw(network, cfg, test, name_file, caption):
    """Draw ten test digits: small, by bicubic interpolation, by the network, and as they are."""
    x_0 = test.pictures(slice(0, 10))
    low = F.avg_pool2d(x_0, 2)
    steps = min(cfg.sample_steps, cfg.T)
    ours = upsample(Upsampler(network, cfg.T), low, steps=steps)
    nearest, bicubic = (F.interpolate(low, scale_factor=2, mode=m) for m in ("nearest", "bicubic"))
    save_grid(name_file("upsampled"), torch.cat([nearest, bicubic, ours.cpu(), x_0.cpu()]),
              f"test digits, 28 to 56 pixels: {caption}; {steps} steps, seed 0", len(x_0),
              ("small", "bicubic", "ours", "true"))


JOB = Job(
    "upsampler", {"time": 2, "classes": 10, "size": SIZE, "channels": (2, 1)}, loss, draw, SIZE
)

if __name__ == "__main__":
    main(lambda: run(JOB))
