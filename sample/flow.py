"""Draw the digits asked for by following a flow.

    python -m sample.flow --digits 0123456789 --per-digit 4 --steps 10 --out grid.png
    python -m sample.flow --model flow-uncond        as many of a flow that is asked for nothing
"""

from minidiff import checkpoint, cli, config, models
from sample.run import run


def main(argv=None):
    """Sample as the flags say and write what they name: a column for each digit."""
    how, outputs, asked, guidance = cli.parse(
        [config.EulerFlags, config.OutputFlags, config.DigitFlags, config.GuidanceFlags], argv,
        "python -m sample.flow", "draw the digits asked for by following a flow",
    )
    how, digits = config.EulerFlags(**how), config.DigitFlags(**asked)
    kind = checkpoint.load(models.find("flow", how.model))["kind"]
    prompts = list(digits.digits) * digits.per_digit
    labels = [int(p) for p in prompts]
    if kind == "flow-uncond":
        if "digits" in asked or guidance:
            raise ValueError("this flow knows no digits: drop --digits, --gamma and --guide-until")
        prompts, labels = [""] * len(prompts), None
    columns = len(digits.digits) if len(digits.digits) <= 20 else None
    kind = kind if kind in models.FLOWS else "flow"
    run(kind, how, config.OutputFlags(**outputs), prompts, guidance, labels=labels, columns=columns)


if __name__ == "__main__":
    cli.main(main)
