"""Train the second stage of doodles: eps_hat of a 64x64 doodle, given it at 32x32, noised.

    python -m train.doodles_upsampler                     the recipe that fits this machine
    python -m train.doodles_upsampler --recipe full       wider and longer, for a GPU
    python -m train.doodles_upsampler --resume            continue the newest run

It learns from doodles that are drawn at 64 pixels, with all the detail of that size.
"""

from minidiff.system.cli import program
from train import upsampler
from train.launch import launch

JOB = upsampler.JOB._replace(name="doodles-upsampler")

if __name__ == "__main__":
    with program():
        launch(JOB)
