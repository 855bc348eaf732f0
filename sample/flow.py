"""Generate digits with a flow.

    python -m sample.flow --digits 0123456789 --per-digit 4 --steps 10 --out grid.png
    python -m sample.flow --model flow-uncond        from a flow without labels
"""

from functools import partial

from minidiff.models.zoo import FLOWS
from minidiff.system.cli import program
from sample.generate import run
from sample.prompts import DigitOptions

main = partial(run, "flow", FLOWS, DigitOptions, "generate digits with a flow")

if __name__ == "__main__":
    with program():
        main()
