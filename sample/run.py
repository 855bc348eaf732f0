"""What every sampling script shares: outputs checked before the work, a bar, caption, files."""

import time

import numpy as np
from tqdm import tqdm

from minidiff import cli, config, gallery, images, machine, models, upsampler
from minidiff.files import whole

FRAMES = 40  # of a film


def run(kind, how, outputs, prompts, guidance=None, *, labels=None, columns=None):
    """Draw a picture per prompt with the model of `kind`; write what the flags name.

    how: WalkFlags. outputs: OutputFlags. prompts: list of str. guidance: the fields of
    GuidanceFlags that were given; the rest is the model's own. labels: int64 (N,), stored beside
    the pictures in the npz. columns: of the grid.
    """
    files = writable(outputs)
    file = models.find(kind, how.model)
    model = announced(file, how)
    if model.kind != kind:
        raise ValueError(f"{file} holds a {model.kind!r} model, but {kind!r} is wanted here")
    guidance = guidance_for(model, guidance)
    path = walk(model, how, guidance, prompts)
    x, states = watched(path, how.steps + 1, outputs.gif)
    caption = f"{model.summary}; {how}" + (f", {guidance}" if kind == "class" else "")
    x, caption = second_stage(x, caption, how, outputs, prompts)
    write(files, x, states, caption, labels=labels, columns=columns)


def second_stage(x, caption, how, outputs, prompts=None):
    """Draw pictures x, in [0, 1], again and larger, if that is wished; return them and their
    caption. prompts: as many digits, or None."""
    if not outputs.upsample:
        return x, caption
    model = upsampler.load(device=machine.pick_device(how.device))
    print(f"weights: {models.origin(model.file)} ({model.summary})", flush=True)
    steps, level = outputs.upsample_steps, outputs.upsample_level
    large = upsampler.upsample(
        model, x.clamp(0, 1), prompts, steps=steps, level=level, gamma=outputs.upsample_gamma,
        seed=how.seed, held=outputs.upsample_held,
    )
    return large, f"{caption}; upsampled by {model.summary}, {steps} steps, level {level:g}"


def writable(outputs):
    """Return the files that OutputFlags name, {".png": path, ...}; asked before the work."""
    return {
        suffix: cli.writable(getattr(outputs, name), suffix)
        for name, suffix in (("out", ".png"), ("gif", ".gif"), ("npz", ".npz"))
        if getattr(outputs, name)
    }


def announced(file, how):
    """Load the model in `file`, to the device the flags mean, and say which it is."""
    device = machine.pick_device(how.device)
    model = models.load_model(str(file), device, machine.pick_precision(how.precision, device))
    print(f"weights: {models.origin(file)} ({model.summary})", flush=True)
    return model


def guidance_for(model, given):
    """Return GuidanceFlags: what was given, then what the model brings, then the defaults."""
    if model.embed([""]) is None:
        return config.NO_GUIDANCE
    return config.GuidanceFlags(**{**model.guidance, **(given or {})})


def walk(model, how, guidance, prompts):
    """Return the walk that the flags describe, a generator of States."""
    return models.walk(model, prompts, how.steps, how.seed, **how.options(), **guidance.options())


def watched(path, total, film=False):
    """Walk a path of `total` States with a bar; return its last picture, and FRAMES of its States
    if they are wanted for a film."""
    kept = set(images.frames_of(range(total), FRAMES)) if film else ()
    start, states = time.perf_counter(), []
    for k, state in enumerate(tqdm(path, total=total, unit="step")):
        states = [*states, state] if k in kept else states
    print(f"drew {len(state.x_t)} pictures in {time.perf_counter() - start:.1f} s", flush=True)
    return state.x_t, states


def write(files, x, states, caption, *, labels=None, shown=None, **grid):
    """Write pictures x (N,C,H,W) as PNG and npz, and the states of their way as a GIF.

    files: {".png": path, ...}. npz: `images`, float32 in [0, 1], and `labels`. shown: pictures for
    the PNG in place of x. grid: of `images.save_grid`.
    """
    x = x.clamp(0, 1).cpu()
    if ".png" in files:
        shown = x if shown is None else shown.clamp(0, 1).cpu()
        scale = 1 if shown.shape[2] > 28 else images.SCALE
        images.save_grid(files[".png"], shown, caption, scale=scale, **grid)
    if ".gif" in files:
        gallery.draw_gif(files[".gif"], states, caption)
    if ".npz" in files:
        arrays = {"images": x.numpy()}
        if labels is not None:
            arrays["labels"] = np.asarray(labels, dtype=np.int64)
        with whole(files[".npz"]) as f:
            np.savez_compressed(f, **arrays)
    print(f"wrote {', '.join(map(str, files.values())) or 'nothing'}")
