"""1.7.2: inpainting."""

import torch

from figures.page.sheet import enlarged
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
    """Draw every image with its hole, filled with every setting, and the last filling of the first
    as a film."""
    measured, shown = studio.filled
    large = [] if studio.second_stage is None else ["upsampled"]
    for k, (name, (words, suits)) in enumerate(studio.holes.items()):
        x_0, rows, found = studio.images(name), [], []
        for pattern, resample in studio.fills:
            prompt = pattern.format(suits)
            states = filled(studio, x_0, words, prompt, resample)
            x = states[-1].x_t
            found.append(studio.share(x, suits))
            rows.append((f"'{prompt}' {resample}×", row(studio, x_0, words, x[:shown], prompt)))
        judged = f"of {measured} results the judge reads {', '.join(found)} as {suits}; " * any(
            found)
        how = f"{studio.describe_steps(studio.steps)}, none picked; {studio.guidance}"
        labels = "result", *large
        yield studio.save(
            out / f"inpaint-{name}.png", rows, f"hole: {words}; rows: prompt, and how often each "
            f"step is taken; {judged}{how}",
            ["image", "mask", "hole", *(label for label in labels for _ in range(shown))])
        if k == 0:
            yield studio.film(out / "inpaint-film.png", states, f"{name}, hole: {words}; prompt "
                              f"'{prompt}', each step {resample}×; {how}")


def filled(studio, x_0, words, prompt, resample):
    """Return every State of an image x_0 (1,C,H,W) with the hole filled, each step taken `resample`
    times, in as many ways as are measured."""
    n = studio.filled[0]
    options, x_0 = studio.options(n), x_0.expand(n, -1, -1, -1)
    x_T = studio.noise(n, options["generator"])
    return list(inpaint(studio.eps_fn([prompt] * n), studio.schedule, x_0, studio.mask(words), x_T,
                        studio.timesteps(studio.steps), resample=resample, **options))


def row(studio, x_0, words, x, prompt):
    """Return a row of images: the image, its mask, the hole, results, and these upsampled."""
    mask, grey = studio.mask(words), sum(studio.model.data_range) / 2
    white = studio.model.from_unit(mask.float()).expand_as(x_0)
    small = torch.cat([x_0, white, x_0.masked_fill(mask, grey), x])
    large = [images for _, images in studio.upsampled(x, [prompt] * len(x))]
    return torch.cat([enlarged(small, large[0].shape[3]), *large]) if large else small
