"""What the settings do, measured: guidance, steps and samplers."""

from collections import defaultdict

from figures.page.measured import find
from figures.page.studio import Section
from minidiff.evaluation import points
from minidiff.files.images import Panel, save_panels

CAPTIONS = {  # group: (x axis, what it shows)
    "gamma": ("gamma", "strength of guidance: more samples are right, at a price in distance"),
    "clip": ("gamma", "x_0_hat clipped to [0, 1] at each step, or not; guided at every step"),
    "steps": ("steps", "network calls from noise to image, and the kind of step"),
}
SECTION = Section(
    "B4", "What the settings do, measured",
    "A classifier looks at many samples: does it read the digit of the prompt, and are its "
    "features of samples distributed as those of real digits are? Both are drawn against each "
    "setting.",
    "d² = |m_1 − m_2|² + tr(C_1 + C_2 − 2 (C_1 C_2)^½)   over the floor, "
    "d² of real digits with the same labels",
    ("minidiff/evaluation/metrics.py: frechet", "sample/measure/sweep.py"),
    "Guidance is a trade-off: with γ fewer samples are misread, and the distance grows. Ending it "
    "early saves a quarter of it. Few steps are enough with the variance β̃, but not with β.",
    "make sweep figures",
)


def draw(out, studio):
    """Draw the section into the folder `out`, yielding each path. ValueError where nothing was
    measured."""
    found = measured("sweep")
    if not found:
        raise ValueError("no sweep was measured yet; measure one with: make sweep")
    about = f"{found['weights']}; n = {found['n']}, seed 0"
    for group, (axis, caption) in CAPTIONS.items():
        path = out / f"sweep-{group}.png"
        save_panels(path, panels(found["points"], group, axis), f"{caption}. {about}")
        yield path


def measured(name):
    """Return the points that were measured, None where there are none. Raises ValueError for a
    damaged file."""
    file = find(name)
    return file and points.read(file)


def panels(found, group, axis):
    """Return two Panels, accuracy and distance over its floor, against gamma or steps."""
    wrong, ratio = defaultdict(lambda: ([], [])), defaultdict(lambda: ([], []))
    for p in sorted(found, key=lambda p: p[axis]):
        if p.get("group") == group:
            for curves, y in ((wrong, max(100 * (1 - p["accuracy"]), 0.05)), (ratio, p["ratio"])):
                curves[p["curve"]][0].append(p[axis])
                curves[p["curve"]][1].append(y)
    log = "xy" if axis == "steps" else "y"
    return [
        Panel(wrong, axis, "read as another digit, % (0 drawn at 0.05)", log),
        Panel(ratio, axis, "Frechet distance / floor", log),
    ]
