"""5. A model: a network together with what sampling and training need to know about it.

Theory and network meet in one contract, used by training and sampling alike:

    eps_hat = model(x_t, t, cond)     x_t (B,C,H,W) float; t (B,) int64 in 1..T
    model.schedule                    how much signal is left at each t
    model.image_shape                 (C, H, W)
    model.data_range                  (low, high) of a clean image
    cond = model.embed(prompts)       prompts: list of str; "" is the null prompt, no condition
    model.defaults                    the sampling options that suit it best

This file chooses the schedule and divides t by T. The digits' prompts are "0" to "9" and "", those
of a model without classes only "". A checkpoint (files/checkpoint.py) alone rebuilds its model.

Remember: training and sampling call one object, so they can't disagree about schedule, T or range.
Whatever predicts noise under this contract can be sampled, guided and edited with.

Exercises
1. Give the network t instead of t/T. Nothing fails; why are the digits noise?
   test_model.py: test_the_network_receives_t_over_T
2. Clip x_t to the data range before the network sees it. How much of the first x_t is cut off?
   test_generate.py: test_the_networks_input_is_never_clipped
3. Train the digits on the cosine schedule: one word, --schedule cosine.
   test_exercises.py: test_one_word_changes_the_schedule_of_training_and_sampling
Next: training/loop.py
"""

import torch
import torch.nn.functional as F

from minidiff.data.prompts import DIGITS, Vocabulary
from minidiff.theory.schedule import SCHEDULES
from minidiff.theory.velocity import eps_of

SCHEDULE = "linear"  # the default of a new model, a key of SCHEDULES; a checkpoint keeps its own
# What a network may predict: (schedule, x_t, t, its output) -> eps_hat = a x_t + b output
PREDICTIONS = {"eps": lambda schedule, x_t, t, output: output, "v": eps_of}
UNGUIDED = {"gamma": 1.0, "guide_until": 0.0}  # guidance (chapter 8) is off without prompts


class Model:
    """A model without a schedule, such as the single-step denoiser: it returns an image.

    network: in training or evaluation mode. T, schedule, predict: see `NoiseModel`. words: the
    vocabulary of its prompts; default: the ten digits, if the network has classes. data_range:
    (low, high). precision: the network's number format, "float32", "bfloat16" or "float16".
    """

    ignored = ()  # sampling options that do not apply to it
    defaults = {}  # fields of SampleOptions: values that suit it better than the general ones
    schedule = step = variances = None  # of sampling (chapter 7), where a model has its own
    join = staticmethod(torch.cat)  # predictions of parts of a batch become those of the whole
    combine = staticmethod(lambda rule, *args: rule(*args))  # predictions, by a rule (chapter 8)
    file = kind = summary = dataset = None  # set by zoo.load_model, like the next two
    examples, light_on_dark = (), True  # of its training images: prompts, and what they are like

    def __init__(self, network, T=None, schedule=None, predict=None, *, words=None,
                 data_range=(0.0, 1.0), precision="float32"):
        self.network, self.format = network, getattr(torch, precision)
        self.evaluate = network  # what is called; several GPUs replace it (training/parallel.py)
        self.device = next(network.parameters()).device
        self.vocabulary = Vocabulary(tuple(words or DIGITS.words)[: getattr(network, "classes", 0)])
        self.data_range = tuple(data_range)
        if not self.conditional:
            self.defaults = {**self.defaults, **UNGUIDED}

    @property
    def image_shape(self):
        """(C, H, W) of the images it returns."""
        return (self.network.channels[1], self.network.size, self.network.size)

    @property
    def clips(self) -> dict:
        """The ways to clip x_0_hat at each step (chapter 7): {name: clip}."""
        return {"range": self.data_range, "none": None}

    @property
    def conditional(self) -> bool:
        """Whether it knows any prompt besides the null prompt."""
        return bool(self.vocabulary.words)

    def description(self) -> dict:
        """Return what a checkpoint stores besides the network, as arguments of `__init__`."""
        return {"words": list(self.vocabulary.words), "data_range": list(self.data_range)}

    def to_unit(self, x):
        """Return images in the data range as images in [0, 1]."""
        low, high = self.data_range
        return (x - low) / (high - low)

    def from_unit(self, x):
        """Return images in [0, 1] as images in the data range."""
        low, high = self.data_range
        return low + (high - low) * x

    def number_format(self):
        """Return the context in which the network computes: autocast for a half format."""
        return torch.autocast(self.device.type, self.format, enabled=self.format != torch.float32)

    def __call__(self, *inputs):
        """Return the network's output, computed in its number format, as float32."""
        with self.number_format():
            return self.evaluate(*inputs).float()

    def embed(self, prompts: list[str]):
        """Return the condition of each prompt, float32 (len(prompts), words), zeros for ""; None
        for a model without classes. Raises ValueError for a prompt the model does not know."""
        cond = self.vocabulary.embed(prompts).to(self.device)
        return cond if self.conditional else None

    def condition(self, labels):
        """Return the condition of each label in a batch, float32 (B, words). Classes, int64 (B,),
        become one-hot vectors; the labels of sentences are conditions already."""
        one_hot = labels.dim() == 1
        return (F.one_hot(labels, len(self.vocabulary.words)) if one_hot else labels).float()


