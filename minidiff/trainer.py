"""The training loop, as a generator of progress records.

For each batch: loss, gradient, one step of Adam (arXiv:1412.6980). All that surrounds it (bar,
log, pictures, files) is a `for` loop over the records that `fit` yields, so the loop itself
stays this short.

Resuming is exact. A training is determined by five things: weights (BatchNorm's running means
among them), optimiser moments, random state, epoch and step. A checkpoint holds all five; the
learning rate is a function of the step and needs no memory. Training from a saved state gives
the same bits as never having stopped, on the same hardware with as many threads.

The learning rate has three shapes:

    constant      lr
    exponential   lr · 0.1^(epoch / epochs) with epoch = 0, 1, ...: changed once an EPOCH
    linear        lr · (1 - step / steps): in a short training, reaching 0 is worth a lot

each times min(1, (step + 1) / warmup), with steps counted from 0. Changing the exponential once a
batch instead is a well-known mistake: after one epoch nothing is learned any more.

A GPU works while Python runs ahead, unless Python asks for a number. So losses are summed on
the device and read once every few steps; a loss that is no longer finite is seen then, and
`Diverged` raised before any file is written.

Exercises
1. Change the exponential once a batch. What is the learning rate of the full recipe, 469 batches an
   epoch and 20 epochs, after the first epoch?
   test_exercises.py: test_decay_by_the_batch_ends_learning_within_an_epoch
2. Resume without Adam's moments. Does the loss show it? Do the weights?
   test_trainer.py: test_forgetting_a_part_of_the_state_is_noticed
3. Seed the generator anew before each step. What does the network see again and again?
   test_trainer.py: test_two_batches_do_not_share_their_noise
Next: parallel.py
"""

import math
import time
from copy import deepcopy
from typing import NamedTuple

import torch

from minidiff import parallel
from minidiff.config import TrainConfig
from minidiff.data import Dataset, batches


class Diverged(ValueError):
    """The loss or a weight is no longer finite."""


class Progress(NamedTuple):
    """What happened since the last record.

    epoch: 1, 2, ... step, steps: done and to be done in all. loss: mean since the last record.
    lr: of the last step. images: seen since the last record. epoch_ended: whether this closes it.
    """

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


def learning_rate(cfg: TrainConfig, step: int, per_epoch: int) -> float:
    """Return the learning rate of step 0, 1, ..., a pure function of the recipe (see above)."""
    rise = min(1.0, (step + 1) / cfg.warmup) if cfg.warmup else 1.0
    if cfg.decay == "exponential":
        fall = 0.1 ** (step // per_epoch / cfg.epochs)
    elif cfg.decay == "linear":
        fall = 1 - step / (cfg.epochs * per_epoch)
    else:
        fall = 1.0
    return cfg.lr * rise * fall


class Training:
    """A training at one exact point: network, optimiser, random state, epochs and steps done.

    network: UNet on `device`. loss_fn: (network, x_0, labels, generator) -> scalar. Raises
    ValueError where more processes train than a batch has pictures (parallel.py).
    """

    def __init__(self, network, loss_fn, cfg: TrainConfig, device):
        self.network, self.loss_fn, self.cfg, self.device = network, loss_fn, cfg, device
        self.shared = parallel.shared(network, cfg.batch_size)  # the network itself, or many
        self.optimizer = torch.optim.Adam(network.parameters(), cfg.lr, fused=True)
        self.generator = torch.Generator(device).manual_seed(cfg.seed)
        self.epoch = self.step = 0

    def update(self, x_0, labels, lr):
        """Do one step of Adam on a batch; return its loss, a tensor on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        bfloat16 = self.cfg.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            loss = self.loss_fn(self.shared, x_0, labels, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.detach()

    def state_dict(self) -> dict:
        """Return all that a continuation needs besides the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict, epoch: int, step: int) -> None:
        """Take up the point that `state_dict` described. The weights are the caller's."""
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
    return (
        f"{what} became infinite or NaN in epoch {training.epoch + 1}, step {training.step}; the "
        "last good checkpoint is kept; start anew with a lower --lr or with --precision float32"
    )


def fit(training: Training, dataset: Dataset, log_every: int = 10):
    """Train to cfg.epochs; yield a Progress every `log_every` steps and one that ends each epoch.

    dataset: on the training's device. At a record with `epoch_ended` the training can be saved
    and, later, continued bit for bit. Raises Diverged at a loss that is not finite.
    """
    cfg = training.cfg
    per_epoch = steps_per_epoch(len(dataset), cfg.batch_size)
    steps = cfg.epochs * per_epoch
    training.network.train()
    while training.epoch < cfg.epochs:
        total, count, images = torch.zeros((), device=training.device), 0, 0
        for x_0, labels in batches(dataset, cfg.batch_size, training.generator):
            lr = learning_rate(cfg, training.step, per_epoch)
            total += training.update(x_0, labels, lr)
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


def seconds_per_step(training: Training, dataset: Dataset) -> float:
    """Measure one step on a throw-away copy, to tell beforehand how long a run will take."""
    copy = Training(deepcopy(training.network), training.loss_fn, training.cfg, training.device)
    index = slice(0, training.cfg.batch_size)
    x_0, labels = dataset.pictures(index), dataset.labels[index]
    runs = []
    while len(runs) < 3 or (sum(runs) < 1 and len(runs) < 20):
        start = time.perf_counter()
        copy.update(x_0, labels, training.cfg.lr).item()
        runs.append(parallel.agreed(time.perf_counter() - start))
    return min(runs[1:])  # the first one warms up
