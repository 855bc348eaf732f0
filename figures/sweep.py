"""What the settings do, measured: guidance, steps and samplers, and the loss at each t."""

from collections import defaultdict
from pathlib import Path

from figures.run import newest_marks
from minidiff import data, runs, shipped
from minidiff.evaluate import loss_at
from minidiff.images import Panel, save_panels
from minidiff.models import from_checkpoint

OWN = Path("sweep.json")
TIMES = (1, 3, 10, 20, 40, 70, 100, 130, 160, 190, 220, 250, 280, 300)
CAPTIONS = {  # group: (x axis, what it shows)
    "gamma": ("gamma", "strength of guidance: more samples are right, at a price in distance"),
    "clip": ("gamma", "x_0_hat clipped to [0, 1] at each step, or not; guided at every step"),
    "steps": ("steps", "network calls from noise to picture, and the way to step"),
}


def draw(out, data_dir=""):
    """Draw the section into the folder `out`, yielding each path. ValueError where nothing was
    measured."""
    file = OWN if OWN.is_file() else shipped.WEIGHTS / "sweep.json"
    if not file.is_file():
        raise ValueError("no sweep was measured yet; measure one with: make sweep")
    found = runs.read_json(file)
    print(f"sweep: {file}", flush=True)
    about = f"{found['weights']}; n = {found['n']}, seed 0"
    for group, (axis, told) in CAPTIONS.items():
        path = out / f"sweep-{group}.png"
        save_panels(path, panels(found["points"], group, axis), f"{told}. {about}")
        yield path
    yield draw_losses(out / "class-loss-per-timestep.png", data_dir)  # needs the data set


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


def draw_losses(path, data_dir):
    """Draw the loss at each t for every mark of the class-conditioned model; return the path."""
    marks, _ = newest_marks("class")
    test = data.load(marks[-1]["dataset"], "test", data_dir)
    few = slice(0, 500)
    prompts = [str(k) for k in test.labels[few].tolist()]
    models = [from_checkpoint(mark) for mark in marks]
    times = sorted({min(t, models[-1].schedule.T) for t in TIMES})
    losses = [loss_at(model, test.pictures(few), prompts, times) for model in models]
    names = [f"epoch {mark['epoch']}" for mark in marks]
    curves = {name: (times, each) for name, each in zip(names, losses)}
    shares = [a / b for a, b in zip(losses[0], losses[-1])]
    gain = {f"{names[0]} / {names[-1]}": (times, shares)}
    text = (
        "most of the mean loss is made at small t. At large t, where the digit is decided, it is "
        "so small that what is gained there hardly moves the mean, but improves the samples. "
        f"{models[-1].summary}, {len(prompts)} test digits, seed 0"
    )
    save_panels(path, [Panel(curves, "t", "loss on test digits", "y"),
                       Panel(gain, "t", "how much smaller it became")], text)
    return path
