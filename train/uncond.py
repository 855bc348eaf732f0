"""Train the time-conditioned model: eps_hat(x_t, t), every noise level. DDPM (14), algorithm 1.

    python -m train.uncond                     the recipe that fits this machine
    python -m train.uncond --recipe full       the course's: D = 64, 20 epochs
    python -m train.uncond --resume            go on with the newest run
"""

from minidiff.cli import main
from minidiff.diffusion import noise_loss
from minidiff.gallery import draw_model
from minidiff.models import DigitModel
from minidiff.schedule import linear
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the noise in x_t, told t/T."""
    schedule = linear(cfg.T).to(device)

    def loss_fn(network, x_0, labels, generator):
        return noise_loss(schedule, lambda x, t, _: network(x, t / cfg.T), x_0, None, generator)

    return loss_fn


def draw(network, cfg, test, name_file, caption):
    """Draw 40 samples, and the way to four of them."""
    draw_model(name_file, DigitModel(network, cfg.T), cfg.sample_steps, caption)


JOB = Job("uncond", {"time": True}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
