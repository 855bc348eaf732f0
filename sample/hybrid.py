"""Draw one picture that shows one thing from afar and another from near.

    python -m sample.hybrid --low 3 --high 8

Look at it with eyes half shut, or from across the room. The second row does that for you.
"""

from dataclasses import dataclass

import torch

from minidiff import cli, config, editing
from minidiff.evaluate import from_afar
from minidiff.samplers import sample_path
from sample.edit import MixingFlags, begin, judge, tell
from sample.run import unit

BY = ("blur", "motion", "grey")


@dataclass(frozen=True)
class HybridFlags:
    """What to see. Raises ValueError for values out of range."""

    low: str = cli.flag("1", "what to see from afar")
    high: str = cli.flag("4", "what to see from near")
    by: str = cli.flag("blur", "what low keeps: a Gaussian blur, a sideways motion, or grey", BY)
    sigma: float = cli.flag(1.4, "deviation of the Gaussian between low and high, pixels")
    length: int = cli.flag(7, "by motion: its length in pixels, odd")
    n: int = cli.flag(10, "how many to draw")

    def __post_init__(self):
        config.at_least("n", self.n, 1)
        if not 0.1 <= self.sigma <= 100:
            raise ValueError(f"sigma must lie in 0.1..100 pixels, got {self.sigma}")

    def coarse(self):
        """Return the filter whose share is `low`'s."""
        made = {"blur": lambda: editing.blur(self.sigma), "grey": lambda: editing.grey,
                "motion": lambda: editing.motion(self.length)}
        return made[self.by]()


def main(argv=None):
    """Draw as the flags say: a row as it is, one as from afar."""
    desk = begin(
        HybridFlags, argv, "hybrid", "draw one picture that shows another thing from afar",
        picture=False, guidance=MixingFlags,
    )
    flags, model = desk.own, desk.model
    model.embed([flags.low, flags.high])  # T5 reads both at once
    eps_fns = [desk.eps_fn(flags.low), desk.eps_fn(flags.high)]
    if flags.by == "grey" and model.image_shape[0] == 1:
        raise ValueError("this model draws in grey, so there is no colour left for --high; take "
                         "--by blur or motion")
    eps_fn = editing.hybrid(eps_fns, editing.split(flags.coarse()))
    path = sample_path(eps_fn, model.schedule, desk.noise(), desk.timesteps, **desk.options)
    low, high = model.data_range

    def afar(x):
        return low + (high - low) * from_afar(unit(x, model), 2.0 * x.shape[3] / 28)

    x = desk.finish(
        path, desk.how.steps + 1,
        f"above, from near: {flags.high!r}; below, from afar: {flags.low!r}; split by {flags.by}, "
        f"{f'σ = {flags.sigma:g}' if flags.by == 'blur' else flags.length} pixels",
        lambda x: torch.cat([x, afar(x)]), columns=flags.n,
        row_labels=("near", "afar"),
    )
    tell(judge(), ("near", x, flags.high), ("afar", afar(x), flags.low))


if __name__ == "__main__":
    cli.main(main)
