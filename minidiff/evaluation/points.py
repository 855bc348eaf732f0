"""Many measurements in one JSON file: `make sweep` and `make versus` write it, the figures read it.

Each point is written as soon as it is measured. Started again with the same settings (weights,
judge, n, floor), only what is missing is measured. Numbers from other settings can't be compared
with these, so a file that holds them is kept under another name: sweep.json becomes sweep-1.json.
"""

import itertools
import math
from pathlib import Path

from minidiff.files import runs

FLOOR = "training digits with the labels of the samples"  # older files: at random, up to 3x higher
NUMBERS = ("steps", "gamma", "accuracy", "distance", "floor", "ratio")
FREE = ("weights", "hardware")  # settings that may differ; the weights' md5 may not


def read(path) -> dict:
    """Return the contents of a file of points. Raises ValueError, naming the file, if it is
    damaged."""
    found = runs.read_json(path)
    try:
        sources = [found] if "weights" in found else [found["flow"], found["class"]]
        words = [s["weights"] for s in sources] + [
            p[name] for p in found["points"] for name in ("group", "curve") if "group" in p]
        numbers = [found["n"], *(p[name] for p in found["points"] for name in NUMBERS)]
        whole = all(isinstance(w, str) for w in words) and all(map(math.isfinite, numbers))
    except (KeyError, TypeError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is damaged: its points are not complete; move it away, or delete "
                         "it, and measure again")
    return found


def key(point: dict, names) -> tuple:
    """Return the settings that make a point differ from another."""
    return tuple((name, point[name]) for name in sorted(names))


class Points:
    """The points of one file, the known ones first.

    path: of the file, which need not exist. about: the settings of all points, a dict. names: of
    the settings that make a point differ from another. Raises ValueError if the file is damaged.
    """

    def __init__(self, path, about, names):
        self.path, self.about, self.names, self.done = Path(path), about, names, []
        before = read(path) if self.path.is_file() else {"points": []}
        fixed = about.keys() - set(FREE)
        self.other = "n" in before and any(before.get(k) != about[k] for k in fixed)
        try:
            self.known = {} if self.other else {key(p, names): p for p in before["points"]}
        except (KeyError, TypeError) as e:
            raise ValueError(f"{path} is damaged: a point lacks {e}; move it away, or delete "
                             "it, and measure again") from e

    def add(self, point: dict, measure) -> None:
        """Measure a point, unless it is known, and write the file. point: its settings, group and
        curve. measure: () -> dict."""
        place = key(point, self.names)
        if place not in self.known:
            self.known[place] = {**point, **measure()}
        self.done.append({**self.known[place], "group": point["group"], "curve": point["curve"]})
        if self.other:
            self._keep()
        done = {key(p, self.names) for p in self.done}
        rest = [p for k, p in self.known.items() if k not in done]
        runs.write_json(self.path, {**self.about, "points": self.done + rest})

    def _keep(self):
        """Give the file of other settings the next free name."""
        names = (self.path.with_stem(f"{self.path.stem}-{k}") for k in itertools.count(1))
        free = next(name for name in names if not name.exists())
        self.path.rename(free)
        self.other = False
        print(f"{self.path} was measured with other weights, judge, n or floor; it is now {free}",
              flush=True)
