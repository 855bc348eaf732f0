"""Write a sheet of doodles: `python -m minidiff.data.doodles`.

One row for each subject and medium. Every other doodle has a given colour, so that all eight are
seen. It also prints how long drawing takes.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image

from minidiff.data.doodles.scenes import can_show
from minidiff.data.doodles.world import COLOURS, MEDIA, SUBJECTS, Scene, dataset, draw, scene


def row(subject: str, medium: str, count: int) -> Scene:
    """Return `count` scenes of a subject in a medium, cycling through the colours and times."""
    base = scene(subject, medium, count=count)
    turn = torch.arange(count)
    colour = torch.where(turn % 2 == 0, turn // 2 % len(COLOURS), -1)
    time_ = torch.where(turn % 4 > 0, turn % 4 - 1, -1)
    shows_colour, shows_time = can_show(base.subject, base.medium)
    return base._replace(colour=torch.where(shows_colour, colour, -1),
                         time=torch.where(shows_time, time_, -1))


def sheet(images: torch.Tensor, columns: int, gap: int = 2) -> torch.Tensor:
    """Arrange images (N, 3, S, S) in rows on a grey page, float (3, height, width)."""
    n, _, size, _ = images.shape
    rows, step = -(-n // columns), size + gap
    page = torch.full((3, rows * step + gap, columns * step + gap), 0.5)
    for k, image in enumerate(images):
        y, x = gap + k // columns * step, gap + k % columns * step
        page[:, y : y + size, x : x + size] = image
    return page


def main():
    """Draw the sheet and print the speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("doodles.png"))
    parser.add_argument("--size", type=int, default=32, help="side in pixels (default 32)")
    parser.add_argument("--count", type=int, default=20, help="doodles per row (default 20)")
    parser.add_argument("--media", nargs="*", choices=MEDIA, default=MEDIA)
    parser.add_argument("--scale", type=int, default=2,
                        help="screen pixels per image pixel (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rows = [row(subject, medium, args.count) for subject in SUBJECTS for medium in args.media]
    images = draw(Scene(*(torch.cat(part) for part in zip(*rows))), args.seed, args.size)
    page = (sheet(images, args.count) * 255).round().byte().permute(1, 2, 0).numpy()
    page = Image.fromarray(page)
    page.resize((page.width * args.scale, page.height * args.scale), 0).save(args.out)
    start = time.perf_counter()
    dataset(2000, 0, args.size)
    seconds = (time.perf_counter() - start) * 30
    print(f"{args.out}; 60,000 doodles of {args.size}x{args.size} take {seconds:.0f} s on "
          f"{torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
