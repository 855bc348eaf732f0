"""What the sections of part B share: a run's snapshots, its loss, samples, frames and a film."""

from minidiff.evaluation import gallery
from minidiff.files import checkpoint, runs
from minidiff.files.images import save_curves
from minidiff.models import zoo


def newest_snapshots(kind):
    """Return the snapshots of the newest run of a kind, early to late, and the run's loss curves.

    Where no run of the kind has reached its early epoch, the shipped ones; it prints which they
    are. Raises ValueError where there are neither.
    """
    try:
        folder = runs.newest(kind, "weights-epoch-*.pt")
        files, place = folder.glob("weights-epoch-*.pt"), str(folder)
        curves = runs.loss_curves(runs.read_log(folder))
    except ValueError:
        files, place = zoo.snapshots(kind), "shipped with the project"
        if not files:
            raise
        curves = zoo.loss_curves(kind)
    print(f"weights of {kind}: {place}", flush=True)
    return sorted(map(checkpoint.load, files), key=lambda found: found["epoch"]), curves


def draw_loss(path, curves, caption):
    """Draw a run's loss to `path` and return it."""
    save_curves(path, curves, f"training loss: {caption}", "step", "loss")
    return path


def sample_steps(snapshot, model):
    """Return the recipe's sampling steps, at most as many as the model's schedule has."""
    steps = snapshot["config"]["sample_steps"]
    return min(steps, model.schedule.T) if model.schedule else steps


def draw_snapshots(out, snapshots, curves):
    """Draw loss, samples and frames at each snapshot, and a film. snapshots, curves: from
    `newest_snapshots`. Yields each path."""
    last = snapshots[-1]
    kind, defaults = last["kind"], zoo.from_checkpoint(last).defaults
    yield draw_loss(out / f"{kind}-loss.png", curves, checkpoint.summary(last))
    for snapshot in snapshots:
        paths = {name: out / f"{kind}-{name}-epoch-{snapshot['epoch']:02d}.png"
                 for name in ("samples", "frames")}
        model = zoo.from_checkpoint(snapshot)
        options = {**defaults, "steps": sample_steps(snapshot, model)}
        states, caption = gallery.draw_model(paths.get, model, model.summary, **options)
        yield from paths.values()
    path = out / f"{kind}.gif"
    gallery.draw_gif(path, states, caption)
    yield path
