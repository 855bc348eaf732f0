"""Train the single-step denoiser: from x_0 + sigma eps straight to x_0, one noise level.

    python -m train.denoiser                   the recipe that fits this machine
    python -m train.denoiser --recipe full     the course's: D = 128, 5 epochs
    python -m train.denoiser --resume          go on with the newest run
"""

from minidiff.config import main
from minidiff.diffusion import denoising_loss
from minidiff.gallery import draw_denoised, draw_levels
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the clean picture."""
    return lambda network, x_0, labels, generator: denoising_loss(
        network, x_0, cfg.sigma, generator
    )


def draw(network, cfg, test, path, caption):
    """Draw ten test digits denoised, and one at noise levels the network never saw."""
    x_0 = test.to(next(network.parameters()).device).pictures(slice(0, 10))
    draw_denoised(path("denoised"), network, x_0, cfg.sigma, f"test digits: {caption}; seed 0")
    draw_levels(
        path("levels"), network, x_0[:1], f"trained at σ={cfg.sigma} only: {caption}; seed 0"
    )


JOB = Job("denoiser", {}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
