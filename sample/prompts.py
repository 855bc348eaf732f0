"""What to generate: the options of the sampling scripts that name prompts or a number of images."""

from dataclasses import dataclass, replace

from minidiff.system import cli


@dataclass(frozen=True)
class DigitOptions:
    """Which digits, or sentences. Raises ValueError for anything but digits in `digits`."""

    digits: str = cli.flag("0123456789", "the digits to generate, a column each")
    prompts: tuple[str, ...] = cli.flag((), "what to generate instead: words, sentences")
    per_digit: int = cli.flag(4, "images of each, the rows", least=1, most=100_000)

    def __post_init__(self):
        if not self.digits or not set(self.digits) <= set("0123456789"):
            raise ValueError(f"digits must be some of 0123456789, got {self.digits!r}")
        cli.check(self)

    def all(self) -> list:
        """Return a prompt for each image, row by row."""
        return list(self.prompts or self.digits) * self.per_digit

    def labels(self):
        """Return the digits of the prompts, None where they are sentences."""
        return None if self.prompts else [int(p) for p in self.all()]

    def columns(self):
        """Return how many images are in a row, None for the default."""
        n = len(self.prompts or self.digits)
        return n if n <= 20 else None


@dataclass(frozen=True)
class CountOptions:
    """How many samples of a model without prompts. Raises ValueError below 1."""

    n: int = cli.flag(40, "how many images", least=1, most=1_000_000)

    def __post_init__(self):
        cli.check(self)

    def all(self) -> list:
        """Return a null prompt for each image."""
        return [""] * self.n

    def labels(self):
        """Return None: there are no labels."""

    def columns(self):
        """Return None: the default number of columns."""


def known(own, model, typed):
    """Return DigitOptions with prompts that the model knows: if none were typed and it knows no
    digits, the examples that are kept with it, or its words. Raises ValueError for digits that were
    typed. Other options stay."""
    vocabulary = getattr(model, "vocabulary", None)  # DeepFloyd has none: it knows any sentence
    words = vocabulary.words if vocabulary and not getattr(own, "prompts", ()) else ()
    if not words or {*getattr(own, "digits", words)} <= {*words}:
        return own
    if "digits" in typed:
        raise ValueError(f"this model knows no such digits; use --prompts, such as {words[0]!r}")
    return replace(own, prompts=tuple(model.examples or words)[:20])
