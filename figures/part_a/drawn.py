"""1.7.1: hand-drawn and web images."""

import torch

from figures.page.studio import Section
from figures.part_a.sdedit import columns_of, labels_of, rows_of

SECTION = Section(
    "1.7.1", "Hand-drawn and web images",
    "The same with images that no one would mistake for samples: sampling moves them towards what "
    "the model knows. A crooked drawing becomes what it could be a drawing of.",
    "as in 1.7",
    ("minidiff/editing/image_to_image.py: sdedit", "minidiff/files/photos.py: load_image"),
)


def draw(out, studio):
    """Draw one web image and two drawn by hand, noised and edited, at every i_start."""
    for name, origin in studio.drawn.items():
        x_0 = studio.images(name)
        noisy = [studio.noised(x_0, studio.levels[k]) for k in studio.reached]
        rows = [("noised", torch.cat([*noisy, x_0])),
                *rows_of(studio, name, studio.prompt, "result")]
        yield studio.save(
            out / f"drawn-{name}.png", rows, f"{studio.edited.get(name, name)}, {origin}; "
            f"{columns_of(studio)}, then the image; prompt '{studio.prompt}', {studio.guidance}",
            labels_of(studio))
