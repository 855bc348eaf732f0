"""What is trained, by kind of model: the arguments of its network, and its loss.

A network follows the data: size, channels, words. A loss is a function (model, x_0, labels,
generator, cfg) -> scalar: x_0 (B,C,H,W) in the model's data range, labels as in a Dataset, cfg a
Recipe. The formulas are those of theory/; here is what each kind of model is given. Of a sentence,
words are hidden too, so that short prompts work as well.
"""

from collections.abc import Callable

from minidiff.data.prompts import drop_words
from minidiff.theory.diffusion import denoising_loss, noise_loss
from minidiff.theory.flow import flow_loss
from minidiff.theory.guidance import drop_condition

P_WORD = 0.1  # probability of hiding a word, besides those that captions leave out


def unet(**options) -> Callable:
    """Return the arguments of a UNet besides its width, as a function of the training set. options:
    of UNet; classes=True stands for as many as the set has words."""
    def arguments(data):
        if options.get("classes") and not data.words:
            raise ValueError(f"{data.name} has no classes or captions to be prompted with; train a "
                             "model without prompts: make train-uncond")
        own = {"classes": len(data.words)} if options.get("classes") else {}
        channels = {"size": data.shape[1], "channels": (data.shape[0], data.shape[0])}
        return {**(channels if data.shape != (1, 28, 28) else {}), **options, **own}

    return arguments


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


KINDS = {  # kind of model: (training set -> arguments of its network besides width, its loss)
    "denoiser": (unet(), clean_loss),
    "uncond": (unet(time=1), uncond_loss),
    "class": (unet(time=1, classes=True), class_loss),
    "doodles": (unet(time=1, classes=True, film=True), class_loss),
    "flow": (unet(time=1, classes=True), velocity_loss),
    "flow-uncond": (unet(time=1, scaled=True), uncond_velocity_loss),
}
