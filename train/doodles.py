"""Train the doodle model: eps_hat(x_t, t, sentence), words and whole sentences sometimes hidden.

    python -m train.doodles                     the recipe that fits this machine
    python -m train.doodles --recipe full       wider and longer, for a GPU
    python -m train.doodles --resume            continue the newest run

Coloured images of 32x32 pixels in -1..1, drawn while it trains; a sentence is the sum of its words
(data/prompts.py). The network is the digits' UNet with three channels in and out.
"""

from minidiff.data.prompts import drop_words
from minidiff.evaluation.gallery import draw_model
from minidiff.system.cli import program
from minidiff.theory.diffusion import noise_loss
from minidiff.theory.guidance import drop_condition
from train.launch import CONDITIONAL, Job, launch, unet

P_WORD = 0.1  # probability of hiding a word, besides those that captions leave out


def loss(model, x_0, labels, generator, cfg):
    """Return the loss: the network predicts the noise in x_t, given t/T and some of the words."""
    words = drop_words(model.condition(labels), P_WORD, generator)
    cond = drop_condition(words, cfg.p_uncond, generator)
    return noise_loss(model.schedule, model, x_0, cond, generator)


def draw(model, cfg, test, name_file, caption):
    """Draw every subject in every medium, guided, and the trajectories of four of them."""
    draw_model(name_file, model, caption, steps=min(cfg.sample_steps, cfg.T))


JOB = Job("doodles", unet(time=1, classes=True), loss, draw, CONDITIONAL)

if __name__ == "__main__":
    with program():
        launch(JOB)
