"""Draw a picture anew, near to one that is given: SDEdit, image to image.

    python -m sample.sdedit --image my.png --prompt 3 --start 5

--start says how much of the picture is drowned in noise first: 0 nearly all, the last step nothing.
"""

from dataclasses import dataclass

import torch

from minidiff import cli, config, editing
from sample.edit import begin, beside, judge, tell


@dataclass(frozen=True)
class SdeditFlags:
    """What to make of the picture. Raises ValueError for fewer than one."""

    prompt: str = cli.flag("", "what to draw; empty: whatever the model sees in it")
    start: int = cli.flag(
        -1, "step to start at, 0 (from noise) .. --steps (the picture); -1: four tenths of --steps"
    )
    n: int = cli.flag(8, "how many to draw")

    def __post_init__(self):
        config.at_least("n", self.n, 1)


def main(argv=None):
    """Draw as the flags say."""
    desk = begin(SdeditFlags, argv, "sdedit", "draw a picture anew, near to one that is given")
    flags, x_0, levels = desk.own, desk.load(), desk.timesteps
    start = desk.start
    path = editing.sdedit(
        desk.eps_fn(flags.prompt), desk.model.schedule, x_0, levels, start, **desk.options
    )
    told = (
        f"left: {desk.picture.image}; then it is noised to t = {levels[start]} (start {start}) "
        f"and drawn anew as {flags.prompt!r}"
    )
    x = desk.finish(
        path, len(levels) - start, told, lambda x: torch.cat([beside(x_0[:1], x), x]), flags.prompt
    )
    tell(judge(), ("drawn anew", x, flags.prompt))


if __name__ == "__main__":
    cli.main(main)
