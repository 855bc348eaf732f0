"""Generate digits from noise with the time-conditioned model.

    python -m sample.uncond --n 40 --steps 50 --sampler ddpm --seed 0 --out grid.png --gif way.gif
"""

from functools import partial

from minidiff.system.cli import program
from sample.generate import run
from sample.prompts import CountOptions

main = partial(run, "uncond", ("uncond",), CountOptions, "generate digits from noise")

if __name__ == "__main__":
    with program():
        main()
