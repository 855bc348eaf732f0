"""What every training script shares: from flags to a run, started or resumed.

A `Job` says what differs: how the network is built, its loss, what to draw. A run's folder holds

    config.json            the recipe, the data set, the hardware
    metrics.csv            step, epoch, loss, lr, images_per_second, validation
    loss.png               the loss so far
    last.pt                the last complete epoch, with all that --resume needs
    weights-epoch-05.pt    the weights after the early epoch and after the last
    *-epoch-05.png         figures made at the same epochs

A finished run may go on: --resume --epochs N, with the learning rate of a run of N epochs.

While a training runs, its folder is locked: a second one is refused. Before a resumed run goes on,
all that its folder holds is checked.

A run killed in its first epoch has no last.pt yet, but can be resumed too: the seed in config.json
yields the same weights and the same order again.

Under torchrun several processes do all this together (parallel.py), and one of them writes.
"""

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from minidiff.files import runs, validate
from minidiff.models import zoo
from minidiff.system import cli, errors, hardware
from minidiff.training import parallel, start
from minidiff.training.loop import Training, fit, steps_per_epoch
from minidiff.training.recipe import RECIPES, Recipe, RunOptions, for_images
from train.record import Record


class Job(NamedTuple):
    """One kind of training.

    name: a key of RECIPES and of zoo.MODELS. network: training set -> arguments of its network
    besides width. loss: (model, x_0, labels, generator, cfg) -> scalar. draw: (model in eval mode,
    cfg, test set, name_file, caption) -> None, writes PNGs called name_file(name). uses: those of
    SPECIAL that have an effect. scale: side of its images, over the data set's own. judge: whether
    it is trained to answer questions, on images of every kind.
    """

    name: str
    network: Callable
    loss: Callable
    draw: Callable
    uses: tuple = ()
    scale: int = 1
    judge: bool = False


CONDITIONAL = ("T", "network", "schedule", "predict", "sample_steps", "p_uncond")
SPECIAL = (*CONDITIONAL, "sigma")  # options that are of no use to some trainings


def launch(job: Job, argv=None) -> Path:
    """Train as the flags say, or resume; return the run's folder."""
    training = folder = None
    script = f"train.{Path(sys.argv[0]).stem}"
    about = f"train the {job.name} model; recipes: full (the course's) and laptop"
    try:
        with parallel.joined(), ExitStack() as held:
            (cfg, flags), typed = cli.parse(
                [Recipe, RunOptions], argv, f"python -m {script}", about,
                lambda typed: _recipe(job, typed),
            )
            if unused := typed & ({*SPECIAL} - {*job.uses}):
                raise ValueError(f"training {job.name!r} has no use for {cli.flags(unused)}; leave "
                                 "it out")
            begin = _resume if flags.resume else _start
            training, sets, folder = begin(job, cfg, flags, typed, held)
            with Record(job, training, sets, folder) as record:
                for progress in fit(training, sets["train"]):
                    record.add(progress)
            made = sorted(p.name for p in folder.glob(f"*-epoch-{training.epoch:02d}.png"))
            print(f"done: look at {', '.join(made)} and loss.png in {folder}")
    except (KeyboardInterrupt, SystemExit, OSError) as e:
        if not folder:
            raise
        words = ["--resume", "--run-dir", str(folder)]
        words += ["--data-dir", flags.data_dir] if flags.data_dir else []
        kept = training.epoch if (folder / runs.LAST).is_file() else 0
        hint = parallel.resume_hint(f"train-{job.name}", script, shlex.join(words), kept)
        if isinstance(e, OSError):  # such as a full disk
            raise OSError(f"{errors.sentence(e)}; {hint}") from e
        if parallel.once():
            print(hint, file=sys.stderr, flush=True)
        raise
    return folder


def _recipe(job: Job, typed: dict) -> dict:
    """Return the values of the recipe typed or, for auto, of the one that fits the machine."""
    name = typed.get("recipe", "auto")
    if name == "auto":
        device = hardware.pick_device(typed.get("device", "auto"))
        name = "full" if device.type == "cuda" else "laptop"
    return {**RECIPES[job.name][name], "recipe": name}


