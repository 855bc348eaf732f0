"""Generate an image close to a given one: SDEdit, image to image.

    python -m sample.sdedit --image my.png --prompt 3 --start 5

--start decides how much of the image noise hides at first: 0 nearly all, the last step nothing.
"""

from dataclasses import dataclass

import torch

from minidiff.editing.image_to_image import sdedit
from minidiff.system import cli
from sample.edit import Edit, check_start, report, resized


@dataclass(frozen=True)
class SdeditOptions:
    """What to make of the image. Raises ValueError for values out of range."""

    prompt: str = cli.flag("", "what to make of it; empty: no prompt")
    start: int = cli.flag(
        -1, "step to start at, 0 (noise) .. --steps (the image); -1: 40% of --steps",
        least=-1, most=10_000, within="steps",
    )
    strength: float = cli.flag(
        -1.0, "instead of --start: how much is made anew, 0 (nothing) .. 1 (all); -1: by --start",
        least=-1, most=1,
    )
    n: int = cli.flag(8, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)
        check_start(self)


def main(argv=None):
    """Edit as the options say."""
    edit = Edit("sdedit", SdeditOptions, argv, "generate an image close to a given one")
    own, x_0, timesteps, start = edit.own, edit.load(), edit.timesteps, edit.start
    states = sdedit(
        edit.eps_fn(own.prompt), edit.schedule, x_0, timesteps, start, **edit.sampling
    )
    caption = (
        f"left: {edit.image_name}; then noised to t = {timesteps[start]} (start {start}) and "
        f"sampled as {own.prompt!r}"
    )
    x = edit.finish(
        states, len(timesteps) - start, caption,
        lambda x: torch.cat([resized(x_0[:1], x), x]), own.prompt,
    )
    report(edit.model, ("edited", x, own.prompt))


if __name__ == "__main__":
    with cli.program():
        main()
