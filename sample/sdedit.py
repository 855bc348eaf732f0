"""Generate an image close to a given one: SDEdit, image to image.

    python -m sample.sdedit --image my.png --prompt 3 --start 5

--start decides how much of the image noise hides at first: 0 nearly all, the last step nothing.
"""

from dataclasses import dataclass

import torch

from minidiff.api.edits import edit_states, start_of
from minidiff.system import cli
from minidiff.theory.schedule import evenly
from sample.edit import Edit, report, resized, start_flags


@dataclass(frozen=True)
class SdeditOptions:
    """What to make of the image. Raises ValueError for values out of range."""

    prompt: str = cli.flag("", "what to make of it; empty: no prompt")
    start: float = cli.flag(
        0.4, "step to start at, 0 (noise) .. --steps (the image); below 1: a share of the steps",
        least=0, most=10_000,
    )
    strength: float = cli.flag(
        -1.0, "instead of --start: how much is made anew, 0 (nothing) .. 1 (all); -1: by --start",
        least=-1, most=1,
    )
    n: int = cli.flag(8, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)
        start_flags(self)


def main(argv=None):
    """Edit as the options say."""
    edit = Edit("sdedit", SdeditOptions, argv, "generate an image close to a given one")
    own, x_0, steps = edit.own, edit.load(), edit.options.steps
    start = start_of(steps, **start_flags(own))
    states = edit_states(edit.model, x_0[0], own.prompt, start, n=own.n, invert=False)
    caption = (
        f"left: {edit.image_name}; then noised to t = {evenly(edit.model.schedule.T, steps)[start]}"
        f" (start {start}) and sampled as {own.prompt!r}"
    )
    x = edit.finish(states, caption, lambda x: torch.cat([resized(x_0, x), x]), own.prompt)
    report(edit.model, ("edited", x, own.prompt))


if __name__ == "__main__":
    with cli.program():
        main()
