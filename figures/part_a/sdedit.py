"""1.7: image to image."""

import torch

from figures.page.html.studio import Section
from minidiff.editing.image_to_image import sdedit
from minidiff.files.images import save_grid

SECTION = Section(
    "1.7", "Image to image",
    "Noise a picture part of the way and walk back: the model draws what it knows over what is "
    "left. The level decides how much that is.",
    "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε   at the t of i_start,   then as in 1.4",
    "Too early a start (up to 5) and the picture is forgotten: what comes out is the noise's "
    "doing. Too late (26) and it is merely cleaned. In between, at 15 and 20, the star becomes a "
    "digit with the star's bulk: this model can draw nothing but digits, where DeepFloyd would "
    "find a person or a starfish. 15 and 26 are not in the course's list; 28 pixels of black and "
    "white forget sooner than 64 of colour.",
    "make sample-sdedit ARGS='--image my.png --steps 33 --start 7 --out edit.png'",
    ("minidiff/editing.py: sdedit",),
)


def edited(studio, x_0, prompt, start, **guidance):
    """Return picture x_0 (N,1,28,28) noised to a start and drawn anew."""
    *_, last = sdedit(
        studio.eps_fn([prompt] * len(x_0), **guidance), studio.schedule, x_0, studio.levels, start,
        **studio.options(),
    )
    return last.x_t


def rows_of(studio, x_0, prompt, **guidance):
    """Return every start's results and then the picture, a row for each of x_0: (N * ...,1,28,28),
    and the labels of the columns."""
    columns = [edited(studio, x_0, prompt, k, **guidance) for k in studio.starts]
    labels = [*(f"{k}: t={studio.levels[k]}" for k in studio.starts), "picture"]
    return torch.stack([*columns, x_0], 1).flatten(0, 1), labels


def draw(out, studio):
    """Draw a test digit and two pictures "from the web" at every i_start, nothing asked for."""
    x_0 = torch.cat([studio.digits("7"), studio.picture("web-5"), studio.picture("web-star")])
    rows, labels = rows_of(studio, x_0, "")
    path = out / "sdedit.png"
    save_grid(path, rows, f"columns: i_start of 33 strided steps, and its t; prompt '', seed 0; "
              f"{studio.model.summary}", len(labels), ("test digit", "typeset", "star"),
              [label.replace(": ", "\n") for label in labels])
    yield path
    yield from studio.upsampled(out / "sdedit-upsampled.png", rows, "the same", len(labels))
