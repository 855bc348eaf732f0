"""Flow matching's figures: loss, samples, the way to them; DDIM and DDPM beside it; noise alone."""

from pathlib import Path

import torch

from figures.page.html.studio import Section, newest_snapshots
from figures.part_b.pure_noise import draw as draw_blind
from figures.part_b.snapshots import draw_snapshots
from figures.part_b.sweep import panels
from minidiff.files import runs
from minidiff.files.images import save_grid, save_panels
from minidiff.models import zoo
from minidiff.models.generate import generate
from minidiff.models.options import SampleOptions
from minidiff.models.zoo import from_checkpoint

OWN = Path("versus.json")
STEPS = (1, 2, 5, 20)
WAYS = {"flow": {}, "ddim": {"step": "ddim"}, "ddpm": {"step": "ddpm", "kind": "beta_tilde"}}
GROUPS = {"plain": "not guided, γ = 1", "guided": "each with the guidance that suits it"}
SECTION = Section(
    "B6", "Flow matching",
    "The course's newer form: noise and picture are joined by a straight line, and the same UNet "
    "learns the velocity along it. To sample, follow the velocity.",
    "x_t = (1 − t) x_0 + t x_1,   t = 0: noise, t = 1: data,   L = | v̂(x_t, t) − (x_1 − x_0) |²,   "
    "x_s = x_t + (s − t) v̂(x_t, t)",
    "Of few steps the flow makes more than DDIM does. Its loss cannot be held against theirs: a "
    "velocity can never be guessed whole, since it holds both noise and picture. At t = 0 nothing "
    "is known of the picture, and the best answer is the mean. The last two figures show that "
    "question alone: a denoiser trained on nothing but noise, L = | D(ε) − x |², answers any noise "
    "with the mean digit, and its loss comes down to the digits' variance and no further.",
    "make train-flow sample-flow",
    ("minidiff/flow.py: flow_loss", "minidiff/flow_sampler.py: flow_path", "sample/versus.py",
     "minidiff/flow.py: blind_loss", "train/flow.py"),
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError without weights."""
    marks, curves = newest_snapshots("flow")
    model = from_checkpoint(marks[-1])
    guidance = SampleOptions(**model.guidance)
    yield from draw_snapshots(out, marks, curves, guidance)
    prompts = [str(k) for k in range(10)]
    path, rows, names = out / "flow-few-steps.png", [], []
    for steps in STEPS:
        for name, how in WAYS.items():
            asked = (model, guidance) if name == "flow" else (studio.model, studio.guidance)
            *_, last = generate(asked[0], prompts, steps, 0, **asked[1].options(), **how)
            rows.append(last.x_t)
            names.append(f"{name}, {steps}")
    save_grid(path, torch.cat(rows), "way and number of steps; the same noise in each row, seed 0; "
              f"flow: {model.summary}, {guidance}; ddim, ddpm: {studio.told}", 10, names, prompts)
    yield path
    file = OWN if OWN.is_file() else zoo.WEIGHTS / OWN
    if file.is_file():
        found = runs.read_json(file)
        print(f"versus: {file}", flush=True)
        for group in dict.fromkeys(p["group"] for p in found["points"]):
            path = out / f"flow-versus-{group}.png"
            save_panels(path, panels(found["points"], group, "steps"), "a flow against a diffusion "
                        f"at equal steps, {GROUPS[group]}. {found['flow']['weights']}; "
                        f"{found['class']['weights']}; n = {found['n']}, seed 0")
            yield path
    yield from draw_blind(out, studio)
