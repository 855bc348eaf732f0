"""Draw one picture that shows something else when it is turned, mirrored or cut up.

    python -m sample.anagram --prompts 6 9 --view rotate180

The first prompt is what one sees as it is; then one view for each further prompt. With as many
views as prompts the first is seen by the first view.
"""

from dataclasses import dataclass

import torch

from minidiff import cli, config, editing
from minidiff.samplers import sample_path
from sample.edit import MixingFlags, begin, judge, tell


@dataclass(frozen=True)
class AnagramFlags:
    """What to see, and how to look. Raises ValueError for what does not fit."""

    prompts: tuple[str, ...] = cli.flag(("6", "9"), "what to see, one for each way to look")
    view: tuple[str, ...] = cli.flag(("rotate180",), f"ways to look: {', '.join(editing.VIEWS)}")
    n: int = cli.flag(10, "how many to draw")

    def __post_init__(self):
        config.at_least("n", self.n, 1)
        for name in self.view:
            if name not in editing.VIEWS:
                raise ValueError(f"unknown view {name!r}; choose from: {', '.join(editing.VIEWS)}")
        if len(self.prompts) - len(self.view) not in (0, 1):
            raise ValueError(
                f"wanted a view for each prompt, or for each but the first; got "
                f"{len(self.prompts)} prompts and {len(self.view)} views"
            )


def main(argv=None):
    """Draw as the flags say: a row as it is, and one for each view."""
    desk = begin(
        AnagramFlags, argv, "anagram", "draw one picture that can be seen in two ways",
        picture=False, guidance=MixingFlags,
    )
    flags, model = desk.own, desk.model
    names = ["identity"] * (len(flags.prompts) - len(flags.view)) + list(flags.view)
    if "negative" in names and sum(model.data_range):
        raise ValueError(
            f"the view negative makes black of white, so it wants a model whose data's range is "
            f"symmetric about 0, as -1..1; this one's is {model.data_range}; take another view"
        )
    views = [editing.VIEWS[name] for name in names]
    model.embed([*flags.prompts])  # T5 reads all of them at once
    eps_fn = editing.anagram([desk.eps_fn(prompt) for prompt in flags.prompts], views)
    path = sample_path(eps_fn, model.schedule, desk.noise(), desk.timesteps, **desk.options)
    told = ", ".join(f"{p!r} by {name}" for p, name in zip(flags.prompts, names))
    x = desk.finish(
        path, desk.how.steps + 1, f"one picture, to be seen as {told}; a row each",
        lambda x: torch.cat([view.see(x) for view in views]), columns=flags.n, row_labels=names,
    )
    tell(judge(), *((f"by {n}", v.see(x), p) for n, v, p in zip(names, views, flags.prompts)))


if __name__ == "__main__":
    cli.main(main)
