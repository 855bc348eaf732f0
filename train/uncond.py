"""Train the time-conditioned model: eps_hat(x_t, t). DDPM, algorithm 1.

    python -m train.uncond                     the recipe that fits this machine
    python -m train.uncond --recipe full       the course's: predicts eps, the laptop's predicts v
    python -m train.uncond --resume            continue the newest run
"""

from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw 40 samples, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=min(cfg.sample_steps, cfg.T))


JOB = Job("uncond", *KINDS["uncond"], draw, ("T", "network", "schedule", "predict", "sample_steps"))

if __name__ == "__main__":
    with program():
        launch(JOB)
