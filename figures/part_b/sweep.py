"""What the settings do, measured: guidance, steps and samplers, and the loss at each t."""

from collections import defaultdict
from pathlib import Path

from figures.page.html.studio import Section
from minidiff.files import runs
from minidiff.files.images import Panel, save_panels
from minidiff.models import zoo

OWN = Path("sweep.json")
CAPTIONS = {  # group: (x axis, what it shows)
    "gamma": ("gamma", "strength of guidance: more samples are right, at a price in distance"),
    "clip": ("gamma", "x_0_hat clipped to [0, 1] at each step, or not; guided at every step"),
    "steps": ("steps", "network calls from noise to picture, and the way to step"),
}

SECTION = Section(
    "B4", "What the settings do, measured",
    "A classifier looks at many samples: does it read the digit that was asked for, and do its "
    "features of samples spread as those of real digits do? Both are drawn against each setting.",
    "d² = |m_1 − m_2|² + tr(C_1 + C_2 − 2 (C_1 C_2)^½)   over the floor, d² of real digits",
    "Guidance is a trade: with γ fewer samples are misread, and the distance grows. Ending it "
    "early spares a quarter of it. Few steps do with the variance β̃, and not with β.",
    "make sweep figures",
    ("minidiff/evaluate.py: frechet", "sample/sweep.py"),
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError where nothing was
    measured."""
    file = OWN if OWN.is_file() else zoo.WEIGHTS / "sweep.json"
    if not file.is_file():
        raise ValueError("no sweep was measured yet; measure one with: make sweep")
    found = runs.read_json(file)
    print(f"sweep: {file}", flush=True)
    about = f"{found['weights']}; n = {found['n']}, seed 0"
    for group, (axis, told) in CAPTIONS.items():
        path = out / f"sweep-{group}.png"
        save_panels(path, panels(found["points"], group, axis), f"{told}. {about}")
        yield path


def panels(points, group, axis):
    """Return two Panels, accuracy and distance over its floor, against gamma or steps."""
    curves = defaultdict(list)
    for p in sorted(points, key=lambda p: p[axis]):
        if p.get("group") == group:
            curves[p["curve"]].append((p[axis], 1 - p["accuracy"], p["ratio"]))
    columns = {name: list(zip(*rows)) for name, rows in curves.items()}
    wrong = {
        name: (xs, [max(100 * w, 0.05) for w in ws]) for name, (xs, ws, _) in columns.items()
    }
    ratio = {name: (xs, ratios) for name, (xs, _, ratios) in columns.items()}
    log = "xy" if axis == "steps" else "y"
    return [
        Panel(wrong, axis, "read as another digit, % (0 drawn at 0.05)", log),
        Panel(ratio, axis, "Frechet distance / floor", log),
    ]
