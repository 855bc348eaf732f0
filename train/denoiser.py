"""Train the single-step denoiser: from x_0 + sigma eps straight to x_0, one noise level.

    python -m train.denoiser                   the recipe that fits this machine
    python -m train.denoiser --recipe full     the course's: D = 128, 5 epochs
    python -m train.denoiser --resume          go on with the newest run
"""

from minidiff.cli import main
from minidiff.diffusion import denoising_loss
from minidiff.gallery import draw_denoiser
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the clean picture."""
    return lambda network, x_0, labels, generator: denoising_loss(
        network, x_0, cfg.sigma, generator
    )


def draw(network, cfg, test, name_file, caption):
    """Draw ten test digits denoised, and one at noise levels the network never saw."""
    draw_denoiser(name_file, network, test.pictures(slice(0, 10)), cfg.sigma, caption)


JOB = Job("denoiser", {}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
