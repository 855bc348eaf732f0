"""The record of a training run: a progress bar, the log, and at the end of each epoch a
checkpoint, the loss curve and, twice, samples."""

import sys
import time
from contextlib import contextmanager
from copy import copy, deepcopy

import torch
from tqdm import tqdm

from minidiff.files import checkpoint, runs
from minidiff.files.images import save_curves
from minidiff.system import errors, hardware
from minidiff.training import loop, parallel, start
from minidiff.training.recipe import RECIPES, Recipe

TESTED = 512  # images of the test set whose loss is computed after each epoch


class Record:
    """The record of a training run, a context manager; `add` takes each Progress. Only one of
    several processes writes. job, training, sets, folder: as in launch.py."""

    def __init__(self, job, training, sets, folder):
        self.job, self.training, self.sets, self.folder = job, training, sets, folder
        self.losses, self.notes = [], set()

    def __enter__(self):
        announce(self.job, self.training, self.sets["train"], self.folder)
        if parallel.writer():
            cfg, data = self.training.cfg, self.sets["train"]
            self.bar = tqdm(
                total=cfg.epochs * loop.steps_per_epoch(len(data), cfg.batch_size),
                initial=self.training.step, unit="step",
                mininterval=0.5 if sys.stderr.isatty() else 10,  # seconds; fewer lines in a file
            )
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        if parallel.writer():
            self.bar.close()

    def add(self, p):
        """Show and log a Progress; at the end of an epoch save and draw."""
        if not parallel.writer():
            return
        speed = p.images / (time.perf_counter() - self.start)
        self.losses.append(p.loss)
        row = {"step": p.step, "epoch": p.epoch, "loss": f"{p.loss:.6f}", "lr": f"{p.lr:.3e}",
               "images_per_second": f"{speed:.1f}"}
        if p.epoch_ended:
            with self.optional("the loss on test images was not computed"):
                row["validation"] = f"{validation_loss(self.training, self.sets['test']):.6f}"
        with self.optional("a row of the log was not written"):
            runs.append_log(self.folder, row)
        self.bar.set_description(f"epoch {p.epoch}/{self.training.cfg.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {p.loss:.4f}, {speed:.0f} images/s", refresh=False)
        self.bar.update(p.step - self.bar.n)
        if p.epoch_ended and self.keeps(p.epoch):
            self.end_of_epoch()
            tested = f"; on test images {row['validation'][:-2]}" if "validation" in row else ""
            mean = sum(self.losses) / len(self.losses)
            self.bar.write(f"epoch {p.epoch}: mean loss {mean:.4f}{tested}")
            sys.stdout.flush()
            self.losses = []
        self.start = time.perf_counter()

    def keeps(self, epoch) -> bool:
        """Return whether an epoch is saved: each, or every so many where there are hundreds."""
        cfg = self.training.cfg
        return epoch % max(1, cfg.epochs // 50) == 0 or epoch in (cfg.early_epoch, cfg.epochs)

    def end_of_epoch(self) -> None:
        """Save, draw after the early epoch and the last, then draw the loss curve.

        Of the checkpoints, last.pt is written last: its presence means that the epoch is complete.
        """
        job, training, folder = self.job, self.training, self.folder
        cfg, content = training.cfg, self.content()
        caption = checkpoint.summary(content)
        if training.epoch in (cfg.early_epoch, cfg.epochs):
            name = f"epoch-{training.epoch:02d}"
            checkpoint.save(folder / f"weights-{name}.pt", content)
            network = training.final.eval()
            model = type(training.model)(network, **training.model.description())  # in float32
            with self.optional("a figure was not drawn"):
                job.draw(model, cfg, self.sets["test"],
                         lambda k: folder / f"{k}-{name}.png", caption)
        checkpoint.save(folder / runs.LAST, {**content, "training": training.state_dict()})
        with self.optional("the loss curve was not drawn"):
            curves = runs.loss_curves(runs.read_log(folder))
            save_curves(folder / "loss.png", curves, f"training loss: {caption}", "step", "loss")

    @contextmanager
    def optional(self, note):
        """Turn an error in the block into a note, once: it must not cost the epoch."""
        try:
            yield
        except Exception as e:
            if note not in self.notes:
                self.notes.add(note)
                self.bar.write(f"note: {note}: {errors.sentence(e) or repr(e)}", file=sys.stderr)

    def content(self) -> dict:
        """Return what every checkpoint of this training holds."""
        return start.content(self.training, self.job.name, self.job.network, self.sets["train"])


@torch.no_grad()
def validation_loss(training, test) -> float:
    """Return the loss of the final network on TESTED test images, with the same noise and t each
    time, and BatchNorm as in sampling: comparable from epoch to epoch."""
    model = type(training.model)(training.final.eval(), **training.model.description())
    generator, total = torch.Generator(training.device).manual_seed(0), 0.0
    parts = torch.arange(min(TESTED, len(test)), device=test.labels.device).split(64)
    for index in parts:
        x_0 = model.from_unit(test.images_at(index))
        loss = training.loss_fn(model, x_0, test.labels[index], generator)
        total += loss.item() * len(index)
    return total / sum(map(len, parts))


def announce(job, training, dataset, folder) -> None:
    """Print what will happen, with the expected time, measured on this machine just now."""
    cfg = training.cfg
    per_epoch = loop.steps_per_epoch(len(dataset), cfg.batch_size)
    seconds = seconds_per_step(training, dataset)
    left = (cfg.epochs * per_epoch - training.step) * seconds
    count = sum(p.numel() for p in training.network.parameters())
    print(f"model     {job.name} of width {cfg.width}{_wide(cfg)}, {count:,} parameters")
    words = dataset.words[:12] + ("...",) * (len(dataset.words) > 12)
    print(f"data      {dataset.name}, {len(dataset):,} images {'x'.join(map(str, dataset.shape))}"
          + (f", {len(dataset.words)} words: {' '.join(words)}" if words else ""))
    print(
        f"recipe    {cfg.recipe}: {_count(cfg.epochs, 'epoch')} of {_count(per_epoch, 'step')}, "
        f"batch {cfg.batch_size}, lr {cfg.lr} ({cfg.decay}); expected {_duration(left)} from here"
    )
    for name, recipe in RECIPES[job.name].items():
        other = Recipe(**recipe)
        if recipe != RECIPES[job.name][cfg.recipe]:
            work = cost(other.width, other.network) / cost(cfg.width, cfg.network)
            work *= other.epochs * len(dataset) / cfg.batch_size
            print(
                f"other     {name}: width {other.width}{_wide(other)}, "
                f"{_count(other.epochs, 'epoch')}, batch {other.batch_size}; "
                f"roughly {_duration(work * seconds)} here (--recipe {name})"
            )
    machine = parallel.named(hardware.describe(training.device))
    print(f"machine   {machine}, training in {cfg.precision}")
    print(f"run       {folder}", flush=True)


def seconds_per_step(training, dataset) -> float:
    """Return the time of one step, measured on a throw-away copy, to estimate the whole run's."""
    model = copy(training.model)
    model.network = deepcopy(training.network)
    trial = loop.Training(model, training.loss_fn, training.cfg)
    index = slice(0, training.cfg.batch_size)
    x_0, labels = dataset.images_at(index), dataset.labels[index]
    runs = []
    while len(runs) < 3 or (sum(runs) < 1 and len(runs) < 20):
        start = time.perf_counter()
        trial.update(x_0, labels, training.cfg.lr).item()
        runs.append(parallel.agreed(time.perf_counter() - start))
    return min(runs[1:])  # the first one warms up


def cost(width: int, network: str = "course") -> float:
    """Return how long an image takes at a width D, relative to others: convolutions grow with D²,
    what reads and writes features with D. The 48 was measured, D = 4 .. 128 on a CPU; so was that a
    wide network takes as long as the course's with 1.5 times its D, D = 16 .. 64."""
    width *= 1.5 if network == "wide" else 1
    return width * (width + 48)


def _wide(recipe) -> str:
    return " (wide)" if recipe.network == "wide" else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return _count(max(1, round(seconds)), "second")
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + "s" * (n != 1)
