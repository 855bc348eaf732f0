"""Fill a hole in an image.

    python -m sample.inpaint --image my.png --mask "rows 2:20 columns 8:20" --prompt 3
    python -m sample.inpaint --image my.png --mask hole.png --prompt 3 --resample 5

The known part stays exactly as it is. --resample goes back and forth between noise levels, so that
hole and surroundings become consistent, and takes that many times as long.
"""

from dataclasses import dataclass

import torch

from minidiff.api.edits import inpaint_states
from minidiff.api.inputs import hole_of
from minidiff.editing.inpainting import inpaint_calls
from minidiff.system import cli
from sample.edit import Edit, report, resized


@dataclass(frozen=True)
class InpaintOptions:
    """The hole, and what fills it. Raises ValueError for values out of range."""

    mask: str = cli.flag("rows 14:28", "the hole: 'rows 2:20 columns 8:20', or an image (light)")
    invert_mask: bool = cli.flag(False, "the mask is what is kept, and the rest is the hole")
    prompt: str = cli.flag("", "what the image shows; empty: no prompt")
    resample: int = cli.flag(
        5, "how often each step is taken: RePaint's resampling; 1: none", least=1, most=1000
    )
    n: int = cli.flag(8, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Inpaint as the options say."""
    edit = Edit("inpaint", InpaintOptions, argv, "fill a hole in an image")
    own, x_0, file = edit.own, edit.load(), edit.image.image
    mask = hole_of(edit.model, own.mask, file, own.invert_mask, edit.image.fit)
    once = edit.options.calls(edit.model)
    calls = inpaint_calls(once, own.resample)
    print(f"cost: {calls} network calls ({once} without resampling)", flush=True)
    states = inpaint_states(edit.model, x_0[0], mask, own.prompt, n=own.n, resample=own.resample,
                            invert=False)
    hole = f"all but {own.mask}" if own.invert_mask else own.mask
    caption = (
        f"left: {edit.image_name}, and its hole in grey ({hole}); then filled as "
        f"{own.prompt!r}, each step taken {own.resample} times"
    )
    given = torch.cat([x_0, x_0.masked_fill(mask, 0.5)])
    x = edit.finish(states, caption, lambda x: torch.cat([resized(given, x), x]), own.prompt)
    report(edit.model, ("filled", x, own.prompt))


if __name__ == "__main__":
    with cli.program():
        main()
