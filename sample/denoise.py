"""Add noise to an image and remove it again: by blur, in one step, and in many.

    python -m sample.denoise --image my.png --start 10
"""

from dataclasses import dataclass

import torch

from minidiff.api.edits import start_of
from minidiff.api.pipeline import States
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised, one_step
from minidiff.models.generate import generators, prompted
from minidiff.system import cli
from minidiff.theory.samplers import trajectory
from minidiff.theory.schedule import evenly
from sample.edit import Edit, resized, start_flags


@dataclass(frozen=True)
class DenoiseOptions:
    """How much noise, and how many results. Raises ValueError for values out of range."""

    prompt: str = cli.flag("", "what the image shows; empty: no prompt")
    start: float = cli.flag(
        0.4, "step whose noise is added, 0 (most) .. --steps - 1; below 1: a share of the steps",
        least=0, most=10_000,
    )
    strength: float = cli.flag(
        -1.0, "instead of --start: how much is made anew, 0 (nothing) .. 1 (all); -1: by --start",
        least=-1, most=1,
    )
    n: int = cli.flag(4, "how many results of sampling", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)
        start_flags(self)


def main(argv=None):
    """Denoise as the options say."""
    edit = Edit("denoise", DenoiseOptions, argv, "add noise to an image and remove it again")
    own, model, options = edit.own, edit.model, edit.options
    timesteps, start = evenly(model.schedule.T, options.steps), start_of(options.steps,
                                                                         **start_flags(own))
    if start == options.steps:
        raise ValueError(
            f"start must lie in 0..{options.steps - 1}, from most noise to least; got {start}"
        )
    t, x_0 = timesteps[start], model.from_unit(edit.load()).to(model.device)
    eps_fn = prompted(model, [own.prompt] * own.n, **options.guidance)
    sources = generators(options.seed, own.n)
    x_t = noised(model.schedule, x_0, t, sources[:1]).expand(own.n, -1, -1, -1)
    jump = one_step(eps_fn, model.schedule, x_t, t)[:1]
    sigma, best = best_blur(x_t[:1], x_0)
    blurred = gaussian_blur(x_t[:1])
    states = trajectory(eps_fn, model.schedule, x_t, timesteps[start:], generator=sources,
                        **options.sampling(model))
    caption = (
        f"left to right: {edit.image_name}; noised to t = {t}; blurred with σ = 2; with the "
        f"best σ, {sigma:g}; in one step; then in {options.steps - start} steps"
        + (f", prompt {own.prompt!r}" if own.prompt else "")
    )
    before = model.to_unit(torch.cat([x_0, x_t[:1], blurred, best, jump]))
    edit.finish(States(model, states, options.steps - start + 1), caption,
                lambda x: torch.cat([resized(before, x), x]), own.prompt)


if __name__ == "__main__":
    with cli.program():
        main()
