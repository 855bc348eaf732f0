"""Draw the digits asked for, with the class-conditioned model and guidance.

    python -m sample.class_cond --digits 0123456789 --per-digit 4 --seed 0 --out grid.png
    python -m sample.class_cond --model deepfloyd --prompts "a rocket ship" --upsample
"""

from minidiff import cli, settings
from sample.run import run


def main(argv=None):
    """Sample as the flags say and write what they name: a column for each digit."""
    run("class", settings.DigitFlags, argv, "draw the digits asked for")


if __name__ == "__main__":
    cli.main(main)
