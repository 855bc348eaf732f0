"""What every sampling script shares: options, model, progress bar, caption, files.

    from options to images:  begin -> generate -> watch -> enlarge -> write
"""

import os
import time
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from minidiff.api.pipeline import Pipeline
from minidiff.evaluation.gallery import draw_gif
from minidiff.evaluation.metrics import check_finite
from minidiff.files import images
from minidiff.files.atomic import atomic_write
from minidiff.models import zoo
from minidiff.models.flow_model import FlowModel
from minidiff.models.model import UNGUIDED
from minidiff.models.options import LARGE, OutputOptions, SampleOptions
from minidiff.system import cli, hardware
from sample import prompts
from sample.examples import EXAMPLES

FRAMES = 40  # of a GIF


class Session(NamedTuple):
    """What a script needs for sampling. own: its dataclass of options. more: further ones. typed:
    names of options. model: with its options settled. files: {".png": path, ...}."""

    own: object
    options: SampleOptions
    outputs: OutputOptions
    more: tuple
    typed: set
    model: Pipeline
    files: dict


def begin(script, own, argv, about, *, kinds, more=()) -> Session:
    """Read the options, check them, load the model; return the Session.

    script: its name. own: its dataclass of options. about: for --help. kinds: of models, the first
    is the default; deepfloyd is accepted where a diffusion model is. more: further dataclasses.
    """
    def brought(typed):
        if set(kinds) <= set(zoo.FLOWS):
            refuse(kinds[0], typed.keys() & set(FlowModel.ignored))
        place = typed.get("model", "")
        data = zoo.data_of(kinds[0], place)
        kind = data if data in ("deepfloyd", "doodles") else "digits"
        suited, example = zoo.defaults_of(kinds[0], place), EXAMPLES.get((script, kind), {})
        fixed = UNGUIDED if UNGUIDED.items() <= suited.items() else {}  # no labels: no guidance
        return {**suited, **example, **fixed}

    classes, prog = [own, SampleOptions, OutputOptions, *more], f"python -m sample.{script}"
    (own, options, outputs, *more), typed = cli.parse(classes, argv, prog, about, brought)
    files = writable(outputs)
    model = Pipeline(load(options, kinds, typed), None, options)
    check_second_stage(outputs, model)
    return Session(own, options, outputs, tuple(more), typed, model, files)


def load(options, kinds, typed=frozenset(), place=""):
    """Return the model that the options name, on their device, and print which it is. place: used
    instead of options.model. Raises ValueError for a kind not in `kinds`, and for typed options
    that do not apply to the model."""
    place = place or options.model
    device = hardware.pick_device(options.device)
    if place == "deepfloyd":
        if not set(kinds) & set(zoo.DIFFUSIONS):
            raise ValueError("deepfloyd is not a flow; use it with sample.class_cond")
        if options.precision == "bfloat16":
            raise ValueError("deepfloyd computes in float16 or float32; drop --precision bfloat16")
        large = {name: getattr(options, name) for name in LARGE}
        half = "precision" not in typed or options.precision != "float32"
        model = zoo.load_model(place, device, half=half, **large)
    else:
        precision = hardware.pick_precision(options.precision, device)
        model = zoo.load_model(place, device, precision, kinds)
    unguided = () if model.conditional else (*UNGUIDED, "negative")
    refuse(model.kind, typed & {*model.ignored, *unguided})
    print(f"weights: {zoo.origin(model.file)} ({model.summary})", flush=True)
    return model


def refuse(kind, unused):
    """Raise ValueError for typed options that do not apply to a kind of model."""
    if unused:
        raise ValueError(f"a {kind!r} model has no use for {cli.flags(unused)}; leave it out")


