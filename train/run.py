"""What every training script shares: flags, run folder, bar, log, pictures, resuming.

A `Job` says what differs: how the network is built, its loss, and what to draw. A run's folder
holds

    config.json            the recipe, the data set really used, the hardware
    metrics.csv            step, epoch, loss, lr, images_per_second
    loss.png               the loss so far
    last.pt                the last whole epoch, with all that --resume needs
    weights-epoch-05.pt    the weights after the early epoch and after the last
    *-epoch-05.png         pictures drawn at the same epochs
"""

import csv
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from minidiff import checkpoint, config, data, machine, models, runs, trainer
from minidiff.images import save_curves


class Job(NamedTuple):
    """One kind of training.

    network: arguments of its network besides width.
    loss: (cfg, device) -> loss_fn(network, x_0, labels, generator).
    draw: (network in eval mode, cfg, test set, path, caption) -> None, writes PNGs; path(name)
    names them.
    """

    name: str
    network: dict
    loss: Callable
    draw: Callable


def run(job: Job, argv=None) -> Path:
    """Train as the flags say, or resume; return the run's folder."""
    description = f"train the {job.name} model; recipes: full (the course's) and laptop"
    recipe, flags = config.parse(
        [config.TrainConfig, config.RunFlags], argv, f"python -m train.{job.name}", description
    )
    flags = config.RunFlags(**flags)
    if flags.resume:
        training, dataset, folder = _resume(job, recipe, flags)
    else:
        training, dataset, folder = _start(job, recipe, flags)
    _announce(job, training, dataset, folder)
    test = data.load(dataset.name, "test", flags.data_dir)
    try:
        _loop(job, training, dataset, test, folder)
    except (KeyboardInterrupt, SystemExit):
        again = f'make train-{job.name} ARGS="--resume --run-dir {folder}"'
        print(f"stopped; the last whole epoch is kept, go on with: {again}", file=sys.stderr)
        raise
    pictures = ", ".join(sorted(p.name for p in folder.glob(f"*-epoch-{training.epoch:02d}.png")))
    print(f"done: look at {pictures} and loss.png in {folder}")
    return folder


def _recipe(job: Job, given: dict, name: str, device) -> config.TrainConfig:
    """Merge defaults, the named recipe and the flags that were given."""
    if name == "auto":
        name = "full" if device.type == "cuda" else "laptop"
    cfg = config.TrainConfig(**{**config.RECIPES[job.name][name], **given})
    precision = machine.pick_precision(cfg.precision, device)
    early = min(cfg.early_epoch, cfg.epochs)
    return dataclasses.replace(cfg, precision=precision, early_epoch=early)


def _training(job: Job, cfg, device) -> trainer.Training:
    """Build the network from the seed, and the training around it."""
    torch.manual_seed(cfg.seed)
    torch.backends.cudnn.deterministic = True  # resuming bit for bit needs it
    network = checkpoint.build(job.name, {"width": cfg.width, **job.network})
    network = network.to(device, memory_format=machine.memory_format(device))
    return trainer.Training(network, job.loss(cfg, device), cfg, device)


def _start(job: Job, given: dict, flags):
    device = machine.pick_device(flags.device)
    cfg = _recipe(job, given, flags.recipe, device)
    dataset = data.load(cfg.dataset, "train", flags.data_dir).to(device)
    cfg = dataclasses.replace(cfg, dataset=dataset.name)
    training = _training(job, cfg, device)
    folder = runs.make_folder(job.name, flags.run_dir)
    about = {"model": job.name, **dataclasses.asdict(cfg), "hardware": machine.describe(device)}
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n")
    runs.write_log(folder, [])
    _save(job, training, folder / runs.LAST)
    return training, dataset, folder


def _resume(job: Job, given: dict, flags):
    folder = Path(flags.run_dir) if flags.run_dir else runs.newest(job.name)
    found = models.load_kind(job.name, folder)
    if "training" not in found:
        raise ValueError(f"{folder / runs.LAST} holds weights only and cannot be resumed")
    try:
        cfg = config.TrainConfig(**found["config"])
    except TypeError as e:
        raise ValueError(f"{folder} was made by another version of minidiff: {e}") from e
    own = {"recipe": "auto", **found["config"]}
    for name, value in {**given, "recipe": flags.recipe}.items():
        if value not in (own[name], "auto"):
            raise ValueError(
                f"--resume goes on with the run's own settings, but {name} = {value} was given; "
                "drop the flag, or start anew without --resume"
            )
    device = machine.pick_device(found["device"] if flags.device == "auto" else flags.device)
    if device.type != found["device"]:
        raise ValueError(
            f"the run in {folder} was made on {found['device']} and cannot go on exactly on "
            f"{device.type}; drop --device"
        )
    dataset = data.load(cfg.dataset, "train", flags.data_dir).to(device)
    training = _training(job, cfg, device)
    training.network.load_state_dict(found["weights"])
    training.load_state_dict(found["training"], found["epoch"], found["step"])
    runs.write_log(folder, [r for r in runs.read_log(folder) if r["step"] <= training.step])
    return training, dataset, folder


