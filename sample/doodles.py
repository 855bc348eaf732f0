"""Generate coloured images from sentences with the doodle model.

    python -m sample.doodles --prompts "a red rocket ship at night" "a photo of a dog"
    python -m sample.doodles --per-prompt 4 --gamma 3 --out doodles.png

It knows the words of minidiff/data/prompts.py: fourteen subjects, three media, eight colours, three
times of day. A word that it does not know is named in a note and ignored.
"""

from dataclasses import dataclass
from functools import partial

from minidiff.system import cli
from sample.generate import run

COURSE = ("a man wearing a hat", "a rocket ship", "an oil painting of a snowy mountain village",
          "a photo of the amalfi cost", "a photo of a man", "a photo of a hipster barista",
          "a photo of a dog", "an oil painting of people around a campfire",
          "an oil painting of an old man", "a lithograph of waterfalls", "a lithograph of a skull",
          "a pencil", "a photo of an eye", "a photo of a cpu")  # its prompts, letter by letter


@dataclass(frozen=True)
class SentenceOptions:
    """Which sentences. Raises ValueError for values out of range."""

    prompts: tuple[str, ...] = cli.flag(COURSE, "sentences, a column each")
    per_prompt: int = cli.flag(2, "images of each, the rows", least=1, most=100_000)

    def __post_init__(self):
        cli.check(self)

    def all(self) -> list:
        """Return a prompt for each image, row by row."""
        return list(self.prompts) * self.per_prompt

    def labels(self):
        """Return None: sentences are not digits."""

    def columns(self):
        """Return how many images are in a row, None for the default."""
        return len(self.prompts) if len(self.prompts) <= 20 else None


main = partial(run, "doodles", ("doodles",), SentenceOptions, "generate images from sentences")

if __name__ == "__main__":
    with cli.program():
        main()
