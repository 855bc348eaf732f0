"""Train a flow that is asked for nothing: v_hat(x_t, t). Here time multiplies, unet.py tells how.

    python -m train.flow_uncond                     the recipe that fits this machine
    python -m train.flow_uncond --recipe full       the course's: D = 64, batch 64, 10 epochs
    python -m train.flow_uncond --resume            go on with the newest run
"""

from minidiff.cli import main
from minidiff.flow import flow_loss
from minidiff.gallery import draw_model
from minidiff.models import FlowModel
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: the network guesses the velocity at x_t, told t."""
    return lambda network, x_1, labels, generator: flow_loss(network, x_1, None, generator)


def draw(network, cfg, test, name_file, caption):
    """Draw 40 samples, and the way to four of them."""
    draw_model(name_file, FlowModel(network), cfg.sample_steps, caption)


JOB = Job("flow-uncond", {"time": 1, "scaled": True}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
