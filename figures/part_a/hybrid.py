"""1.9: hybrid images."""

import torch

from figures.page.studio import Section
from minidiff.editing.illusions import blur, hybrid, split

SECTION = Section(
    "1.9", "Hybrid images",
    "From afar one sees low frequencies only, from near the high ones as well. Let one prompt "
    "predict the low frequencies of the noise and another the high.",
    "ε̂ = low(ε̂(x_t, t, p_1)) + high(ε̂(x_t, t, p_2)),   low + high = identity",
    ("minidiff/editing/illusions.py: hybrid", "minidiff/editing/illusions.py: split",
     "minidiff/evaluation/metrics.py: from_afar"),
)


def draw(out, studio):
    """Draw the studio's hybrids, from near and from afar, and measure both readings."""
    for ending, (low, high) in studio.hybrids.items():
        yield from draw_one(out / f"hybrid-{ending}.png", studio, low, high)


def draw_one(path, studio, low, high):
    """Draw hybrids of two prompts, low from afar and high from near. Yields each path."""
    measured, shown = studio.tries
    fns = [studio.eps_fn([p] * measured, gamma=studio.strong) for p in (low, high)]
    eps_fn = studio.model.combine(hybrid, fns, split(blur(studio.sigma)))
    x = studio.sample(eps_fn, measured, studio.steps)
    afar, labels = studio.afar(x), ("near", "afar")
    yield studio.save(
        path, torch.cat([x[:shown], afar[:shown]]), f"{high} from near, {low} from afar: "
        f"{studio.read((x, high), (afar, low))}split at σ = {studio.sigma:g} pixels, seen from "
        f"afar at σ = {studio.far * x.shape[3]:g}; γ = {studio.strong:g}, "
        f"{studio.describe_steps(studio.steps)}, none picked", shown, labels)
    both = {"see": studio.afar, "row_labels": labels} if studio.sentences else {}
    yield from studio.upsampled(path.with_name(f"{path.stem}-upsampled.png"), x[:shown], "the same",
                                shown, prompts=studio.hints(high, shown), **both)
