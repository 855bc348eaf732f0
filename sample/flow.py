"""Draw the digits asked for by following a flow.

    python -m sample.flow --digits 0123456789 --per-digit 4 --steps 10 --out grid.png
    python -m sample.flow --model flow-uncond        as many of a flow that is asked for nothing
"""

from minidiff import cli, settings
from sample.run import run


def main(argv=None):
    """Sample as the flags say and write what they name: a column for each digit."""
    run("flow", settings.DigitFlags, argv, "draw the digits asked for by following a flow")


if __name__ == "__main__":
    cli.main(main)
