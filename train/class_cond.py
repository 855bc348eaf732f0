"""Train the class-conditioned model: eps_hat(x_t, t, digit), the digit hidden now and then.
Classifier-free guidance, algorithm 1.

    python -m train.class_cond                     the recipe that fits this machine
    python -m train.class_cond --recipe full       the course's: D = 64, 20 epochs
    python -m train.class_cond --resume            go on with the newest run
"""

import torch.nn.functional as F

from minidiff.cli import main
from minidiff.diffusion import noise_loss
from minidiff.gallery import draw_model
from minidiff.guidance import drop_condition
from minidiff.models import DigitModel
from minidiff.schedule import linear
from minidiff.settings import GuidanceFlags
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the noise in x_t, told t/T and mostly the digit."""
    schedule = linear(cfg.T).to(device)

    def loss_fn(network, x_0, labels, generator):
        cond = drop_condition(F.one_hot(labels, 10).float(), cfg.p_uncond, generator)
        return noise_loss(schedule, lambda x, t, c: network(x, t / cfg.T, c), x_0, cond, generator)

    return loss_fn


def draw(network, cfg, test, name_file, caption):
    """Draw four of each digit, guided, and the way to four of them."""
    draw_model(name_file, DigitModel(network, cfg.T), cfg.sample_steps, caption, GuidanceFlags())


JOB = Job("class", {"time": True, "classes": 10}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
