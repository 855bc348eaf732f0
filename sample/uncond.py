"""Draw digits from noise with the time-conditioned model.

    python -m sample.uncond --n 40 --steps 50 --sampler ddpm --seed 0 --out grid.png --gif way.gif
"""

from minidiff import cli, settings
from sample.run import run


def main(argv=None):
    """Sample as the flags say and write what they name."""
    run("uncond", settings.UncondFlags, argv, "draw digits from noise")


if __name__ == "__main__":
    cli.main(main)