def _start(job: Job, cfg, flags, typed, held: ExitStack):
    """Return a new training, its data and its folder, which is locked while `held` is open."""
    device = hardware.pick_device(flags.device)
    if cfg.recipe == "auto":  # typed
        cfg = dataclasses.replace(cfg, recipe=_recipe(job, {"device": flags.device})["recipe"])
    precision = hardware.pick_precision(cfg.precision, device)
    cfg = parallel.agreed(dataclasses.replace(cfg, precision=precision))  # each may pick another
    sets = start.load_sets(cfg, device, flags.data_dir, job.scale, job.judge)
    cfg = dataclasses.replace(cfg, dataset=sets["train"].name)
    cfg = for_images(cfg, sets["train"], typed)
    training = start.begin(job.name, job.network, job.loss, cfg, sets["train"])
    if cfg.init:
        start.initialise(training, job.name, cfg.arguments(job.network(sets["train"])))
    folder = None
    if parallel.writer():
        folder = runs.make_folder(job.name, flags.run_dir)
        held.enter_context(runs.locked(folder))
        runs.check_empty(folder)  # another training may have had it, and ended
        machine = parallel.named(hardware.describe(device))
        about = {"model": job.name, "device": device.type, "hardware": machine}
        about |= {"description": training.model.description()}  # for a run without last.pt
        runs.write_json(folder / runs.CONFIG, {**about, "config": dataclasses.asdict(cfg)})
        runs.write_log(folder, [])
    return training, sets, parallel.agreed(folder)


def _resume(job: Job, given, flags, typed, held: ExitStack):
    """Return the training that a folder holds, at the end of its last complete epoch."""
    run_dir = os.path.expanduser(flags.run_dir)
    folder = Path(run_dir) if run_dir else runs.newest(job.name, runs.CONFIG)
    about, cfg = _read_config(job, folder)
    for name in sorted(typed & {f.name for f in dataclasses.fields(Recipe)}):
        value = getattr(given, name)
        if name == "epochs" and value > cfg.epochs:
            continue
        if value not in (getattr(cfg, name), "auto"):
            raise ValueError(
                f"--resume continues with the run's own settings, but {name} = {value} was given; "
                "drop the flag, or start again without --resume"
            )
    more = max(cfg.epochs, given.epochs if "epochs" in typed else 0)
    longer, cfg = more > cfg.epochs, dataclasses.replace(cfg, epochs=more)
    device = hardware.pick_device(about["device"] if flags.device == "auto" else flags.device)
    if parallel.named(hardware.describe(device)) != about["hardware"]:
        print(f"note: started on {about['hardware']}; results may differ here", file=sys.stderr)
    if parallel.writer():
        held.enter_context(runs.locked(folder))
    sets = start.load_sets(cfg, device, flags.data_dir, job.scale, job.judge)
    training = _training_in(job, folder, cfg, sets["train"], about)
    log = runs.read_log(folder)
    steps = training.epoch * steps_per_epoch(len(sets["train"]), cfg.batch_size)
    if training.step != steps or training.epoch > cfg.epochs:
        raise ValueError(
            f"{folder / runs.LAST} has {training.step} steps in {training.epoch} of {cfg.epochs} "
            f"epochs, but with {sets['train'].name} as it is here they have {steps}; name the data "
            "it was trained on with --data-dir"
        )
    if parallel.writer():
        runs.write_log(folder, [r for r in log if r["step"] <= training.step])
        if longer:
            runs.write_json(folder / runs.CONFIG, {**about, "config": dataclasses.asdict(cfg)})
    return training, sets, folder


def _training_in(job: Job, folder, cfg, data, about) -> Training:
    """Return the training with the state of the folder's last.pt, if it has one."""
    file, found = folder / runs.LAST, None
    if file.is_file():
        found = zoo.load_kind(job.name, folder)
        before = Recipe.stored(found["config"], file)
        if before.epochs > cfg.epochs or dataclasses.replace(before, epochs=cfg.epochs) != cfg:
            raise ValueError(f"{folder / runs.CONFIG} was changed: it is not the recipe of last.pt")
    known = zoo.description(found, file) if found else about.get("description")
    training = start.begin(job.name, job.network, job.loss, cfg, data, known)
    if found:
        start.restore(training, found)
    elif cfg.init:
        start.initialise(training, job.name, cfg.arguments(job.network(data)))
    return training


def _read_config(job: Job, folder: Path):
    """Return config.json and the Recipe in it. Raises ValueError where it is no such run."""
    file = folder / runs.CONFIG
    if not file.is_file():
        raise ValueError(f"{folder} holds no run to resume: there is no {file}")
    cure = "restore the file, or start another run"
    about = runs.read_json(file, cure)
    try:
        if about["model"] != job.name:
            raise ValueError(f"it is a run of {about['model']!r:.40}, not of {job.name!r}")
        for name in ("device", "hardware"):
            validate.check({name: about[name]}, validate.CHECKPOINT)
        cfg = Recipe.stored(about["config"], "config")
        if cfg.recipe not in RECIPES[job.name]:
            raise ValueError(f"unknown recipe {cfg.recipe!r}")
        if "description" in about:
            found = {"kind": job.name, "config": about["config"], "model": about["description"]}
            validate.check(found, validate.CHECKPOINT)
            zoo.description(found, "its description")
        return about, cfg
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        what = f"it lacks {e}" if isinstance(e, KeyError) else e
        raise ValueError(f"{file} cannot be resumed: {what}; {cure}") from e
