"""Flow matching's figures: loss, samples, few steps next to DDIM and DDPM; noise alone."""

import torch

from figures.page.studio import Section
from figures.part_b.pure_noise import draw as draw_pure_noise
from figures.part_b.snapshots import draw_snapshots, newest_snapshots
from figures.part_b.sweep import measured, panels
from minidiff.files.images import save_grid, save_panels
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.models.zoo import from_checkpoint

STEPS = (1, 2, 5, 20)
METHODS = {"flow": {}, "ddim": {"sampler": "ddim"}, "ddpm": {"sampler": "ddpm"}}
GROUPS = {"plain": "not guided, γ = 1", "guided": "each with the guidance that suits it"}
SECTION = Section(
    "B6", "Flow matching",
    "The course's newer form: noise and image are connected by a straight line, and the same UNet "
    "learns the velocity along it. To sample, follow the velocity.",
    "x_t = (1 − t) x_0 + t x_1,   t = 0: noise, t = 1: data,   L = | v̂(x_t, t) − (x_1 − x_0) |²,   "
    "x_s = x_t + (s − t) v̂(x_t, t)",
    ("minidiff/theory/flow.py: flow_loss", "minidiff/theory/flow.py: flow_trajectory",
     "sample/measure/compare.py", "minidiff/theory/flow.py: pure_noise_loss", "train/flow.py"),
    "With few steps the flow gets further than DDIM does. Its loss cannot be compared with theirs: "
    "a velocity can never be predicted exactly, since it contains both noise and image. At t = 0 "
    "nothing is known of the image, and the best prediction is the mean. The last two figures show "
    "that case alone: a denoiser trained on nothing but noise, L = | D(ε) − x |², answers any "
    "noise with the mean digit, and its loss falls to the digits' variance and no further.",
    "make train-flow sample-flow",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    snapshots, curves = newest_snapshots("flow")
    flow = from_checkpoint(snapshots[-1])
    yield from draw_snapshots(out, snapshots, curves)
    prompts = [str(k) for k in range(10)]
    path, rows, names = out / "flow-few-steps.png", [], []
    for steps in STEPS:
        for name, given in METHODS.items():
            model = flow if name == "flow" else studio.model
            options = options_for(model, **given, steps=steps)
            *_, last = generate(model, prompts, steps=steps, **options.guidance,
                                **options.sampling(model))
            rows.append(last.x_t)
            names.append(f"{name}, {steps}")
    save_grid(path, torch.cat(rows), "method and number of steps; the same noise in each row, seed "
              f"0; flow: {flow.summary}, {options_for(flow).describe_guidance()}; ddim, ddpm: "
              f"{studio.model.summary}, {studio.guidance}", 10, names, prompts)
    yield path
    if found := measured("versus"):
        about = "; ".join(found[kind]["weights"] for kind in ("flow", "class"))
        for group in dict.fromkeys(p["group"] for p in found["points"]):
            path = out / f"flow-versus-{group}.png"
            save_panels(path, panels(found["points"], group, "steps"), "a flow against a diffusion "
                        f"at equal steps, {GROUPS[group]}. {about}; n = {found['n']}, seed 0")
            yield path
    yield from draw_pure_noise(out, studio)
