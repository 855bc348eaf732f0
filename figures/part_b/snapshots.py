"""What the two diffusion models of part B have in common: loss, samples, frames and a film."""

from minidiff.evaluation import gallery
from minidiff.files import checkpoint
from minidiff.files.images import save_curves
from minidiff.models.zoo import from_checkpoint


def draw_loss(path, curves, caption):
    """Draw a run's loss to `path` and return it."""
    save_curves(path, curves, f"training loss: {caption}", "step", "loss")
    return path


def draw_snapshots(out, marks, curves, guidance):
    """Draw loss, samples and frames at each mark, and a film. marks, curves: from `newest_snapshots`.
    guidance: GuidanceFlags. Yields each path."""
    kind = marks[-1]["kind"]
    yield draw_loss(out / f"{kind}-loss.png", curves, checkpoint.summary(marks[-1]))
    for mark in marks:
        paths = {
            name: out / f"{kind}-{name}-epoch-{mark['epoch']:02d}.png"
            for name in ("samples", "frames")
        }
        model = from_checkpoint(mark)
        states, caption = gallery.draw_model(
            paths.get, model, mark["config"]["sample_steps"], model.summary, guidance
        )
        yield from paths.values()
    path = out / f"{kind}.gif"
    gallery.draw_gif(path, states, caption)
    yield path
