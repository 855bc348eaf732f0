"""Train a flow: v_hat(x_t, t, digit), the velocity from noise to image, the digit sometimes
hidden.

    python -m train.flow                     the recipe that fits this machine
    python -m train.flow --recipe full       the course's: D = 64, batch 64, 10 epochs
    python -m train.flow --resume            continue the newest run
"""

from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw four of each digit, guided, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=cfg.sample_steps)


JOB = Job("flow", *KINDS["flow"], draw, ("network", "sample_steps", "p_uncond"))

if __name__ == "__main__":
    with program():
        launch(JOB)
