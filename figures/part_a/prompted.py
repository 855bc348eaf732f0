"""1.7.3: image to image with a prompt."""

import torch

from figures.page.studio import Section
from figures.part_a.sdedit import rows_of

SECTION = Section(
    "1.7.3", "Image to image with a prompt",
    "As 1.7, but with a prompt for something else. The result has the shape of the image and the "
    "meaning of the prompt.",
    "as in 1.7, with ε̂ guided as in 1.6",
    ("minidiff/editing/image_to_image.py: sdedit", "minidiff/theory/guidance.py: guided"),
)


def draw(out, studio):
    """Draw three images, each turned into something else, at every i_start."""
    rows, hints = [], []
    for name, prompt in studio.prompted:
        row, labels = rows_of(studio, studio.images(name), prompt, gamma=studio.strong)
        rows.append(row)
        hints += studio.hints(prompt, len(row))
    x, n = torch.cat(rows), len(labels)
    yield studio.save(
        out / "prompted.png", x, f"columns: i_start of {len(studio.levels) - 1} strided steps, and "
        f"its t; γ = {studio.strong:g}", n, [f"{a} → {b}" for a, b in studio.prompted], labels)
    yield from studio.upsampled(out / "prompted-upsampled.png", x, "the same", n, prompts=hints,
                                column_labels=labels)
