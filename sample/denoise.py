"""Add noise to an image and remove it again: by blur, in one step, and in many.

    python -m sample.denoise --image my.png --start 10
"""

from dataclasses import dataclass

import torch

from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised, one_step
from minidiff.system import cli
from minidiff.theory.samplers import trajectory
from sample.edit import Edit, check_start, resized


@dataclass(frozen=True)
class DenoiseOptions:
    """How much noise, and how many results. Raises ValueError for values out of range."""

    prompt: str = cli.flag("", "what the image shows; empty: no prompt")
    start: int = cli.flag(
        -1, "step whose noise is added, 0 (most) .. --steps - 1 (least); -1: 40% of --steps",
        least=-1, most=10_000, within="steps",
    )
    strength: float = cli.flag(
        -1.0, "instead of --start: how much is made anew, 0 (nothing) .. 1 (all); -1: by --start",
        least=-1, most=1,
    )
    n: int = cli.flag(4, "how many results of sampling", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)
        check_start(self)


def main(argv=None):
    """Denoise as the options say."""
    edit = Edit("denoise", DenoiseOptions, argv, "add noise to an image and remove it again")
    own, x_0, timesteps, schedule = edit.own, edit.load(), edit.timesteps, edit.schedule
    start = edit.start
    if not 0 <= start < len(timesteps) - 1:
        raise ValueError(
            f"start must lie in 0..{len(timesteps) - 2}, from most noise to least; got {start}"
        )
    t, eps_fn = timesteps[start], edit.eps_fn(own.prompt)
    x_t = noised(schedule, x_0[:1], t, edit.generator[:1]).expand(own.n, -1, -1, -1)
    jump = one_step(eps_fn, schedule, x_t, t)[:1]
    sigma, best = best_blur(x_t[:1], x_0[:1])
    blurred = gaussian_blur(x_t[:1])
    states = trajectory(eps_fn, schedule, x_t, timesteps[start:], **edit.sampling)
    caption = (
        f"left to right: {edit.image_name}; noised to t = {t}; blurred with σ = 2; with the "
        f"best σ, {sigma:g}; in one step; then in {len(timesteps) - 1 - start} steps"
        + (f", prompt {own.prompt!r}" if own.prompt else "")
    )
    edit.finish(
        states, len(timesteps) - start, caption,
        lambda x: torch.cat([resized(torch.cat([x_0[:1], x_t[:1], blurred, best, jump]), x), x]),
        own.prompt,
    )


if __name__ == "__main__":
    with cli.program():
        main()
