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

from minidiff.data import catalog
from minidiff.editing import illusions, views
from minidiff.evaluation import judge as judging
from minidiff.evaluation.metrics import from_afar
from minidiff.files import runs
from minidiff.models import zoo
from minidiff.models.generate import generators, prompted, states
from minidiff.models.options import MIXED, SampleOptions
from minidiff.network.registry import rebuild
from minidiff.system import cli, hardware
from minidiff.theory.diffusion import noise_like
from sample.doodles import COURSE
from sample.generate import load

VIEWS = ("vflip", "rotate180", "rotate90", "negative")
SIGMAS = (1.5, 2.0, 2.5)  # pixels; what a Gaussian of this size keeps is seen from a distance
SHOWN = {  # what the course's page shows, measured whatever the first seeds say
    "anagram": [("a rocket ship", "an oil painting of an old man"),
                ("a man wearing a hat", "an oil painting of a snowy mountain village"),
                ("a photo of the amalfi cost", "a photo of a man"),
                ("an oil painting of an old man", "an oil painting of people around a campfire"),
                ("a lithograph of waterfalls", "a lithograph of a skull")],
    "hybrid": [("a photo of an eye", "a photo of a cpu"), ("a photo of a cpu", "a photo of an eye"),
               ("a lithograph of a skull", "a lithograph of waterfalls"),
               ("a photo of a dog", "a photo of the amalfi cost"),
               ("an oil painting of an old man", "a photo of the amalfi cost")],
}
MOST, FRESH = 200, 1000  # images sampled at once; the first of the fresh seeds
FIRST, BEST = 4, 8  # seeds of the first try; how many of each kind are measured again


@dataclasses.dataclass(frozen=True)
class IllusionOptions:
    """How much to measure, and where it goes. Raises ValueError for values out of range."""

    n: int = cli.flag(50, "seeds of each illusion that is measured", least=1, most=10_000)
    model: str = cli.flag("", "a model of doodles; default: newest run, or shipped")
    judge: str = cli.flag("", "classifier; default: newest run, or shipped")
    steps: int = cli.flag(20, "sampling steps", least=1, most=10_000)
    out: str = cli.flag("illusions.json", "JSON of all rates")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu; or cuda:1", hardware.DEVICES)

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

    def __call__(self, candidates, n, seed) -> list[dict]:
        """Return for each candidate the shares of n images that show its first prompt, its second,
        and both. Candidates of one kind and setting are sampled together, from the same noise."""
        found = []
        for kind, setting in dict.fromkeys((c[0], c[3]) for c in candidates):
            together = [c for c in candidates if (c[0], c[3]) == (kind, setting)]
            for k in range(0, len(together), max(1, MOST // n)):
                found += self._rates(together[k : k + max(1, MOST // n)], n, seed)
        return found

    def _rates(self, candidates, n, seed):
        kind, setting = candidates[0][0], candidates[0][3]
        prompts = [[c[which] for c in candidates for _ in range(n)] for which in (1, 2)]
        x = self.images(kind, prompts, setting, [seed + k for k in range(n)] * len(candidates))
        if kind == "anagram":
            seen = (x, views.VIEWS[setting].see(x))
        else:  # the first prompt is seen from a distance
            seen = (self.model.from_unit(from_afar(self.model.to_unit(x), setting)), x)
        right = [self.reads(image, names) for image, names in zip(seen, prompts)]
        shares = [found.view(-1, n).float().mean(1).tolist() for found in
                  (*right, right[0] & right[1])]
        name = "view" if kind == "anagram" else "sigma"
        return [{"kind": kind, "prompts": list(c[1:3]), name: setting, "n": n,
                 "first": first, "second": second, "both": both}
                for c, first, second, both in zip(candidates, *shares)]

    @torch.no_grad()
    def images(self, kind, prompts, setting, seeds):
        """Return images (N,C,H,W) in the data range. prompts: the first of each image, and the
        second. seeds: N of them."""
        model, options = self.model, self.options
        eps_fns = [prompted(model, names, **options.guidance) for names in prompts]
        if kind == "anagram":
            fn = illusions.anagram(eps_fns, [views.VIEWS["identity"], views.VIEWS[setting]])
        else:
            fn = illusions.hybrid(eps_fns, illusions.split(illusions.blur(setting)))
        noise = [generators(seed, 1)[0] for seed in seeds]
        x = noise_like(torch.empty(len(seeds), *model.image_shape, device=model.device), noise)
        *_, last = states(model, fn, x, options.steps,
                          **{"generator": noise, **options.sampling(model)})
        return last.x_t

    def reads(self, x, prompts):
        """Return whether the judge reads the subject of its prompt in each image x: bool (N,)."""
        subjects = {p: judging.asked(p, self.questions)[0] for p in set(prompts)}
        answers = torch.cat([judging.read(self.judge, self.model.to_unit(part).clamp(0, 1))
                             for part in x.split(MOST)])
        return answers[:, 0] == torch.tensor([subjects[p] for p in prompts], device=x.device)


def main(argv=None):
    """Measure as the options say; print the best, write the JSON."""
    about = "measure which anagrams and hybrids work"
    (flags,), _ = cli.parse([IllusionOptions], argv, "python -m sample.measure.illusions", about)
    out = cli.writable(flags.out, ".json")
    options = SampleOptions(model=flags.model, steps=flags.steps, device=flags.device,
                            precision="auto", **MIXED)
    model = load(options, ("doodles",))
    found, judge = judging.find(flags.judge, model.dataset)
    rate = Rate(model, rebuild(found).to(model.device), options)
    pairs = {"anagram": list(itertools.combinations(COURSE, 2)),
             "hybrid": list(itertools.permutations(COURSE, 2))}
    measured = []
    for kind in pairs:
        print(f"{kind}s: all pairs, {FIRST} seeds each, then the best with {flags.n}", flush=True)
        tried = sorted(rate(candidates(kind, pairs[kind]), FIRST, 0), key=lambda row: -row["both"])
        best = [(kind, *row["prompts"], row.get("view") or row["sigma"]) for row in tried[:BEST]]
        again = list(dict.fromkeys(best + candidates(kind, SHOWN[kind])))
        for row in rate(again, flags.n, FRESH):
            setting = row.get("view") or row["sigma"]
            measured.append({**row, "chosen": (kind, *row["prompts"], setting) in best})
            print(f"{row['both']:6.0%}  {kind} by {setting}: {' / '.join(row['prompts'])}",
                  flush=True)
    measured.sort(key=lambda row: (row["kind"], -row["both"]))
    runs.write_json(out, {
        "weights": zoo.origin(model.file), "summary": model.summary, "judge": judge,
        "seeds": {"first": f"{FIRST} from 0 on", "measured": f"{flags.n} from {FRESH} on"},
        "options": options.describe(model), "hardware": hardware.describe(model.device),
        "rates": measured,
    })
    print(f"wrote {out}")


if __name__ == "__main__":
    with cli.program():
        main()
