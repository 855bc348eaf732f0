"""Generate the images between two images: both become noise, and the noise is mixed.

    python -m sample.interpolate --image my.png --to other.png --n 7 --prompt 3

Each image is inverted to the noise from which a sampler without noise of its own makes it. More
--steps bring the two at the ends closer to the images given.
"""

from dataclasses import dataclass

import torch

from minidiff.api.edits import interpolate_states
from minidiff.system import cli
from sample.edit import Edit, resized


@dataclass(frozen=True)
class InterpolateOptions:
    """The other image. Raises ValueError for values out of range."""

    to: str = cli.flag("", "the other image file")
    prompt: str = cli.flag("", "what both show; empty: no prompt")
    n: int = cli.flag(7, "how many images, with both ends", least=2, most=10_000)

    def __post_init__(self):
        cli.check(self)


def main(argv=None):
    """Interpolate as the options say."""
    edit = Edit("interpolate", InterpolateOptions, argv, "generate the images between two images")
    own, ends = edit.own, [edit.load(), edit.load(edit.own.to)]
    if "seed" in edit.typed and not edit.outputs.upsample:
        raise ValueError("interpolation adds no noise, so --seed has no effect; leave it out")
    states = interpolate_states(edit.model, ends[0][0], ends[1][0], own.prompt, n=own.n,
                                invert=False)
    prompt = f", prompt {own.prompt!r}" if own.prompt else ""
    caption = (f"{edit.image_name} and {edit.named(own.to)}, at the ends; between them {own.n} "
               f"images from their mixed noise{prompt}")
    edit.finish(
        states, caption, lambda x: torch.cat([resized(ends[0], x), x, resized(ends[1], x)]),
        own.prompt, columns=own.n + 2 if own.n <= 18 else None,
    )


if __name__ == "__main__":
    with cli.program():
        main()
