"""Train the class-conditioned model: eps_hat(x_t, t, digit), the digit sometimes hidden.
Classifier-free guidance, algorithm 1.

    python -m train.class_cond                     the recipe that fits this machine
    python -m train.class_cond --recipe full       the course's: D = 64, 20 epochs
    python -m train.class_cond --resume            continue the newest run
"""

from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import CONDITIONAL, Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw four of each digit, guided, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=min(cfg.sample_steps, cfg.T))


JOB = Job("class", *KINDS["class"], draw, CONDITIONAL)

if __name__ == "__main__":
    with program():
        launch(JOB)
