"""What every sampling script shares: outputs checked before the work, a bar, caption, files."""

import time

import numpy as np
from tqdm import tqdm

from minidiff import cli, deepfloyd, gallery, images, machine, models, settings, upsampler
from minidiff.files import whole

FRAMES = 40  # of a film


def run(kind, asking, argv, about):
    """Draw a picture per prompt with the model of `kind`, as the flags say; write what they name.

    asking: DigitFlags or UncondFlags: what to draw. about: what --help says it does.
    """
    flow = kind in models.FLOWS
    classes = [settings.EulerFlags if flow else settings.WalkFlags, settings.OutputFlags, asking]
    script = "class_cond" if kind == "class" else kind
    guided = [settings.GuidanceFlags] if kind != "uncond" else []
    given = cli.parse([*classes, *guided], argv, f"python -m sample.{script}", about)
    how, outputs, _ = [cls(**each) for cls, each in zip(classes, given)]
    if guided:
        settings.GuidanceFlags(**given[3])  # refused now rather than later
    if flow and how.model == "deepfloyd":
        raise ValueError("deepfloyd is no flow; use it with sample.class_cond")
    files = writable(outputs)
    file = models.find(kind, how.model)
    model = announced(file, how)
    if "digits" in given[2] and ("prompts" in given[2] or model.kind == "deepfloyd"):
        raise ValueError("--digits are for digit models; --prompts take their place, so drop one")
    if model.kind not in (models.FLOWS if flow else (kind, "deepfloyd")):
        raise ValueError(f"{file} holds a {model.kind!r} model, but {kind!r} is wanted here")
    told = [settings.suited(cls, each, model.habits) for cls, each in zip(classes, given)]
    how, outputs, asked = told
    second = second_stage(outputs, how, model)
    guidance = guidance_for(model, given[3]) if guided else settings.NO_GUIDANCE
    prompts, labels = asked.all(), asked.labels()
    if not model.conditional:  # it is asked for nothing
        if given[2].keys() & {"digits", "prompts"} or guided and given[3]:
            raise ValueError(f"{file} knows no digits: drop --digits, --gamma and --guide-until")
        prompts, labels = [""] * len(prompts), None
    path = walk(model, how, guidance, prompts)
    x, states = watched(path, how.steps + 1, outputs.gif)
    caption = f"{model.summary}; {how}" + (f", {guidance}" if any(prompts) else "")
    x, larger = upsampled(unit(x, model), second, outputs, how, prompts)
    states = [state._replace(x_t=unit(state.x_t, model)) for state in states]
    write(files, x, states, caption, larger=larger, labels=labels, columns=asked.columns())


def unit(x, model):
    """Return pictures x in the model's data range as pictures in [0, 1]."""
    low, high = model.data_range
    return (x - low) / (high - low)


def second_stage(outputs, how, first):
    """Load the second stage if it is wished, and say which it is; None otherwise. Asked before the
    work: raises ValueError where there is none, or for more steps than it has. first: the model
    whose pictures it will draw again."""
    if not outputs.upsample:
        return None
    device = machine.pick_device(how.device)
    if first.kind == "deepfloyd":
        model = deepfloyd.load(stage=2, **how.large(), device=device, texts=first.texts)
    else:
        model = upsampler.load("", device, machine.pick_precision(how.precision, device))
    print(f"weights: {models.origin(model.file)} ({model.summary})", flush=True)
    if outputs.upsample_steps > model.schedule.T:
        raise ValueError(f"upsample-steps must lie in 1..{model.schedule.T}, the steps of this "
                         f"upsampler, got {outputs.upsample_steps}")
    return model


def upsampled(x, model, outputs, how, prompts=None):
    """Draw pictures x, in [0, 1], again by the second stage `model`; x itself where that is None.
    prompts: as many, or None. Returns them in [0, 1], and what is added to their caption."""
    if model is None:
        return x, ""
    steps, level, gamma = outputs.upsample_steps, outputs.upsample_level, outputs.upsample_gamma
    held, (low, high) = outputs.upsample_held, model.data_range
    options = how.options(model) if model.kind == "deepfloyd" else {}
    large = unit(upsampler.upsample(
        model, low + (high - low) * x.clamp(0, 1), prompts, steps=steps, level=level, gamma=gamma,
        seed=how.seed, held=held, **options,
    ), model)
    told = f"; upsampled by {model.summary}, {steps} steps, level {level:g}"
    return large, told + ("" if gamma == 1 else f", gamma {gamma:g}") + ("" if held else ", free")


def writable(outputs):
    """Return the files that OutputFlags name, {".png": path, ...}; asked before the work."""
    return {
        suffix: cli.writable(getattr(outputs, name), suffix)
        for name, suffix in (("out", ".png"), ("gif", ".gif"), ("npz", ".npz"))
        if getattr(outputs, name)
    }


def announced(file, how):
    """Load the model in `file`, to the device the flags mean, and say which it is. Raises
    ValueError for flags that only DeepFloyd has a use for."""
    if str(file) != "deepfloyd" and any(how.large().values()):
        raise ValueError("--model-dir, --embeddings, --offload and --download go with --model "
                         "deepfloyd; add it, or drop them")
    if str(file) == "deepfloyd" and how.precision != "float32":
        raise ValueError("deepfloyd has a number format of its own; drop --precision")
    device = machine.pick_device(how.device)
    precision = machine.pick_precision(how.precision, device)
    model = models.load_model(str(file), device, precision, **how.large())
    print(f"weights: {models.origin(file)} ({model.summary})", flush=True)
    return model


def guidance_for(model, given):
    """Return GuidanceFlags: what was given, then what the model brings, then the defaults."""
    if not model.conditional:
        return settings.NO_GUIDANCE
    return settings.GuidanceFlags(**{**model.guidance, **(given or {})})


def walk(model, how, guidance, prompts):
    """Return the walk that the flags describe, a generator of States."""
    options = {**how.options(model), **guidance.options()}
    return models.walk(model, prompts, how.steps, how.seed, **options)


def watched(path, total, film=False):
    """Walk a path of `total` States with a bar; return its last picture, and FRAMES of its States
    if they are wanted for a film."""
    kept = set(images.frames_of(range(total), FRAMES)) if film else ()
    start, states = time.perf_counter(), []
    for k, state in enumerate(tqdm(path, total=total, unit="step")):
        states = [*states, state] if k in kept else states
    print(f"drew {len(state.x_t)} pictures in {time.perf_counter() - start:.1f} s", flush=True)
    return state.x_t, states


def write(files, x, states, caption, *, larger="", labels=None, shown=None, **grid):
    """Write pictures x (N,C,H,W) as PNG and npz, and the states of their way as a GIF.

    files: {".png": path, ...}. larger: told below the PNG only, as the GIF is the first stage's.
    npz: `images`, float32 in [0, 1], and `labels`. shown: pictures for the PNG in place of x. grid:
    of `images.save_grid`.
    """
    x = x.clamp(0, 1).cpu()
    if ".png" in files:
        shown = x if shown is None else shown.clamp(0, 1).cpu()
        scale = 1 if shown.shape[2] > 28 else images.SCALE
        images.save_grid(files[".png"], shown, caption + larger, scale=scale, **grid)
    if ".gif" in files:
        gallery.draw_gif(files[".gif"], states, caption)
    if ".npz" in files:
        arrays = {"images": x.numpy()}
        if labels is not None:
            arrays["labels"] = np.asarray(labels, dtype=np.int64)
        with whole(files[".npz"]) as f:
            np.savez_compressed(f, **arrays)
    print(f"wrote {', '.join(map(str, files.values())) or 'nothing'}")
