"""Count what training costs, from small images to large: a table; nothing is trained.

    python -m train.benchmarks.cost                                          photos, on a node
    python -m train.benchmarks.cost --images 60000 --epochs 20 --devices 1   MNIST, on one GPU

    hours = operations per image · images · epochs / (devices · rate · share) / 3600

Operations are counted by torch's own counter while the network runs forward and backward on tensors
that have a shape but no values, so even the largest costs no memory. It counts convolutions and
matrix products, a multiplication and an addition each; the rest is small and left out. rate is what
the manufacturer promises, share the part of it that training reaches; neither is measured.
"""

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from minidiff.network.unet import UNet
from minidiff.system import cli

LADDER = [  # name and UNet's arguments
    ("class, laptop recipe", {"width": 24, "time": 1, "classes": 10}),
    ("class, full recipe", {"width": 64, "time": 1, "classes": 10}),
    ("upsampler, full recipe", {"width": 64, "time": 2, "classes": 10, "size": 56,
                                "channels": (2, 1)}),
    *(("colour", {"width": D, "time": 1, "classes": 10, "size": size, "channels": (3, 3)})
      for size, D in ((64, 64), (64, 128), (128, 128), (256, 128), (256, 256))),
]


@dataclass(frozen=True)
class CostOptions:
    """How much is trained, and on what. Raises ValueError for values out of range."""

    images: int = cli.flag(1_000_000, "images in the training set", least=1, most=10**12)
    epochs: int = cli.flag(100, "passes over it", least=1, most=10**6)
    devices: int = cli.flag(8, "GPUs that share the work", least=1, most=10**6)
    rate: float = cli.flag(989.0, "of each, 10^12 operations per second; H100 datasheet, bf16",
                           least=1e-6, most=1e9)
    share: float = cli.flag(0.3, "share of that rate that training reaches, an assumption",
                            least=1e-6, most=1)

    def __post_init__(self):
        cli.check(self)


def operations(network: dict) -> tuple[int, int, int]:
    """Return what one image costs a UNet: parameters, operations forward, forward and backward.

    network: its arguments. A multiplication and an addition are two operations.
    """
    with FakeTensorMode():
        unet = UNet(**network)
        x = torch.zeros(1, unet.channels[0], unet.size, unet.size)
        t = torch.zeros(1) if unet.time == 1 else torch.zeros(1, unet.time)
        with FlopCounterMode(display=False) as counter:
            eps_hat = unet(x, t, torch.zeros(1, unet.classes))
            forward = counter.get_total_flops()
            eps_hat.sum().backward()
    return sum(p.numel() for p in unet.parameters()), forward, counter.get_total_flops()


def hours(each: int, flags: CostOptions) -> float:
    """Return the hours of a training in which an image costs `each` operations."""
    rate = flags.devices * flags.rate * 1e12 * flags.share
    return each * flags.images * flags.epochs / rate / 3600


def main(argv=None) -> None:
    """Print the table, in Markdown."""
    program = "python -m train.benchmarks.cost"
    (flags,), _ = cli.parse([CostOptions], argv, program, "count what training costs")
    unit = operations(dict(LADDER)["class, full recipe"])[2]
    print(f"{flags.images:,} images x {flags.epochs} epochs; devices: {flags.devices}, each at "
          f"{flags.share:g} of {flags.rate:g} x 10^12 operations a second (assumed)\n")
    print("| network | size | D | parameters | 10^9 operations per image, forward | and backward "
          "| full recipe = 1 | hours |\n|---|---|---|---|---|---|---|---|")
    for name, network in LADDER:
        count, forward, both = operations(network)
        size = network.get("size", 28)
        time = hours(both, flags)
        time = f"{time:,.0f}" if time >= 10 else f"{time:.2g}"
        print(f"| {name} | {size} | {network['width']} | {count:,} | {forward / 1e9:,.2f} "
              f"| {both / 1e9:,.2f} | {both / unit:,.2f} | {time} |")


if __name__ == "__main__":
    with cli.program():
        main()
