"""Draw the digits asked for, with the class-conditioned model and guidance.

    python -m sample.class_cond --digits 0123456789 --per-digit 4 --seed 0 --out grid.png
"""

from minidiff import cli, config
from sample.run import run


def main(argv=None):
    """Sample as the flags say and write what they name: a column for each digit."""
    how, outputs, asked, guidance = cli.parse(
        [config.WalkFlags, config.OutputFlags, config.DigitFlags, config.GuidanceFlags], argv,
        "python -m sample.class_cond", "draw the digits asked for",
    )
    asked = config.DigitFlags(**asked)
    prompts = list(asked.digits) * asked.per_digit
    run(
        "class", config.WalkFlags(**how), config.OutputFlags(**outputs), prompts,
        guidance, labels=[int(p) for p in prompts],
        columns=len(asked.digits) if len(asked.digits) <= 20 else None,
    )


if __name__ == "__main__":
    cli.main(main)
