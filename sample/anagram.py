"""Generate one image that shows something else when it is turned, mirrored or rearranged.

    python -m sample.anagram --prompts 6 9 --view rotate180

The image as it is shows the first prompt; each view shows a further one. With as many views as
prompts, the first prompt is seen through the first view. A GIF (--gif) ends with the turn.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from minidiff.api.edits import anagram_states
from minidiff.editing.views import VIEWS
from minidiff.system import cli
from sample.edit import Edit, report

TURN = 24  # frames of a GIF in which the finished image turns


@dataclass(frozen=True)
class AnagramOptions:
    """The prompts, and their views. Raises ValueError if they do not fit."""

    prompts: tuple[str, ...] = cli.flag(("6", "9"), "one prompt for each view")
    view: tuple[str, ...] = cli.flag(("rotate180",), f"views: {', '.join(VIEWS)}")
    n: int = cli.flag(10, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)
        for name in self.view:
            if name not in VIEWS:
                raise ValueError(f"unknown view {name!r}; choose from: {', '.join(VIEWS)}")
        if len(self.prompts) - len(self.view) not in (0, 1):
            raise ValueError(
                f"expected a view for each prompt, or for each but the first; got "
                f"{len(self.prompts)} prompts and {len(self.view)} views"
            )


def turned(x, degrees):
    """Return images x (B,C,H,W) turned counter-clockwise about their middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = torch.tensor([[cos, -sin, 0], [sin, cos, 0]], device=x.device).expand(len(x), 2, 3)
    grid = F.affine_grid(matrix, x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def turning(x, degrees):
    """Return TURN frames of images that turn by so many degrees, slow at both ends."""
    angles = (degrees * (1 - math.cos(math.pi * k / TURN)) / 2 for k in range(1, TURN + 1))
    return [x] * 10 + [turned(x, angle) for angle in angles]


def main(argv=None):
    """Generate as the options say: a row as it is, and one for each view."""
    about = "generate one image that can be seen in two ways"
    edit = Edit("anagram", AnagramOptions, argv, about, image=False)
    own, model = edit.own, edit.model
    names = ["identity"] * (len(own.prompts) - len(own.view)) + list(own.view)
    states = anagram_states(model, own.prompts, names, n=own.n)
    turns = [int(name.removeprefix("rotate")) for name in names if name.startswith("rotate")]

    def by(name, x):
        return model.to_unit(VIEWS[name].see(model.from_unit(x)))

    x = edit.finish(
        states, "one image, seen as " + ", ".join(
            f"{p!r} by {name}" for p, name in zip(own.prompts, names)) + "; a row each",
        lambda x: torch.cat([by(name, x) for name in names]), columns=own.n, row_labels=names,
        film=(lambda x: turning(x, turns[-1])) if turns else None,
    )
    report(model, *((f"by {name}", by(name, x), p) for name, p in zip(names, own.prompts)))


if __name__ == "__main__":
    with cli.program():
        main()
