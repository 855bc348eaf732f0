"""What every training script shares: flags, run folder, bar, log, pictures, resuming.

A `Job` says what differs: how the network is built, its loss, what to draw. A run's folder holds

    config.json            the recipe, the data set really used, the hardware
    metrics.csv            step, epoch, loss, lr, images_per_second
    loss.png               the loss so far
    last.pt                the last whole epoch, with all that --resume needs
    weights-epoch-05.pt    the weights after the early epoch and after the last
    *-epoch-05.png         pictures drawn at the same epochs

A run killed in its first epoch has no last.pt yet. Its start is known all the same: the seed in
config.json gives the same weights and the same order again.

Under torchrun several processes do all this together (parallel.py), and one of them writes.
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

from minidiff import checkpoint, cli, config, data, machine, models, parallel, runs, trainer
from minidiff.images import save_curves


class Job(NamedTuple):
    """One kind of training.

    network: arguments of its network besides width.
    loss: (cfg, device) -> loss_fn(network, x_0, labels, generator).
    draw: (network in eval mode, cfg, test set, name_file, caption) -> None, writes PNGs called
    name_file(name). size: side of the pictures; other sizes than 28 are drawn as strokes.
    """

    name: str
    network: dict
    loss: Callable
    draw: Callable
    size: int = 28


def run(job: Job, argv=None) -> Path:
    """Train as the flags say, or resume; return the run's folder."""
    folder, script = None, f"train.{Path(sys.argv[0]).stem}"
    description = f"train the {job.name} model; recipes: full (the course's) and laptop"
    try:
        with parallel.joined():
            classes = [config.TrainConfig, config.RunFlags]
            given, flags = cli.parse(classes, argv, f"python -m {script}", description)
            flags = config.RunFlags(**flags)
            training, sets, folder = (_resume if flags.resume else _start)(job, given, flags)
            _announce(job, training, sets["train"], folder)
            _loop(job, training, sets, folder)
            drawn = sorted(p.name for p in folder.glob(f"*-epoch-{training.epoch:02d}.png"))
            print(f"done: look at {', '.join(drawn)} and loss.png in {folder}")
    except (KeyboardInterrupt, SystemExit):
        if folder and parallel.once():
            place = f" --data-dir {flags.data_dir}" if flags.data_dir else ""
            words = f"--resume --run-dir {folder}{place}"
            told = parallel.farewell(f"train-{job.name}", script, words)
            print(told, file=sys.stderr, flush=True)
        raise
    return folder


def _recipe(job: Job, given: dict, device) -> config.TrainConfig:
    """Merge defaults, the named recipe and the flags that were given."""
    name = given.get("recipe", "auto")
    if name == "auto":
        name = "full" if device.type == "cuda" else "laptop"
    cfg = config.TrainConfig(**{**config.RECIPES[job.name][name], **given, "recipe": name})
    return dataclasses.replace(cfg, precision=machine.pick_precision(cfg.precision, device))


def _training(job: Job, cfg, device) -> trainer.Training:
    """Build the network from the seed, and the training around it."""
    torch.manual_seed(cfg.seed)
    torch.backends.cudnn.deterministic = True  # resuming bit for bit needs it
    network = checkpoint.build(job.name, {"width": cfg.width, **job.network})
    network = network.to(device, memory_format=machine.memory_format(device))
    return trainer.Training(network, job.loss(cfg, device), cfg, device)


def _load(name: str, flags, device, size) -> dict:
    with parallel.writer_first():
        train = data.load(name, "train", flags.data_dir, size).to(device)
    if train.name != (first := parallel.agreed(train.name)):
        raise ValueError(f"one process found {first}, another {train.name}; give all the same data")
    return {"train": train, "test": data.load(train.name, "test", flags.data_dir, size).to(device)}


def _start(job: Job, given: dict, flags):
    """Return a new training, its data and its folder."""
    device = machine.pick_device(flags.device)
    cfg = parallel.agreed(_recipe(job, given, device))  # each might measure another precision
    sets = _load(cfg.dataset, flags, device, job.size)
    cfg = dataclasses.replace(cfg, dataset=sets["train"].name)
    training = _training(job, cfg, device)
    folder = None
    if parallel.writer():
        folder = runs.make_folder(job.name, flags.run_dir)
        hardware = parallel.named(machine.describe(device))
        about = {"model": job.name, "device": device.type, "hardware": hardware}
        runs.write_json(folder / runs.CONFIG, {**about, "config": dataclasses.asdict(cfg)})
        runs.write_log(folder, [])
    return training, sets, parallel.agreed(folder)


def _resume(job: Job, given: dict, flags):
    """Return the training a folder holds, at the end of its last whole epoch."""
    folder = Path(flags.run_dir) if flags.run_dir else runs.newest(job.name, runs.CONFIG)
    about, cfg = _read_config(job, folder)
    for name, value in given.items():
        if value not in (getattr(cfg, name), "auto"):
            raise ValueError(
                f"--resume goes on with the run's own settings, but {name} = {value} was given; "
                "drop the flag, or start anew without --resume"
            )
    device = machine.pick_device(about["device"] if flags.device == "auto" else flags.device)
    if parallel.named(machine.describe(device)) != about["hardware"]:
        print(f"note: begun on {about['hardware']}; here the bits may differ", file=sys.stderr)
    training = _training(job, cfg, device)
    if (folder / runs.LAST).is_file():
        found = models.load_kind(job.name, folder)
        if found["config"] != dataclasses.asdict(cfg):
            raise ValueError(f"{folder / runs.CONFIG} was changed: it is not the recipe of last.pt")
        try:
            training.network.load_state_dict(found["weights"])
            training.load_state_dict(found["training"], found["epoch"], found["step"])
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as e:
            raise ValueError(f"{folder / runs.LAST} cannot be resumed on {device.type}: {e}") from e
    sets = _load(cfg.dataset, flags, device, job.size)
    if parallel.writer():
        runs.write_log(folder, [r for r in runs.read_log(folder) if r["step"] <= training.step])
    return training, sets, folder


