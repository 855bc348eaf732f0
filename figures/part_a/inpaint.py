"""1.7.2: inpainting."""

import torch

from figures.page.studio import Section
from minidiff.editing.inpainting import inpaint

SECTION = Section(
    "1.7.2", "Inpainting",
    "Sample in the hole only: after each step the known part is put back, noised to the level just "
    "reached. RePaint steps back and forth so that both sides of the border become consistent.",
    "x_s ← m x_s + (1 − m) (√ᾱ_s x_0 + √(1 − ᾱ_s) ε),   m = 1 in the hole",
    ("minidiff/editing/inpainting.py: inpaint", "minidiff/files/photos.py: load_mask"),
)


def draw(out, studio):
    """Draw every image with its hole, filled with every setting, measured if there is a judge."""
    measured, shown = studio.filled
    every = []
    for name, words in studio.holes.items():
        x_0, mask = studio.image(name).to(studio.model.device), studio.mask(words)
        grey, white = sum(studio.model.data_range) / 2, studio.model.from_unit(mask.float())
        given = torch.cat([x_0, white.expand_as(x_0), x_0.masked_fill(mask, grey)])
        rows, found = [], []
        for prompt, resample in studio.fills:
            prompt = prompt.format(name)
            x = filled(studio, x_0.expand(measured, -1, -1, -1), mask, prompt, resample)
            hits = studio.matches(x, name)
            how = f"prompt '{prompt}', each step {resample}x"
            found.append(how if hits is None else f"{hits.float().mean():.0%} ({how})")
            rows.append(torch.cat([given, x[:shown]]))
        judged = "" if hits is None else f"of {measured} results the judge reads as {name}: "
        yield studio.save(
            out / f"inpaint-{name}.png", torch.cat(rows), f"{judged}{', '.join(found)}; "
            f"{studio.describe_steps(studio.steps)}, none picked; {studio.guidance}", shown + 3,
            studio.labels([f"'{p.format(name)}' {k}x" for p, k in studio.fills]),
            ("image", "mask", "hole", *["result"] * shown))
        every.append(rows[min(1, len(rows) - 1)][3:])
    x, (prompt, resample) = torch.cat(every), studio.fills[:2][-1]
    yield from studio.upsampled(
        out / "inpaint-upsampled.png", x, f"the results with each step taken {resample}x, prompt "
        f"'{prompt}'", max(shown, 3), prompts=studio.hints(prompt, len(x)))


def filled(studio, x_0, mask, prompt, resample):
    """Return images x_0 (N,C,H,W) with the hole filled, each step taken `resample` times."""
    options = studio.options(len(x_0))
    x_T = studio.noise(len(x_0), options["generator"])
    *_, last = inpaint(studio.eps_fn([prompt] * len(x_0)), studio.schedule, x_0, mask, x_T,
                       studio.timesteps(studio.steps), resample=resample, **options)
    return last.x_t
