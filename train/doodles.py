"""Train the doodle model: eps_hat(x_t, t, sentence), words and whole sentences sometimes hidden.

    python -m train.doodles                     the recipe that fits this machine
    python -m train.doodles --recipe full       wider and longer, for a GPU
    python -m train.doodles --resume            continue the newest run

Coloured images of 32x32 pixels in -1..1, drawn while it trains; a sentence is the sum of its words
(data/prompts.py). The network is the digits' UNet with three channels in and out, in which time and
words act on the features at every level (`film`).
"""

from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import CONDITIONAL, Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw every subject in every medium, guided, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=min(cfg.sample_steps, cfg.T))


JOB = Job("doodles", *KINDS["doodles"], draw, CONDITIONAL)

if __name__ == "__main__":
    with program():
        launch(JOB)