def _read_config(job: Job, folder: Path):
    """Return config.json and the TrainConfig in it. Raises ValueError where it is no such run."""
    file = folder / runs.CONFIG
    if not file.is_file():
        raise ValueError(f"{folder} holds no run to resume: there is no {file}")
    try:
        about = json.loads(file.read_text())
        if about["model"] != job.name:
            raise ValueError(f"it is a run of {about['model']!r}, not of {job.name!r}")
        return about, config.TrainConfig(**about["config"])
    except (ValueError, TypeError, KeyError) as e:
        raise ValueError(f"{file} cannot be resumed: {e}") from e


def _announce(job: Job, training, dataset, folder: Path) -> None:
    """Say what will happen, with the expected time, measured on this machine just now."""
    cfg = training.cfg
    per_epoch = trainer.steps_per_epoch(len(dataset), cfg.batch_size)
    seconds = trainer.seconds_per_step(training, dataset)
    left = (cfg.epochs * per_epoch - training.step) * seconds
    count = sum(p.numel() for p in training.network.parameters())
    print(f"model     {job.name} of width {cfg.width}, {count:,} parameters")
    print(f"data      {dataset.name}, {len(dataset):,} pictures")
    print(
        f"recipe    {cfg.recipe}: {cfg.epochs} epochs of {per_epoch} steps, batch "
        f"{cfg.batch_size}, lr {cfg.lr} ({cfg.decay}); expected {_duration(left)} from here"
    )
    for name, recipe in config.RECIPES[job.name].items():
        other = config.TrainConfig(**recipe)
        if recipe != config.RECIPES[job.name][cfg.recipe]:  # work grows with width² and pictures
            work = (other.width / cfg.width) ** 2 * other.epochs * len(dataset) / cfg.batch_size
            print(
                f"other     {name}: width {other.width}, {other.epochs} epochs, batch "
                f"{other.batch_size}; roughly {_duration(work * seconds)} here (--recipe {name})"
            )
    hardware = parallel.named(machine.describe(training.device))
    print(f"machine   {hardware}, training in {cfg.precision}")
    print(f"run       {folder}", flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _loop(job: Job, training, sets, folder: Path) -> None:
    """Draw the bar, write the log, and end each epoch with its checkpoint and pictures."""
    if not parallel.writer():
        for _ in trainer.fit(training, sets["train"]):
            pass
        return
    cfg = training.cfg
    per_epoch = trainer.steps_per_epoch(len(sets["train"]), cfg.batch_size)
    bar = tqdm(
        total=cfg.epochs * per_epoch, initial=training.step, unit="step",
        mininterval=0.5 if sys.stderr.isatty() else 10,  # seconds; a log file wants fewer lines
    )
    start = time.perf_counter()
    with bar, open(folder / runs.LOG, "a", newline="", encoding="utf-8") as log:
        for p in trainer.fit(training, sets["train"]):
            speed = p.images / (time.perf_counter() - start)
            row = [p.step, p.epoch, f"{p.loss:.6f}", f"{p.lr:.3e}", f"{speed:.1f}"]
            csv.writer(log, lineterminator="\n").writerow(row)
            log.flush()
            bar.set_description(f"epoch {p.epoch}/{cfg.epochs}", refresh=False)
            bar.set_postfix_str(f"loss {p.loss:.4f}, {speed:.0f} images/s", refresh=False)
            bar.update(p.step - bar.n)
            if p.epoch_ended:
                loss = _end_of_epoch(job, training, sets["test"], folder)
                bar.write(f"epoch {p.epoch}: mean loss {loss:.4f}")
                sys.stdout.flush()
            start = time.perf_counter()


def _end_of_epoch(job: Job, training, test, folder: Path) -> float:
    """Save, draw at the early epoch and the last, and return the epoch's mean loss.

    last.pt comes last: it says that all of the epoch is there.
    """
    cfg, content = training.cfg, _content(job, training)
    caption = checkpoint.summary(content)
    curves = runs.loss_curves(runs.read_log(folder))
    save_curves(folder / "loss.png", curves, f"training loss: {caption}", "step", "loss")
    if training.epoch in (cfg.early_epoch, cfg.epochs):
        mark = f"epoch-{training.epoch:02d}"
        checkpoint.save(folder / f"weights-{mark}.pt", content)
        training.network.eval()
        job.draw(training.network, cfg, test, lambda name: folder / f"{name}-{mark}.png", caption)
    checkpoint.save(folder / runs.LAST, {**content, "training": training.state_dict()})
    return curves["mean of the epoch"][1][-1]


def _content(job: Job, training) -> dict:
    """Return what every checkpoint of this training holds."""
    return {
        "kind": job.name,
        "network": {"width": training.cfg.width, **job.network},
        "weights": training.network.state_dict(),
        "config": dataclasses.asdict(training.cfg),
        "dataset": training.cfg.dataset,
        "epoch": training.epoch,
        "step": training.step,
        "device": training.device.type,
        "hardware": parallel.named(machine.describe(training.device)),
    }
