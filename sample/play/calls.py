"""What the playground runs, and how to run it again: from Python, and as a Make command.

A `Call` is a function of the API and its arguments. The playground samples with exactly these, and
both texts are written from them, so that they give the same pixels.
"""

import json
from dataclasses import dataclass

from minidiff.api import edits

EDITS = {"edit": "sdedit", "inpaint": "inpaint", "anagram": "anagram", "hybrid": "hybrid"}
SAMPLES = {  # kind of model: the target that samples from it, and its flag for how many of each
    "doodles": ("doodles", "per_prompt"), "class": ("class", "per_digit"),
    "flow": ("flow", "per_digit"), "uncond": ("uncond", "n"), "deepfloyd": ("class", "per_digit"),
}
FLAGS = {"photo": "image", "views": "view"}  # arguments whose flags have other names


@dataclass(frozen=True)
class Call:
    """A function of the API: what is run, and its arguments.

    name: "sample", or of a function in api/edits.py. place: of the model, for `minidiff.load`.
    kind: of the model. n: how many images, of each prompt where it is a sample. arguments: by
    name, in the order to show. upsample: enlarge a sample by the second stage. script: the Make
    target that runs it, if it is not the usual one.
    """

    name: str
    place: str
    kind: str
    n: int
    arguments: dict
    upsample: bool = False
    script: str = ""

    @property
    def prompts(self):
        """A prompt for each image of a sample; how many, for a model without prompts."""
        given = self.arguments.get("prompts")
        return list(given) * self.n if given else self.n

    def states(self, model):
        """Return the States of the images (minidiff/api/)."""
        given = dict(self.arguments)
        if self.name == "sample":
            given.pop("prompts", None)
            return model.states(self.prompts, **given)
        return getattr(edits, f"{self.name}_states")(model, n=self.n, **given)

    def finish(self, model, images):
        """Return the result, float (N,C,H,W) in [0, 1], on the CPU. images: of the last State."""
        images = images.clamp(0, 1).cpu()
        if not self.upsample:
            return images
        return model.upsample(images, self.prompts, seed=self.arguments["seed"])

    def python(self) -> str:
        """Return the lines of Python that make the same images."""
        given = dict(self.arguments)
        prompts = repeated(given.pop("prompts"), self.n) if self.name == "sample" and given.get(
            "prompts") else f"{self.n}"
        words = ", ".join(f"{name}={literal(value)}" for name, value in given.items())
        call = (f"model.sample({prompts}, {words})" if self.name == "sample" else
                f"minidiff.{self.name}(model, n={self.n}, {words})")
        lines = ["import minidiff", "", f"model = minidiff.load({literal(self.place)})",
                 f"images = {call}", "minidiff.show(images)"]
        if self.upsample:
            lines.insert(-1, f"images = model.upsample(images, {prompts}, seed={given['seed']})")
        return "\n".join(lines)

    def command(self) -> str:
        """Return the Make command that makes the same images."""
        target, count = SAMPLES[self.kind] if self.name == "sample" else (EDITS[self.name], "n")
        home = target if self.name == "sample" else "class"  # the model it has by itself
        flags = {} if self.place == home else {"model": self.place}
        flags |= {**self.arguments, count: self.n}
        words = []
        for name, value in flags.items():
            words.append("--" + FLAGS.get(name, name).replace("_", "-"))
            words += map(str, value) if isinstance(value, tuple) else [str(value)]
        words += ["--upsample"] * self.upsample
        return f"make sample-{self.script or target} ARGS={quoted(words)}"


def literal(value) -> str:
    """Return a value as it is written in Python, a text in double quotes."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def repeated(prompts, n) -> str:
    """Return a list of prompts, each of them n times, as it is written in Python."""
    return literal(tuple(prompts)) + (f" * {n}" if n > 1 else "")


def quoted(words) -> str:
    """Return words as the value of ARGS: quoted for the shell that Make starts, for Make, and for
    the shell that starts Make."""
    def inner(word):
        if word and all(c.isalnum() or c in "-_./:," for c in word):
            return word
        return '"' + "".join("\\" + c if c in '\\"$`' else c for c in word) + '"'

    line = " ".join(map(inner, words)).replace("$", "$$")
    return "'" + line.replace("'", "'\\''") + "'"
