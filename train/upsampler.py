"""Train the upsampler: eps_hat of a 56x56 digit, given the same digit at 28x28, noised.

    python -m train.upsampler                     the recipe that fits this machine
    python -m train.upsampler --recipe full       D = 64, 20 epochs
    python -m train.upsampler --resume            continue the newest run

It learns from images that are drawn at twice the size of the first stage's: strokes are the only
digits that exist at that size; train/doodles_upsampler.py does the same for doodles.
"""

import torch
import torch.nn.functional as F

from minidiff.files.images import save_grid
from minidiff.models.upsampler import TOP, shrunk, upsample
from minidiff.system.cli import program
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.guidance import drop_condition
from train.launch import CONDITIONAL, Job, launch


def network(data):
    """Return the arguments of its UNet besides width, for a training set of large images."""
    c, size, _ = data.shape
    return {"time": 2, "classes": len(data.words), "size": size, "channels": (2 * c, c)}


def loss(model, x_0, labels, generator, cfg):
    """Return the loss: the network predicts the noise in x_t, given t/T, the small image at a level
    s in 0 .. TOP · T, s/T, and usually the prompt."""
    low, top = shrunk(x_0, generator), int(TOP * model.schedule.T)
    s = torch.randint(top + 1, (len(x_0),), generator=generator, device=x_0.device)
    low = model.noised(low, s, generator)
    words = drop_condition(model.condition(labels), cfg.p_uncond, generator)
    return noise_loss(model.schedule, model, x_0, model.rows(words, s, low), generator)


def draw(model, cfg, test, name_file, caption):
    """Draw ten test images: small, by bicubic interpolation, by the network, and true."""
    x_0 = test.images_at(slice(0, 10))
    low = F.avg_pool2d(x_0, 2)
    steps = min(cfg.sample_steps, cfg.T)
    ours = model.to_unit(upsample(model, model.from_unit(low), steps=steps))
    nearest, bicubic = (F.interpolate(low, scale_factor=2, mode=m) for m in ("nearest", "bicubic"))
    save_grid(name_file("upsampled"), torch.cat([nearest, bicubic, ours.cpu(), x_0.cpu()]),
              f"test images, {low.shape[3]} to {x_0.shape[3]} pixels: {caption}; {steps} steps, "
              "seed 0", len(x_0),
              ("small", "bicubic", "ours", "true"))


JOB = Job("upsampler", network, loss, draw, CONDITIONAL, scale=2)

if __name__ == "__main__":
    with program():
        launch(JOB)
