"""1.7.3: image to image with a prompt."""

from figures.page.studio import Section
from figures.part_a.sdedit import columns_of, labels_of, rows_of

SECTION = Section(
    "1.7.3", "Image to image with a prompt",
    "As 1.7, but with a prompt for something else. The result has the shape of the image and the "
    "meaning of the prompt.",
    "as in 1.7, with ε̂ guided as in 1.6",
    ("minidiff/editing/image_to_image.py: sdedit", "minidiff/theory/guidance.py: guided"),
)


def draw(out, studio):
    """Draw three images, each turned into something else, at every i_start."""
    rows = [row for name, prompt in studio.prompted for row in rows_of(
        studio, name, prompt, f"{studio.edited.get(name, name)} → {prompt}", gamma=studio.strong)]
    yield studio.save(out / "prompted.png", rows, f"{columns_of(studio)}; γ = {studio.strong:g}",
                      labels_of(studio))
