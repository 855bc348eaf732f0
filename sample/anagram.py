"""Generate one image that shows something else when it is turned, mirrored or rearranged.

    python -m sample.anagram --prompts 6 9 --view rotate180

The image as it is shows the first prompt; each view shows a further one. With as many views as
prompts, the first prompt is seen through the first view. A GIF (--gif) ends with the turn.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from minidiff.editing.illusions import anagram
from minidiff.editing.views import VIEWS
from minidiff.system import cli
from minidiff.theory.samplers import trajectory
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
    if "negative" in names and sum(model.data_range):
        raise ValueError(
            f"the view negative swaps black and white, so it needs a model whose data range is "
            f"symmetric about 0, such as -1..1; this one's is {model.data_range}; use another view"
        )
    views = [VIEWS[name] for name in names]
    model.embed([*own.prompts])  # T5 encodes all of them at once
    eps_fn = model.combine(anagram, [edit.eps_fn(prompt) for prompt in own.prompts], views)
    states = trajectory(eps_fn, model.schedule, edit.noise(), edit.timesteps, **edit.sampling)
    seen = ", ".join(f"{p!r} by {name}" for p, name in zip(own.prompts, names))
    turns = [int(name.removeprefix("rotate")) for name in names if name.startswith("rotate")]
    x = edit.finish(
        states, edit.options.steps + 1, f"one image, seen as {seen}; a row each",
        lambda x: torch.cat([view.see(x) for view in views]), columns=own.n, row_labels=names,
        film=(lambda x: turning(x, turns[-1])) if turns else None,
    )
    seen = [(f"by {n}", v.see(x), p) for n, v, p in zip(names, views, own.prompts)]
    report(edit.model, *seen)


if __name__ == "__main__":
    with cli.program():
        main()
