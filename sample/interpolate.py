"""Generate the images between two images: both become noise, and the noise is mixed.

    python -m sample.interpolate --image my.png --to other.png --n 7 --prompt 3

Each image is inverted to the noise from which a sampler without noise of its own makes it. More
--steps bring the two at the ends closer to the images given.
"""

from dataclasses import dataclass

import torch

from minidiff.editing.inversion import invert, slerp
from minidiff.system import cli
from minidiff.theory.samplers import trajectory
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
    own, options = edit.own, edit.options
    if options.sampler == "ddpm" or options.eta:
        raise ValueError("interpolation needs a sampler that adds no noise: ddim with eta 0, heun "
                         "or dpm2m")
    ends, eps_fn = [edit.load(), edit.load(own.to)], edit.eps_fn(own.prompt)
    noises = [invert(eps_fn, edit.schedule, x, edit.timesteps) for x in ends]
    x = torch.cat([slerp(noises[0][k:k + 1], noises[1][k:k + 1], k / (own.n - 1))
                   for k in range(own.n)])
    states = trajectory(eps_fn, edit.schedule, x, edit.timesteps, **edit.sampling)
    caption = (f"{edit.image_name} and {own.to}, at the ends; between them {own.n} images from "
               f"their mixed noise" + (f", prompt {own.prompt!r}" if own.prompt else ""))
    edit.finish(
        states, len(edit.timesteps), caption,
        lambda x: torch.cat([resized(ends[0][:1], x), x, resized(ends[1][:1], x)]), own.prompt,
        columns=own.n + 2 if own.n <= 18 else None,
    )


if __name__ == "__main__":
    with cli.program():
        main()
