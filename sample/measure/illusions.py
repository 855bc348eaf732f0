"""Measure which anagrams and hybrids a model of sentences can make.

    python -m sample.measure.illusions                 the shipped doodles
    python -m sample.measure.illusions --n 20          fewer seeds

All pairs of the course's prompts are tried with a few seeds each, in every view of VIEWS and split
at every sigma of SIGMAS. The best of each kind, and those that the course shows, are then measured
with n fresh seeds. A judge reads the subject: of an anagram as it is and as the view shows it; of a
hybrid up close and from a distance. The rates of the pairs that were chosen by their first seeds
are those of the fresh seeds alone, so they are not flattered by the choice.
"""

import dataclasses
import itertools

import torch
from tqdm import tqdm

from minidiff.data import catalog
from minidiff.editing import illusions, views
from minidiff.evaluation import judge as judging
from minidiff.evaluation.metrics import from_afar
from minidiff.files import runs
from minidiff.models import zoo
from minidiff.models.generate import generators, prompted, states
from minidiff.models.options import SampleOptions
from minidiff.network.registry import rebuild
from minidiff.system import cli, hardware
from minidiff.theory.diffusion import noise_like
from sample.doodles import COURSE
from sample.examples import MIXED
from sample.generate import load

VIEWS = ("vflip", "rotate180", "rotate90", "negative")
SIGMAS = (1.5, 2.0, 2.5)  # pixels; what a Gaussian of this size keeps is seen from a distance
SHOWN = {  # what the course's page shows, measured whatever the first seeds say
    "anagram": [("a photo of the amalfi cost", "a photo of a man"),
                ("an oil painting of an old man", "an oil painting of people around a campfire"),
                ("a lithograph of waterfalls", "a lithograph of a skull")],
    "hybrid": [("a photo of an eye", "a photo of a cpu"), ("a photo of a cpu", "a photo of an eye"),
               ("a lithograph of a skull", "a lithograph of waterfalls"),
               ("a photo of a dog", "a photo of the amalfi cost"),
               ("an oil painting of an old man", "a photo of the amalfi cost")],
}
FIRST, BEST = 4, 8  # seeds of the first try; how many of each kind are measured again


@dataclasses.dataclass(frozen=True)
class IllusionOptions:
    """How much to measure, and where it goes. Raises ValueError for values out of range."""

    n: int = cli.flag(50, "seeds of each illusion that is measured", least=1, most=10_000)
    model: str = cli.flag("", "a model of doodles; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    steps: int = cli.flag(20, "sampling steps", least=1, most=10_000)
    out: str = cli.flag("illusions.json", "JSON of all rates")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", hardware.DEVICES)

    def __post_init__(self):
        cli.check(self)


def candidates(kind, pairs):
    """Return every (kind, first prompt, second prompt, view or sigma) of these pairs."""
    how = VIEWS if kind == "anagram" else SIGMAS
    return [(kind, *pair, setting) for pair in pairs for setting in how]


class Rate:
    """Rates of illusions, by a model and a judge. options: SampleOptions."""

    def __init__(self, model, judge, options):
        self.model, self.judge, self.options = model, judge, options
        self.questions = catalog.questions(model.dataset)

    @torch.no_grad()
    def images(self, candidate, n, seed):
        """Return n images (n,C,H,W) of a candidate in the data range, from noise of this seed."""
        kind, *prompts, setting = candidate
        model, options = self.model, self.options
        eps_fns = [prompted(model, [p] * n, **options.guidance) for p in prompts]
        if kind == "anagram":
            fn = illusions.anagram(eps_fns, [views.VIEWS["identity"], views.VIEWS[setting]])
        else:
            fn = illusions.hybrid(eps_fns, illusions.split(illusions.blur(setting)))
        generator = generators(seed, n)
        x = noise_like(torch.empty(n, *model.image_shape, device=model.device), generator)
        *_, last = states(model, fn, x, options.steps,
                          **{"generator": generator, **options.sampling(model)})
        return last.x_t

    def __call__(self, candidate, n, seed) -> dict:
        """Return the shares of n images that show the first prompt, the second, and both."""
        kind, *prompts, setting = candidate
        x = self.images(candidate, n, seed)
        if kind == "anagram":
            seen = (x, views.VIEWS[setting].see(x))
        else:  # the first prompt is seen from a distance
            seen = (self.model.from_unit(from_afar(self.model.to_unit(x), setting)), x)
        right = [self.reads(x, prompt) for x, prompt in zip(seen, prompts)]
        shares = [found.float().mean().item() for found in (*right, right[0] & right[1])]
        name = "view" if kind == "anagram" else "sigma"
        return {"kind": kind, "prompts": prompts, name: setting, "n": n,
                **dict(zip(("first", "second", "both"), shares))}

    def reads(self, x, prompt):
        """Return whether the judge reads the prompt's subject in images x: bool (N,)."""
        answers = judging.read(self.judge, self.model.to_unit(x).clamp(0, 1))
        return answers[:, 0] == judging.asked(prompt, self.questions)[0]


def main(argv=None):
    """Measure as the options say; print the best, write the JSON."""
    about = "measure which anagrams and hybrids work"
    (flags,), _ = cli.parse([IllusionOptions], argv, "python -m sample.measure.illusions", about)
    out = cli.writable(flags.out, ".json")
    options = SampleOptions(model=flags.model, steps=flags.steps, device=flags.device, **MIXED)
    model = load(options, ("doodles",))
    found, judge = judging.find(flags.judge, model.dataset)
    rate = Rate(model, rebuild(found).to(model.device), options)
    pairs = {"anagram": list(itertools.combinations(COURSE, 2)),
             "hybrid": list(itertools.permutations(COURSE, 2))}
    measured = []
    for kind in pairs:
        tried = [(rate(c, FIRST, 0)["both"], c)
                 for c in tqdm(candidates(kind, pairs[kind]), kind, mininterval=5)]
        best = [c for _, c in sorted(tried, key=lambda found: -found[0])[:BEST]]
        again = dict.fromkeys(best + candidates(kind, SHOWN[kind]))
        for candidate in again:
            row = {**rate(candidate, flags.n, 1), "chosen": candidate in best}
            measured.append(row)
            setting = row.get("view") or f"sigma {row['sigma']:g}"
            print(f"{row['both']:6.0%}  {kind} by {setting}: {' / '.join(row['prompts'])}",
                  flush=True)
    measured.sort(key=lambda row: (row["kind"], -row["both"]))
    runs.write_json(out, {
        "weights": zoo.origin(model.file), "summary": model.summary, "judge": judge,
        "seeds": {"first": f"{FIRST} of seed 0", "measured": f"{flags.n} of seed 1"},
        "options": options.describe(model), "hardware": hardware.describe(model.device),
        "rates": measured,
    })
    print(f"wrote {out}")


if __name__ == "__main__":
    with cli.program():
        main()
