"""Train the single-step denoiser: from x_0 + sigma eps directly to x_0, one noise level.

    python -m train.denoiser                   the recipe that fits this machine
    python -m train.denoiser --recipe full     the course's: D = 128, 5 epochs
    python -m train.denoiser --resume          continue the newest run
"""

from minidiff.evaluation.gallery import draw_denoiser
from minidiff.system.cli import program
from minidiff.training.kinds import KINDS
from train.launch import Job, launch


def draw(model, cfg, test, name_file, caption):
    """Draw ten test digits denoised, and one at noise levels the network was not trained on."""
    draw_denoiser(name_file, model, test.images_at(slice(0, 10)), cfg.sigma, caption)


JOB = Job("denoiser", *KINDS["denoiser"], draw, ("sigma",))

if __name__ == "__main__":
    with program():
        launch(JOB)
