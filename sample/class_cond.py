"""Generate digits with the class-conditioned model and guidance.

    python -m sample.class_cond --digits 0123456789 --per-digit 4 --seed 0 --out grid.png
    python -m sample.class_cond --model deepfloyd --prompts "a rocket ship" --upsample
"""

from functools import partial

from minidiff.system.cli import program
from sample.generate import run
from sample.prompts import DigitOptions

main = partial(run, "class_cond", ("class",), DigitOptions, "generate digits, a column for each")

if __name__ == "__main__":
    with program():
        main()
