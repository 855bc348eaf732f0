"""Train a flow without conditions: v_hat(x_t, t). Here time multiplies (see unet.py, `scaled`).

    python -m train.flow_uncond                     the recipe that fits this machine
    python -m train.flow_uncond --recipe full       the course's: D = 64, batch 64, 10 epochs
    python -m train.flow_uncond --resume            continue the newest run
"""

from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw 40 samples, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=cfg.sample_steps)


JOB = Job("flow-uncond", *KINDS["flow-uncond"], draw, ("network", "sample_steps"))

if __name__ == "__main__":
    with program():
        launch(JOB)
