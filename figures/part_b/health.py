"""Is my run healthy? What a good run looks like, and what it means if yours does not."""

import torch

from figures.page.html.studio import Section, newest_snapshots
from minidiff.data import dataset
from minidiff.evaluation.metrics import loss_at
from minidiff.files.images import Panel, save_grid, save_panels
from minidiff.models.generate import generate
from minidiff.models.zoo import from_checkpoint

TIMES = (1, 3, 10, 20, 40, 70, 100, 130, 160, 190, 220, 250, 280, 300)
SECTION = Section(
    "", "Is my run healthy?",
    "A loss alone does not tell: it falls steeply in the first minutes and then hardly at all, "
    "while samples go on improving. Hold three things against these figures: the loss of each "
    "epoch, the loss at each t, and samples.",
    "",
    "Most of the mean loss is made at small t, where noise is too faint to be told from a pen's "
    "edges. At large t, where it is decided which digit comes out, the loss is a hundred times "
    "smaller; what is gained there hardly moves the mean and makes the samples.",
    "make evaluate ARGS='--model runs/class/001'",
    ("minidiff/evaluate.py: loss_at", "minidiff/trainer.py: fit", "tests/test_samplers.py"),
    (
        ("you see", "likely because", "do"),
        ("a loss that stays near 1 (`uncond`, `class`)", "nothing is learned: predicting no noise "
         "at all costs exactly 1", "look at the learning rate; is `model.train()` on, are the "
         "gradients zeroed, do noise and target belong together?"),
        ("a loss of 0.03 and samples of noise", "the sampler is wrong, not the network: noise "
         "added at the last step, a level counted off by one, BatchNorm left in training mode",
         "run `tests/test_samplers.py` against your sampler; sample with `model.eval()`"),
        ("a loss well below the figure", "the network sees the answer: x_0 or ε leaks into its "
         "input, or one ε is used for all pictures", "check what goes into `q_sample`"),
        ("grey, washed-out digits", "x̂_0 is clipped to another range than the data's, or the "
         "pictures were normalised twice", "print the range of a batch: it is 0 to 1 here"),
        ("blobs after few steps", "the variance β adds more noise than so few steps take out",
         "`--variance beta_tilde`, or more steps"),
        ("digits, but not those asked for", "γ is 1 or less, or p_uncond so high that the digit is "
         "hardly ever heard", "γ of 2 to 5; p_uncond = 0.1"),
        ("thick, broken strokes", "γ too large", "less of it, or end it early: `--guide-until`"),
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
        marks, found = newest_snapshots(kind)
        name = "mean of the epoch" if "mean of the epoch" in found else [*found][0]
        losses = found[name][1]
        curves[f"{kind}, D = {marks[-1]['network']['width']}"] = (
            range(1, len(losses) + 1), losses
        )
    path = out / "health-loss.png"
    save_panels(path, [Panel(curves, "epoch", "mean training loss", "y")],
                f"expected loss of each training; {marks[-1]['dataset']}")
    yield path
    yield draw_losses(out / "health-loss-per-timestep.png", studio.data_dir)
    prompts, rows = [str(k) for k in range(10)], []
    for model in map(from_checkpoint, marks):
        *_, last = generate(model, prompts, 20, 0, kind="beta_tilde", **studio.guidance.options())
        rows.append(last.x_t)
    path = out / "health-samples.png"
    save_grid(path, torch.cat(rows), "samples after an early epoch and the last, 20 steps, seed 0; "
              f"{studio.told}", 10, [f"epoch {mark['epoch']}" for mark in marks], prompts)
    yield path


def draw_losses(path, data_dir):
    """Draw the loss at each t for every mark of the class-conditioned model; return the path."""
    marks, _ = newest_snapshots("class")
    test = dataset.load(marks[-1]["dataset"], "test", data_dir)
    few = slice(0, 500)
    prompts = [str(k) for k in test.labels[few].tolist()]
    models = [from_checkpoint(mark) for mark in marks]
    times = sorted({min(t, models[-1].schedule.T) for t in TIMES})
    losses = [loss_at(model, test.images_at(few), prompts, times) for model in models]
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
