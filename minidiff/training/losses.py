"""The losses that networks are trained with, by kind of model.

Each is a function (model, x_0, labels, generator, cfg) -> scalar: x_0 (B,C,H,W) in the model's data
range, labels as in a Dataset, cfg a Recipe. The formulas are those of theory/; here is what each
kind of model is given. Of a sentence, words are hidden too, so that short prompts work as well.
"""

from minidiff.data.prompts import drop_words
from minidiff.theory.diffusion import denoising_loss, noise_loss
from minidiff.theory.flow import flow_loss
from minidiff.theory.guidance import drop_condition

P_WORD = 0.1  # probability of hiding a word, besides those that captions leave out


def hidden(model, labels, generator, cfg):
    """Return the condition of labels, float32 (B, words), each sometimes hidden: whole with
    probability p_uncond and, of sentences, each word with P_WORD."""
    cond = model.condition(labels)
    if labels.dim() > 1:
        cond = drop_words(cond, P_WORD, generator)
    return drop_condition(cond, cfg.p_uncond, generator)


def uncond_loss(model, x_0, labels, generator, cfg):
    """Return the loss: the network predicts the noise in x_t, given t/T."""
    return noise_loss(model.schedule, model, x_0, None, generator)


def class_loss(model, x_0, labels, generator, cfg):
    """Return the loss: the network predicts the noise in x_t, given t/T and usually the prompt."""
    cond = hidden(model, labels, generator, cfg)
    return noise_loss(model.schedule, model, x_0, cond, generator)


def velocity_loss(model, x_1, labels, generator, cfg):
    """Return the loss: the network predicts the velocity at x_t, given t and usually the prompt."""
    return flow_loss(model, x_1, hidden(model, labels, generator, cfg), generator)


def uncond_velocity_loss(model, x_1, labels, generator, cfg):
    """Return the loss: the network predicts the velocity at x_t, given t."""
    return flow_loss(model, x_1, None, generator)


def clean_loss(model, x_0, labels, generator, cfg):
    """Return the loss: the network predicts the clean image from one with noise of sigma."""
    return denoising_loss(model, x_0, cfg.sigma, generator)


LOSSES = {"uncond": uncond_loss, "class": class_loss, "doodles": class_loss, "flow": velocity_loss,
          "flow-uncond": uncond_velocity_loss, "denoiser": clean_loss}
