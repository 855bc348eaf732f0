"""Generate one image that shows one thing from a distance and another up close.

    python -m sample.hybrid --low 3 --high 8

Squint at it, or look from across the room. The second row does that for you.
"""

from dataclasses import dataclass

import torch

from minidiff.api.edits import hybrid_states
from minidiff.editing import illusions
from minidiff.evaluation.metrics import from_afar
from minidiff.system import cli
from sample.edit import Edit, report

BY = ("blur", "motion", "grey")


@dataclass(frozen=True)
class HybridOptions:
    """The two prompts, and the filter. Raises ValueError for values out of range."""

    low: str = cli.flag("1", "prompt seen from a distance")
    high: str = cli.flag("4", "prompt seen up close")
    by: str = cli.flag("blur", "what low keeps: a Gaussian blur, a sideways motion, or grey", BY)
    sigma: float = cli.flag(
        1.4, "standard deviation of the Gaussian, pixels", least=0.1, most=100, needs={"by": "blur"}
    )
    length: int = cli.flag(
        7, "its length in pixels, odd", least=1, most=1023, needs={"by": "motion"}
    )
    far: float = cli.flag(
        2.0, "standard deviation of the blur that shows it from a distance, pixels", least=0.1,
        most=100,
    )
    n: int = cli.flag(10, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)

    def coarse(self):
        """Return the filter that passes the share of `low`."""
        made = {"blur": lambda: illusions.blur(self.sigma), "grey": lambda: illusions.grey,
                "motion": lambda: illusions.motion(self.length)}
        return made[self.by]()


def main(argv=None):
    """Generate as the options say: a row as it is, one as seen from a distance."""
    about = "generate one image that shows something else from a distance"
    edit = Edit("hybrid", HybridOptions, argv, about, image=False)
    own, model = edit.own, edit.model
    if own.by == "grey" and model.image_shape[0] == 1:
        raise ValueError("this model generates grey images, so there is no colour left for --high; "
                         "use --by blur or motion")
    width = model.image_shape[2]
    if own.by == "motion" and own.length >= 2 * width:
        raise ValueError(f"length must be less than twice the image's width of {width} pixels, got "
                         f"{own.length}")
    states = hybrid_states(model, own.low, own.high, own.coarse(), n=own.n)

    def afar(x):
        return from_afar(x, own.far * x.shape[3] / width)  # the second stage's are larger

    size = {"blur": f", σ = {own.sigma:g} pixels", "motion": f", {own.length} pixels", "grey": ""}
    x = edit.finish(
        states,
        f"above, up close: {own.high!r}; below, from a distance (σ = {own.far:g} pixels): "
        f"{own.low!r}; split by {own.by}{size[own.by]}",
        lambda x: torch.cat([x, afar(x)]), columns=own.n, row_labels=("near", "afar"),
    )
    report(model, ("near", x, own.high), ("afar", afar(x), own.low))


if __name__ == "__main__":
    with cli.program():
        main()
