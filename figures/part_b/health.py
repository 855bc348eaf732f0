"""Is my run healthy? What a good run looks like, and what it means if yours does not."""

import torch

from figures.page.studio import Section
from figures.part_b.snapshots import newest_snapshots
from minidiff.data import catalog
from minidiff.evaluation.metrics import loss_at
from minidiff.files.images import Panel, save_grid, save_panels
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.models.zoo import from_checkpoint

TIMES = (1, 3, 10, 20, 40, 70, 100, 130, 160, 190, 220, 250, 280, 300)
SECTION = Section(
    "", "Is my run healthy?",
    "A loss alone does not show it: it falls steeply in the first minutes and then hardly at all, "
    "while samples continue to improve. Compare three things with these figures: the loss of each "
    "epoch, the loss at each t, and samples.",
    "",
    ("minidiff/evaluation/metrics.py: loss_at", "minidiff/training/loop.py: fit",
     "tests/theory/test_samplers.py"),
    "Most of the mean loss comes from small t, where noise is too faint to be distinguished from a "
    "pen's edges. At large t, where it is decided which digit comes out, the loss is a hundred "
    "times smaller; progress there hardly moves the mean, but it makes the samples.",
    "make evaluate ARGS='--model runs/class/001'",
    (
        ("you see", "likely because", "do"),
        ("a loss that stays where it started", "nothing is learned: where the network predicts "
         "the noise, predicting none at all costs exactly 1", "check the learning rate; is "
         "`model.train()` on, are the gradients zeroed, do noise and target belong together?"),
        ("a loss of 0.03 and samples of noise", "the sampler is wrong, not the network: noise "
         "added at the last step, a level off by one, BatchNorm left in training mode",
         "run `tests/theory/test_samplers.py` against your sampler; sample with `model.eval()`"),
        ("a loss well below the figure", "the network sees the answer: x_0 or ε leaks into its "
         "input, or one ε is used for all images", "check what goes into `q_sample`"),
        ("grey, washed-out digits", "x̂_0 is clipped to another range than the data's, or the "
         "images were normalised twice", "print the range of a batch: it is 0 to 1 here"),
        ("blobs after few steps", "the variance β adds more noise than so few steps remove",
         "`--variance beta_tilde`, or more steps"),
        ("digits, but not those of the prompts", "γ is 1 or less, or p_uncond so high that the "
         "network hardly ever sees the digit", "γ of 2 to 5; p_uncond = 0.1"),
        ("thick, broken strokes", "γ too large", "a smaller γ, or end it early: `--guide-until`"),
        ("a loss that jumps by a tenth from step to step", "that is its noise: a batch has few t",
         "look at the mean of an epoch"),
        ("NaN", "too high a learning rate, or half precision where it overflows",
         "`--precision float32`, `--lr 1e-3`"),
    ),
)


def draw(out, studio):
    """Draw the loss by epoch, by t, and samples by epoch. ValueError without weights."""
    curves = {}
    for kind in ("denoiser", "uncond", "class"):
        snapshots, found = newest_snapshots(kind)
        name = "mean of the epoch" if "mean of the epoch" in found else [*found][0]
        losses = found[name][1]
        curves[f"{kind}, D = {snapshots[-1]['network']['width']}"] = (
            range(1, len(losses) + 1), losses)
    path = out / "health-loss.png"
    save_panels(path, [Panel(curves, "epoch", "mean training loss", "y")],
                f"expected loss of each training; {snapshots[-1]['dataset']}")
    yield path
    yield draw_losses(out / "health-loss-per-timestep.png", snapshots, studio.data_dir)
    prompts, rows, options = [str(k) for k in range(10)], [], options_for(studio.model, steps=20)
    for model in map(from_checkpoint, snapshots):
        *_, last = generate(model, prompts, steps=20, **options.guidance, **options.sampling(model))
        rows.append(last.x_t)
    path = out / "health-samples.png"
    save_grid(path, torch.cat(rows), "samples after an early epoch and the last, 20 steps, seed 0; "
              f"{studio.model.summary}, {studio.guidance}", 10,
              [f"epoch {snapshot['epoch']}" for snapshot in snapshots], prompts)
    yield path


def draw_losses(path, snapshots, data_dir):
    """Draw the loss at each t for all snapshots of the class-conditioned model; return the path."""
    test = catalog.load(snapshots[-1]["dataset"], "test", data_dir)
    few = slice(0, 500)
    prompts = [str(k) for k in test.labels[few].tolist()]
    models = [from_checkpoint(snapshot) for snapshot in snapshots]
    times = sorted({min(t, models[-1].schedule.T) for t in TIMES})
    losses = [loss_at(model, test.images_at(few), prompts, times) for model in models]
    names = [f"epoch {snapshot['epoch']}" for snapshot in snapshots]
    curves = {name: (times, each) for name, each in zip(names, losses)}
    gain = [a / b for a, b in zip(losses[0], losses[-1])]
    text = (
        "most of the mean loss comes from small t. At large t, where the digit is decided, it is "
        "so small that progress there hardly moves the mean, but improves the samples. "
        f"{models[-1].summary}, {len(prompts)} test digits, seed 0"
    )
    save_panels(path, [Panel(curves, "t", "loss on test digits", "y"),
                       Panel({f"{names[0]} / {names[-1]}": (times, gain)}, "t",
                             "how much smaller it became")], text)
    return path
