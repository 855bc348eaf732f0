"""1.9: hybrid images."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.blur import blur
from minidiff.editing.illusions import hybrid, split
from minidiff.evaluation.metrics import from_afar
from minidiff.files.images import save_grid

N, SHOWN, GAMMA, SIGMA = 50, 10, 6.0, 1.4
HYBRIDS = (("1", "4"), ("9", "3"), ("3", "5"))  # from afar, from near
SECTION = Section(
    "1.9", "Hybrid images",
    "From afar one sees low frequencies only, from near the high ones as well. Let one prompt tell "
    "the low frequencies of the noise and another the high.",
    "ε̂ = low(ε̂(x_t, t, p_1)) + high(ε̂(x_t, t, p_2)),   low + high = identity",
    "Squint, or look at the lower row: blurred, with the contrast put back, as an eye does. Digits "
    "are hard: in 28 pixels there is little room between low and high, and black ground shows "
    "every ghost. The course splits 64 pixels at σ = 2; here σ = 1.4 reads right most often.",
    "make sample-hybrid ARGS='--low 1 --high 4 --out hybrid.png'",
    ("minidiff/editing.py: hybrid", "minidiff/editing.py: split",
     "minidiff/evaluate.py: from_afar"),
)


def draw(out, studio):
    """Draw three hybrids, from near and from afar, and measure both readings."""
    for low, high in HYBRIDS:
        fns = [studio.eps_fn([p] * N, gamma=GAMMA) for p in (low, high)]
        x = studio.draw(hybrid(fns, split(blur(SIGMA))), N)
        near, afar = studio.reads(x) == int(high), studio.reads(from_afar(x)) == int(low)
        path = out / f"hybrid-{low}-{high}.png"
        save_grid(path, torch.cat([x[:SHOWN], from_afar(x[:SHOWN])]), f"{high} from near, {low} "
                  f"from afar: of {N} the judge reads {near.float().mean():.0%} and "
                  f"{afar.float().mean():.0%}, both in {(near & afar).float().mean():.0%}; split "
                  f"at σ = {SIGMA} pixels, seen from afar at σ = 2; γ = {GAMMA:g}, 20 steps, "
                  f"seed 0, none picked; {studio.model.summary}", SHOWN, ("near", "afar"))
        yield path
        yield from studio.upsampled(path.with_name(f"{path.stem}-upsampled.png"), x[:SHOWN],
                                    "the same", SHOWN)
