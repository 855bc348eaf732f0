"""Train a flow: v_hat(x_t, t, digit), the velocity from noise to picture, the digit hidden now and
then.

    python -m train.flow                     the recipe that fits this machine
    python -m train.flow --recipe full       the course's: D = 64, batch 64, 10 epochs
    python -m train.flow --resume            go on with the newest run
"""

import torch.nn.functional as F

from minidiff.cli import main
from minidiff.flow import flow_loss
from minidiff.gallery import draw_model
from minidiff.guidance import drop_condition
from minidiff.models import FlowModel
from minidiff.settings import GuidanceFlags
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the velocity at x_t, told t and mostly the digit."""

    def loss_fn(network, x_1, labels, generator):
        cond = drop_condition(F.one_hot(labels, 10).float(), cfg.p_uncond, generator)
        return flow_loss(network, x_1, cond, generator)

    return loss_fn


def draw(network, cfg, test, name_file, caption):
    """Draw four of each digit, guided, and the way to four of them."""
    draw_model(name_file, FlowModel(network), cfg.sample_steps, caption,
               GuidanceFlags(**FlowModel.guidance))


JOB = Job("flow", {"time": 1, "classes": 10}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
