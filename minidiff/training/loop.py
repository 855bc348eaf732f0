"""6. The training loop, as a generator of progress records.

For each batch: loss, gradient, one step of Adam (arXiv:1412.6980). Everything around it (progress
bar, log, figures, files) is a `for` loop over the records that `fit` yields. The losses of the
time-conditioned and the class-conditioned model (train/uncond.py, train/class_cond.py):

    noise_loss(model.schedule, model, x_0)
    noise_loss(model.schedule, model, x_0, drop_condition(model.condition(labels), p_uncond))

where `drop_condition` hides a tenth of the labels (chapter 8). Resuming is exact: a checkpoint has
the whole state, weights (with BatchNorm's running statistics), optimiser moments, random state,
epoch and step, and the run ends with the same bits, on the same hardware with as many threads.

The learning rate follows one of three curves:

    constant      lr
    exponential   lr · 0.1^(epoch / epochs) with epoch = 0, 1, ...: changed once per EPOCH
    linear        lr · (1 - step / steps): in a short run, reaching 0 helps a lot

each times min(1, (step + 1) / warmup), with steps counted from 0.

Remember: one training step is a batch, a random t and noise for each image, and one step of Adam on
the error of the predicted noise. Nothing in it knows how images will be sampled.

Exercises
1. A well-known mistake is to change the exponential after every batch. What is the learning rate of
   the full recipe, with 20 epochs of 469 batches, after the first epoch?
   test_exercises.py: test_decay_by_the_batch_ends_learning_within_an_epoch
2. Resume without Adam's moments. Does the loss show it? Do the weights?
   test_loop.py: test_forgetting_a_part_of_the_state_is_noticed
3. Reseed the generator before each step. What does the network see again and again?
   test_loop.py: test_two_batches_do_not_share_their_noise
Next: theory/samplers.py
"""

import math
from typing import NamedTuple

import torch

from minidiff.data.dataset import Dataset, batches
from minidiff.training import ema, parallel
from minidiff.training.recipe import Recipe, learning_rate


class Diverged(ValueError):
    """The loss or a weight is no longer finite."""


class Progress(NamedTuple):
    """The state of a run. step: steps done, of `steps` in all. loss, images: the mean, and how many
    were seen, since the last record. lr: of the last step."""

    epoch: int
    step: int
    steps: int
    loss: float
    lr: float
    images: int
    epoch_ended: bool


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return how many batches cover the set; the last one may be smaller."""
    return -(-images // batch_size)


class Training:
    """The state of a training run: model, optimiser, random state, epochs and steps done.

    model: see models/model.py, on its device. loss_fn: (model, x_0, labels, generator) -> scalar.
    Raises ValueError if there are more processes (parallel.py) than images in a batch.
    """

    def __init__(self, model, loss_fn, cfg: Recipe):
        self.model, self.loss_fn, self.cfg, self.device = model, loss_fn, cfg, model.device
        self.network = model.network
        self.average = ema.begin(self.network) if cfg.ema else None
        model.evaluate = parallel.shared(self.network, cfg.batch_size)  # one device: itself
        self.optimizer = torch.optim.Adam(self.network.parameters(), cfg.lr, fused=True)
        self.generator = torch.Generator(self.device).manual_seed(cfg.seed)
        self.epoch = self.step = 0

    def update(self, x_0, labels, lr):
        """Do one step of Adam on a batch; return its loss, a tensor on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        x_0 = self.model.from_unit(x_0)
        loss = self.loss_fn(self.model, x_0, labels, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        if self.average is not None:
            ema.update(self.average, self.network, self.cfg.ema, self.step)
        return loss.detach()

    @property
    def final(self):
        """The network to sample from: the average, if there is one."""
        return self.network if self.average is None else self.average

    def state_dict(self) -> dict:
        """Return all that resuming needs besides the final weights."""
        state = {"optimizer": self.optimizer.state_dict(), "generator": self.generator.get_state()}
        return state if self.average is None else {**state, "weights": self.network.state_dict()}

    def load_state_dict(self, state: dict, epoch: int, step: int) -> None:
        """Continue from what `state_dict` returned. The final weights are loaded by the caller."""
        if self.average is not None:
            self.network.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        for p in self.network.parameters():
            found = self.optimizer.state[p]
            for name in found.keys() - {"step"}:  # fused Adam trusts shapes and order blindly
                if found[name].shape != p.shape:
                    raise ValueError("the optimiser's moments do not fit the weights")
                found[name] = torch.empty_like(p).copy_(found[name])
        self.generator.set_state(state["generator"])
        self.epoch, self.step = epoch, step

    def check_finite(self) -> None:
        """Raise Diverged if a weight is no longer a finite number."""
        if not all(torch.isfinite(p).all() for p in self.network.parameters()):
            raise Diverged(_diverged("a weight", self))


def _diverged(what, training):
    kept = "the last checkpoint is kept; " if training.epoch else ""
    exact = "" if training.cfg.precision == "float32" else " or --precision float32"
    return (f"{what} became infinite or NaN in epoch {training.epoch + 1}, step {training.step}; "
            f"{kept}start again with a lower --lr{exact}")


def fit(training: Training, dataset: Dataset, log_every: int = 10):
    """Train to cfg.epochs; yield a Progress every `log_every` steps and at the end of each epoch.

    dataset: on the training's device. At a record with `epoch_ended` the run can be saved, to be
    resumed bit for bit. Raises Diverged at a loss that is not finite.
    """
    cfg = training.cfg
    per_epoch = steps_per_epoch(len(dataset), cfg.batch_size)
    steps = cfg.epochs * per_epoch
    training.network.train()
    while training.epoch < cfg.epochs:
        total, count, images = torch.zeros((), device=training.device), 0, 0
        for x_0, labels in batches(dataset.at(training.epoch), cfg.batch_size, training.generator):
            lr = learning_rate(cfg, training.step, per_epoch)
            total += training.update(x_0, labels, lr)  # on the device: no wait for its value
            count, images = count + 1, images + len(x_0)
            ended = training.step % per_epoch == 0
            if count < log_every and not ended:
                continue
            loss = total.item() / count
            if not math.isfinite(loss):
                raise Diverged(_diverged("the loss", training))
            if ended:
                training.check_finite()
                training.epoch += 1
            epoch = training.epoch + (not ended)
            yield Progress(epoch, training.step, steps, loss, lr, images, ended)
            training.network.train()
            total, count, images = torch.zeros_like(total), 0, 0
