"""Noise a picture and try to get it back: by blur, in one step, and in many.

    python -m sample.denoise --image my.png --start 10
"""

from dataclasses import dataclass

import torch

from minidiff import cli, config, editing
from minidiff.samplers import sample_path
from sample.edit import begin, beside


@dataclass(frozen=True)
class DenoiseFlags:
    """How noisy, and how often. Raises ValueError for fewer than one."""

    prompt: str = cli.flag("", "what the picture shows; empty: let the model see")
    start: int = cli.flag(
        -1, "step whose noise is put on, 0 (all) .. --steps - 1 (least); -1: four tenths of --steps"
    )
    n: int = cli.flag(4, "how many ways back to walk")

    def __post_init__(self):
        config.at_least("n", self.n, 1)


def main(argv=None):
    """Denoise as the flags say."""
    desk = begin(DenoiseFlags, argv, "denoise", "noise a picture and try to get it back")
    flags, x_0, levels, schedule = desk.own, desk.load(), desk.timesteps, desk.model.schedule
    start = desk.start
    if not 0 <= start < len(levels) - 1:
        raise ValueError(
            f"start must lie in 0..{len(levels) - 2}, from all noise to least; got {start}"
        )
    t, eps_fn = levels[start], desk.eps_fn(flags.prompt)
    x_t = editing.noised(schedule, x_0[:1], t, desk.generator).expand(flags.n, -1, -1, -1)
    jump = editing.one_step(eps_fn, schedule, x_t, t)[:1]
    sigma, best = editing.best_gaussian(x_t[:1], x_0[:1])
    fixed = editing.gaussian_denoise(x_t[:1])
    path = sample_path(eps_fn, schedule, x_t, levels[start:], **desk.options)
    told = (
        f"left to right: {desk.picture.image}; noised to t = {t}; blurred with σ = 2; with the "
        f"best σ, {sigma:g}; in one step; then in {len(levels) - 1 - start} steps"
    )
    desk.finish(
        path, len(levels) - start, told,
        lambda x: torch.cat([beside(torch.cat([x_0[:1], x_t[:1], fixed, best, jump]), x), x]),
        flags.prompt,
    )


if __name__ == "__main__":
    cli.main(main)
