"""1.7.2: inpainting."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.inpainting import inpaint
from minidiff.files.images import save_grid
from minidiff.theory.schedule import evenly

N, SHOWN = 25, 6  # pictures measured, and shown
HOLES = {  # digit: rows, columns
    "7": (slice(14, 28), slice(0, 28)), "0": (slice(0, 28), slice(14, 28)),
    "4": (slice(0, 28), slice(0, 14)), "3": (slice(1, 9), slice(10, 18)),  # the course's, scaled
}
SECTION = Section(
    "1.7.2", "Inpainting",
    "Draw only in the hole: after each step what is known is put back, noised to the level just "
    "reached. RePaint steps back and forth so that both sides of the border come to agree.",
    "x_s ← m x_s + (1 − m) (√ᾱ_s x_0 + √(1 − ᾱ_s) ε),   m = 1 in the hole",
    "Outside the hole every pixel is exactly the given one. Without resampling (first row) the "
    "fill borders badly on what is known: strokes end at the edge or lead nowhere. With each step "
    "taken five times (second row) they meet, at five times the cost. Where half a digit can be "
    "one of several, the prompt decides (third row). The last hole is the course's, scaled to 28.",
    "make sample-inpaint ARGS='--image my.png --mask \"rows 14:28\" --prompt 3 --out filled.png'",
    ("minidiff/editing.py: inpaint", "minidiff/photos.py: load_mask"),
)


def draw(out, studio):
    """Draw digits with holes, filled without and with resampling, then asked for; measure both."""
    pictures, timesteps, every = studio.digits("".join(HOLES)), evenly(studio.schedule.T, 20), []
    for x_0, (digit, hole) in zip(pictures.split(1), HOLES.items()):
        mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
        mask[..., hole[0], hole[1]] = True
        shown = torch.cat([x_0, mask.float(), x_0.masked_fill(mask, 0.5)])
        rows, told = [], []
        for prompt, resample in (("", 1), ("", 5), (digit, 5)):
            options = studio.options()
            x_T = torch.randn(N, 1, 28, 28, generator=options["generator"])
            *_, last = inpaint(
                studio.eps_fn([prompt] * N), studio.schedule, x_0.expand(N, 1, 28, 28), mask, x_T,
                timesteps, resample=resample, **options,
            )
            right = (studio.reads(last.x_t) == int(digit)).float().mean()
            told.append(f"{right:.0%} (prompt '{prompt}', each step {resample}x)")
            rows.append(torch.cat([shown, last.x_t[:SHOWN]]))
        path = out / f"inpaint-{digit}.png"
        save_grid(path, torch.cat(rows), f"of {N} results the judge reads as {digit}: "
                  f"{', '.join(told)}; 20 steps, seed 0, none picked; {studio.told}", SHOWN + 3,
                  ("'' 1x", "'' 5x", f"'{digit}' 5x"),
                  ("picture", "mask", "hole", *["result"] * SHOWN))
        yield path
        every.append(rows[1][3:])
    yield from studio.upsampled(out / "inpaint-upsampled.png", torch.cat(every), "the results with "
                                "each step taken 5x, nothing asked for", SHOWN)