class NoiseModel(Model):
    """A UNet that predicts noise. T: steps of its schedule. schedule: a key of SCHEDULES; default:
    SCHEDULE. predict: what the network returns, one of PREDICTIONS. The rest as in `Model`."""

    predict = "eps"

    def __init__(self, network, T=300, schedule=None, predict="eps", **options):
        super().__init__(network, **options)
        self.predict = predict
        self.schedule_name = schedule or SCHEDULE
        self.schedule = SCHEDULES[self.schedule_name](T).to(self.device)

    def description(self) -> dict:
        """Return what a checkpoint stores besides the network, as arguments of `__init__`."""
        return {"schedule": self.schedule_name, "T": self.schedule.T, "predict": self.predict,
                **super().description()}

    def eps_hat(self, x_t, t, output):
        """Return eps_hat, given what the network returned for x_t and t."""
        return PREDICTIONS[self.predict](self.schedule, x_t, t, output)

    def gain(self, t):
        """Return b of eps_hat = a x_t + b output, (B,1,1,1); `noise_loss` divides by it.

        Derivation: the loss of another target. A network may predict the image or v, or what else
        makes eps_hat = a x_t + b output. Its target is what makes eps of x_t in the same way.
        Subtract the two, and a x_t drops out:

            (output - target)² = (eps_hat - eps)² / b²

        So to compute the loss on the output is to weight each t by 1 / b². For the noise b is 1.
        For the image, by DDPM (4), b is -sqrt(ab_t) / sqrt(1 - ab_t):

            (x_0_hat - x_0)² = (1 - ab_t) / ab_t (eps_hat - eps)²

        which counts an error of the noise 0.0001 times at t = 1 of the linear schedule, about once
        at 150 and 20 times at 300. Without the division, the loss is that of eps_hat, where an
        error of the image counts ab_t / (1 - ab_t) times: t = 1 to 5 alone have 80% of the weight.
        For v, b² is ab_t (velocity.py).

           test_derivations.py: test_the_weights_between_losses
           test_extending.py: test_a_prediction_target_has_its_own_loss
        """
        one = torch.ones(len(t), 1, 1, 1, device=t.device)
        return self.eps_hat(0 * one, t, one)

    def __call__(self, x_t, t, cond=None):
        """Return eps_hat, like x_t (B,C,H,W). t: (B,) int64 in 1..T. cond: from `embed`."""
        with self.number_format():
            output = self.evaluate(x_t, t / self.schedule.T, cond).float()
        return self.eps_hat(x_t, t, output)