def _announce(job: Job, training, dataset, folder: Path) -> None:
    """Say what will happen, with the expected time, measured on this machine just now."""
    cfg = training.cfg
    per_epoch = trainer.steps_per_epoch(len(dataset), cfg.batch_size)
    left = cfg.epochs * per_epoch - training.step
    minutes = left * trainer.seconds_per_step(training, dataset) / 60
    count = sum(p.numel() for p in training.network.parameters())
    recipes = " or ".join(config.RECIPES[job.name])
    print(f"model     {job.name} of width {cfg.width}, {count:,} parameters")
    print(f"data      {dataset.name}, {len(dataset):,} pictures")
    print(
        f"recipe    {cfg.epochs} epochs of {per_epoch} steps, batch {cfg.batch_size}, lr {cfg.lr} "
        f"({cfg.decay}); --recipe {recipes} picks another"
    )
    print(f"machine   {machine.describe(training.device)}, training in {cfg.precision}")
    print(f"run       {folder}")
    print(f"expected  about {minutes:.1f} minutes from epoch {training.epoch}", flush=True)


def _loop(job: Job, training, dataset, test, folder: Path) -> None:
    """Draw the bar, write the log, and end each epoch with its checkpoint and pictures."""
    cfg = training.cfg
    per_epoch = trainer.steps_per_epoch(len(dataset), cfg.batch_size)
    bar = tqdm(total=cfg.epochs * per_epoch, initial=training.step, unit="step", mininterval=0.5)
    start, losses = time.perf_counter(), []
    with bar, open(folder / runs.LOG, "a", newline="") as log:
        for p in trainer.fit(training, dataset):
            now = time.perf_counter()
            speed = p.images / (now - start)
            row = [p.step, p.epoch, f"{p.loss:.6f}", f"{p.lr:.3e}", f"{speed:.1f}"]
            csv.writer(log).writerow(row)
            log.flush()
            bar.set_description(f"epoch {p.epoch}/{cfg.epochs}", refresh=False)
            bar.set_postfix_str(f"loss {p.loss:.4f}, {speed:.0f} images/s", refresh=False)
            bar.update(p.step - bar.n)
            losses.append(p.loss)
            if p.epoch_ended:
                bar.write(f"epoch {p.epoch}: mean loss {sum(losses) / len(losses):.4f}")
                losses = []
                _end_of_epoch(job, training, test, folder)
            start = time.perf_counter()


def _end_of_epoch(job: Job, training, test, folder: Path) -> None:
    """Save, and draw at the early epoch and the last. last.pt comes last: it says all is there."""
    cfg, network = training.cfg, training.network
    caption = f"{job.name} (D={cfg.width}), {cfg.dataset}, epoch {training.epoch}"
    curves = runs.loss_curves(runs.read_log(folder))
    save_curves(folder / "loss.png", curves, f"training loss: {caption}", "step", "loss")
    if training.epoch in (cfg.early_epoch, cfg.epochs):
        mark = f"epoch-{training.epoch:02d}"
        _save(job, training, folder / f"weights-{mark}.pt", resumable=False)
        network.eval()
        job.draw(network, cfg, test, lambda name: folder / f"{name}-{mark}.png", caption)
    _save(job, training, folder / runs.LAST)


def _save(job: Job, training, path: Path, resumable=True) -> None:
    content = {
        "kind": job.name,
        "network": {"width": training.cfg.width, **job.network},
        "weights": training.network.state_dict(),
        "config": dataclasses.asdict(training.cfg),
        "dataset": training.cfg.dataset,
        "epoch": training.epoch,
        "step": training.step,
        "device": training.device.type,
        "hardware": machine.describe(training.device),
    }
    checkpoint.save(path, {**content, "training": training.state_dict()} if resumable else content)
