"""What every sampling script shares: outputs checked before the work, a bar, caption, files."""

import time

import numpy as np
from tqdm import tqdm

from minidiff import cli, config, gallery, images, machine, models
from minidiff.files import whole

FRAMES = 40  # of a film


def run(kind, how, outputs, prompts, guidance=None, *, labels=None, columns=None):
    """Draw a picture per prompt with the model of `kind`; write what the flags name.

    how: WalkFlags. outputs: OutputFlags. prompts: list of str. guidance: the fields of
    GuidanceFlags that were given; the rest is the model's own. labels: int64 (N,), stored beside
    the pictures in the npz. columns: of the grid.
    """
    files = {
        suffix: cli.writable(getattr(outputs, name), suffix)
        for name, suffix in (("out", ".png"), ("gif", ".gif"), ("npz", ".npz"))
        if getattr(outputs, name)
    }
    file = models.find(kind, how.checkpoint)
    model = announced(file, how)
    if model.kind != kind:
        raise ValueError(f"{file} holds a {model.kind!r} model, but {kind!r} is wanted here")
    guidance = guidance_for(model, guidance)
    film = set(images.frames_of(range(how.steps + 1), FRAMES)) if outputs.gif else ()
    start, states = time.perf_counter(), []
    for k, state in enumerate(walked(model, how, guidance, prompts)):
        states = [*states, state] if k in film else states
    seconds = time.perf_counter() - start
    caption = f"{model.summary}; {how}" + (f", {guidance}" if kind == "class" else "")
    write(files, state.x_t, states, labels, caption, columns)
    wrote = ", ".join(map(str, files.values())) or "nothing"
    print(f"drew {len(prompts)} pictures in {seconds:.1f} s; wrote {wrote}")


def announced(file, how):
    """Load the model in `file`, to the device the flags mean, and say which it is."""
    model = models.load_model(str(file), machine.pick_device(how.device))
    print(f"weights: {models.origin(file)} ({model.summary})", flush=True)
    return model


def guidance_for(model, given):
    """Return GuidanceFlags: what was given, then what the model brings, then the defaults."""
    if model.kind != "class":
        return config.NO_GUIDANCE
    return config.GuidanceFlags(**{**model.guidance, **(given or {})})


def walked(model, how, guidance, prompts):
    """Yield every State of the walk that the flags describe, with a bar."""
    path = models.walk(
        model, prompts, how.steps, how.seed, **how.options(), **guidance.options()
    )
    yield from tqdm(path, total=how.steps + 1, unit="step")


def write(files, x, states, labels, caption, columns):
    """Write pictures x (N,1,28,28) as PNG and npz, and the states of their way as a GIF.

    files: {".png": path, ...}. npz: `images`, float32 (N,1,28,28) in [0, 1], and `labels`.
    """
    x = x.clamp(0, 1).cpu()
    if ".png" in files:
        images.save_grid(files[".png"], x, caption, columns)
    if ".gif" in files:
        gallery.draw_gif(files[".gif"], states, caption)
    if ".npz" in files:
        arrays = {"images": x.numpy()}
        if labels is not None:
            arrays["labels"] = np.asarray(labels, dtype=np.int64)
        with whole(files[".npz"]) as f:
            np.savez_compressed(f, **arrays)