def run(script, kinds, own, about, argv=None):
    """Generate an image per prompt as the options say; write what they name.

    script, kinds, about: see `begin`. own: of prompts.py.
    """
    own, options, outputs, _, typed, model, files = begin(script, own, argv, about, kinds=kinds)
    if "digits" in typed and ("prompts" in typed or model.kind == "deepfloyd"):
        raise ValueError("--digits are for digit models; --prompts replace them, so drop one")
    own = prompts.known(own, model, typed)
    asked, labels = own.all(), own.labels()
    if not model.conditional:
        refuse(model.kind, typed & {"digits", "prompts"})
        asked, labels = [""] * len(asked), None
    x, kept = watch(model.states(asked), outputs.gif)
    caption = f"{model.summary}; {options.describe(model)}"
    x, larger = enlarge(x, model, outputs, options.seed, asked)
    write(files, x, kept, caption, larger=larger, labels=labels, columns=own.columns())


def check_second_stage(outputs, model):
    """Load the model's second stage and print which it is, if the options say `upsample`. Raises
    ValueError if there is none that can enlarge its images, and for steps that it does not have."""
    if not outputs.upsample:
        return
    second = model.second()
    print(f"weights: {zoo.origin(second.file)} ({second.summary})", flush=True)
    if outputs.upsample_steps > second.schedule.T:
        raise ValueError(f"upsample-steps must lie in 1..{second.schedule.T}, the steps of this "
                         f"upsampler, got {outputs.upsample_steps}")


def enlarge(x, model, outputs, seed, prompts=None):
    """Return images x, in [0, 1], enlarged by the model's second stage if the options say so, and
    what to add to their caption. prompts: one for each image, or None."""
    if not outputs.upsample:
        return x, ""
    steps, level, gamma = outputs.upsample_steps, outputs.upsample_level, outputs.upsample_gamma
    large = model.upsample(x, prompts, seed=seed, steps=steps, level=level, gamma=gamma,
                           held=outputs.upsample_held)
    caption = f"; upsampled by {model.second().summary}, {steps} steps, level {level:g}"
    caption += "" if gamma == 1 else f", gamma {gamma:g}"
    return large, caption + ("" if outputs.upsample_held else ", free")


def writable(outputs):
    """Return the files that OutputOptions name, {".png": path, ...}. Raises ValueError for those
    that cannot be written."""
    files = {".png": outputs.out, ".gif": outputs.gif, ".npz": outputs.npz}
    if outputs.out.endswith(("/", os.sep)):
        files = {"folder": cli.empty_folder(files.pop(".png")), **files}
    return {k: v if k == "folder" else cli.writable(v, k) for k, v in files.items() if v}


def watch(states, film=False):
    """Show a progress bar over States. Returns the last image, and FRAMES of the States if there
    will be a GIF."""
    kept = set(images.frames_of(range(len(states)), FRAMES)) if film else ()
    start, found = time.perf_counter(), []
    for k, state in enumerate(tqdm(states, unit="step")):
        found = [*found, state] if k in kept else found
    check_finite(state.x_t)
    print(f"{len(state.x_t)} images in {time.perf_counter() - start:.1f} s", flush=True)
    return state.x_t, found


def write(files, x, states, caption, *, larger="", labels=None, shown=None, **grid):
    """Write images x (N,C,H,W) as PNG and npz, and the states of their sampling as a GIF.

    files: {".png": path, ...}. larger: added to the PNG's caption only, as the GIF shows the first
    stage. npz: `images`, float32 in [0, 1], and `labels`. shown: images for the PNG instead of x.
    grid: of `images.save_grid`.
    """
    x, caption = x.clamp(0, 1).cpu(), images.printable(caption)
    if ".png" in files:
        shown = x if shown is None else shown.clamp(0, 1).cpu()
        scale = 1 if shown.shape[2] > 64 else images.SCALE
        images.save_grid(files[".png"], shown, caption + larger, scale=scale, **grid)
    if "folder" in files:
        images.save_each(files["folder"], x, caption + larger)
    if ".gif" in files:
        draw_gif(files[".gif"], states, caption, len(states))
    if ".npz" in files:
        arrays = {"images": x.numpy()}
        if labels is not None:
            arrays["labels"] = np.asarray(labels, dtype=np.int64)
        with atomic_write(files[".npz"]) as f:
            np.savez_compressed(f, **arrays)
    print(f"wrote {', '.join(map(str, files.values())) or 'nothing'}")
