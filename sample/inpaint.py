"""Fill a hole in a picture.

    python -m sample.inpaint --image my.png --mask "rows 2:20 columns 8:20" --prompt 3
    python -m sample.inpaint --image my.png --mask hole.png --prompt 3 --resample 5

What is known stays exactly as it is. --resample steps back and forth, so that hole and surroundings
agree better, and takes so many times as long.
"""

from dataclasses import dataclass

import torch

from minidiff import cli, config, editing, photos
from sample.edit import begin, beside, judge, tell


@dataclass(frozen=True)
class InpaintFlags:
    """What to fill, and with what. Raises ValueError for fewer than one."""

    mask: str = cli.flag("rows 14:28", "the hole: 'rows 2:20 columns 8:20', or a picture (light)")
    prompt: str = cli.flag("", "what to draw; empty: whatever fits")
    resample: int = cli.flag(5, "how often each step is taken: RePaint's resampling; 1: none")
    n: int = cli.flag(8, "how many to draw")

    def __post_init__(self):
        config.at_least("n", self.n, 1)
        config.at_least("resample", self.resample, 1)


def main(argv=None):
    """Fill as the flags say."""
    desk = begin(InpaintFlags, argv, "inpaint", "fill a hole in a picture")
    flags, picture, x_0 = desk.own, desk.picture, desk.load()
    size = photos.size_of(picture.image)
    mask = photos.load_mask(flags.mask, desk.model.image_shape, size, picture.fit).to(x_0.device)
    calls = editing.inpaint_calls(desk.how.steps, flags.resample)
    print(f"cost: {calls} network calls ({desk.how.steps} without resampling)", flush=True)
    path = editing.inpaint(
        desk.eps_fn(flags.prompt), desk.model.schedule, x_0, mask, desk.noise(), desk.timesteps,
        resample=flags.resample, **desk.options,
    )
    grey = sum(desk.model.data_range) / 2
    told = (
        f"left: {picture.image}, and its hole in grey ({flags.mask}); then filled as "
        f"{flags.prompt!r}, each step taken {flags.resample} times"
    )
    given = torch.cat([x_0[:1], x_0[:1].masked_fill(mask, grey)])
    x = desk.finish(
        path, desk.how.steps + 1, told, lambda x: torch.cat([beside(given, x), x]), flags.prompt
    )
    tell(judge(), ("filled", x, flags.prompt))


if __name__ == "__main__":
    cli.main(main)
