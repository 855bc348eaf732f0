"""1.7.1: hand-drawn and web images."""

import torch

from figures.page.studio import Section
from figures.part_a.sdedit import edited, labels_of

SECTION = Section(
    "1.7.1", "Hand-drawn and web images",
    "The same with images that no one would mistake for samples: sampling moves them towards what "
    "the model knows. A crooked drawing becomes what it could be a drawing of.",
    "as in 1.7",
    ("minidiff/editing/image_to_image.py: sdedit", "minidiff/files/photos.py: load_image"),
)


def draw(out, studio):
    """Draw one web image and two drawn by hand, noised and edited, at every i_start."""
    every, labels = [], labels_of(studio)
    for name, origin in studio.drawn.items():
        x_0 = studio.image(name).to(studio.model.device)
        noisy = [studio.noised(x_0, studio.levels[k]) for k in studio.reached]
        results = [edited(studio, x_0, studio.prompt, k) for k in studio.reached]
        yield studio.save(
            out / f"drawn-{name}.png", torch.cat([*noisy, x_0, *results, x_0]),
            f"{name}, {origin}; columns: i_start of {len(studio.levels) - 1} strided steps, then "
            f"the image; prompt '{studio.prompt}'", len(labels), ("noised", "result"), labels)
        every += [*results, x_0]
    x = torch.cat(every)
    yield from studio.upsampled(out / "drawn-upsampled.png", x, "all results", len(labels),
                                prompts=studio.hints(studio.prompt, len(x)), column_labels=labels)
