"""Figures and short films that the book makes itself, in seconds, from the shipped weights."""

from pathlib import Path

import torch

from minidiff.data import strokes
from minidiff.editing.illusions import anagram
from minidiff.editing.inpainting import inpaint
from minidiff.editing.views import VIEWS
from minidiff.files import images
from minidiff.models import zoo
from minidiff.models.generate import generate, prompted, states
from minidiff.theory.diffusion import q_sample
from minidiff.theory.samplers import ddim_step
from minidiff.theory.schedule import evenly

STEPS, GAMMA = 20, 3.0
DIGITS = ["3", "8", "5", "0", "2", "7"]


def seeded(seed=0):
    """Return a source of random numbers."""
    return torch.Generator().manual_seed(seed)


def shipped(kind):
    """Return the shipped model of a kind, whatever was trained here."""
    return zoo.load_model(str(zoo.snapshots(kind)[-1]))


def drawn(digits, seed):
    """Return drawn digits as images (B,1,28,28) in [0, 1]."""
    labels = torch.tensor([int(digit) for digit in digits])
    return strokes.draw(labels, generator=seeded(seed)).float() / 255


def noised(model, path):
    """Digits at six levels of noise."""
    x_0, levels = drawn(DIGITS, 1), evenly(300, 5)[::-1]
    eps, n = torch.randn(x_0.shape, generator=seeded(2)), len(x_0)
    rows = [q_sample(model.schedule, x_0, torch.full((n,), t), eps) for t in levels]
    signal = [f"t = {t}: {model.schedule.alpha_bar[t].sqrt():.0%}" for t in levels]
    images.save_grid(path, torch.cat(rows), "one image and one noise in each column; %: the signal "
                     "that is left", n, signal)


def film(path, found, top, bottom, caption):
    """Write a film of two rows of images of each State."""
    frames = [torch.cat([top(s), bottom(s)]) for s in found[1:]]
    pages = [images.sheet(frame, len(frame) // 2) for frame in frames]
    images.save_film(path, pages, caption, 120)


def sampled(model, path):
    """Digits from noise, and what the network predicts on the way."""
    found = list(generate(model, DIGITS, steps=STEPS, gamma=GAMMA, seed=3))
    film(path, found, lambda s: s.x_t, lambda s: s.x_0_hat,
         f"x_t, and below x_0_hat: {STEPS} steps of DDPM, gamma = {GAMMA:g}")


def guided(model, path):
    """The same noise and prompts at four strengths of guidance."""
    rows, gammas = [], (0, 1, 3, 20)
    for gamma in gammas:
        *_, last = generate(model, DIGITS, steps=STEPS, gamma=gamma, seed=3, step=ddim_step)
        rows.append(last.x_t)
    prompts = ", ".join(DIGITS)
    images.save_grid(path, torch.cat(rows), f"prompts {prompts}; the same noise in each row; DDIM, "
                     f"{STEPS} steps", len(DIGITS), [f"gamma = {gamma}" for gamma in gammas])


def flowing(model, path):
    """Digits from noise by a flow."""
    found = list(generate(model, DIGITS, steps=STEPS, gamma=GAMMA, seed=3))
    film(path, found, lambda s: s.x_t, lambda s: s.x_1_hat,
         f"x_t, and below x_1_hat: {STEPS} Euler steps, gamma = {GAMMA:g}")


def filled(model, path):
    """The lower half of digits, filled."""
    x_0 = drawn(DIGITS, 4)
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 14:, :] = True
    x_T = torch.randn(x_0.shape, generator=seeded(5))
    found = list(inpaint(prompted(model, DIGITS, GAMMA), model.schedule, x_0, mask, x_T,
                         evenly(300, STEPS), resample=3, generator=seeded(6), clip=(0.0, 1.0)))
    film(path, found, lambda s: x_0.masked_fill(mask, 0.5), lambda s: s.x_t,
         f"above: given, grey is the hole; below: x_t, {STEPS} steps, each taken 3 times")


def turned(model, path):
    """Images that are a 2 one way and a 5 when turned by 90 degrees."""
    view = VIEWS["rotate90"]
    fns = [prompted(model, [digit] * len(DIGITS), 7.0) for digit in ("2", "5")]
    x_T = torch.randn(len(DIGITS), 1, 28, 28, generator=seeded(7))
    both = anagram(fns, [VIEWS["identity"], view])
    found = list(states(model, both, x_T, STEPS, generator=seeded(8)))
    film(path, found, lambda s: s.x_t, lambda s: view.see(s.x_t),
         "above: x_t, prompted with 2; below: turned by 90 degrees, prompted with 5")


FILMS = {  # file of the film: (its title, model, function, where its code is)
    "noise.png": ("Noise, step by step", "class", noised, "theory/diffusion.py: q_sample"),
    "sampling.gif": ("From noise to digits", "class", sampled, "theory/samplers.py: trajectory"),
    "guidance.png": ("What guidance does", "class", guided, "theory/guidance.py: guided"),
    "flow.gif": ("A flow", "flow", flowing, "theory/flow.py: flow_trajectory"),
    "hole.gif": ("A hole is filled", "class", filled, "editing/inpainting.py: inpaint"),
    "anagram.gif": ("Two digits in one image", "class", turned, "editing/illusions.py: anagram"),
}


def make(out):
    """Write every film to a folder; return {(Path in the package, definition): [(title, name of the
    film, caption)]}."""
    models, found = {}, {}
    for name, (title, kind, draw, where) in FILMS.items():
        models[kind] = models.get(kind) or shipped(kind)
        draw(models[kind], out / f"film-{name}")
        file, _, definition = where.partition(": ")
        found.setdefault((Path(file), definition), []).append(
            (title, f"film-{name}", images.caption_of(out / f"film-{name}")))
    return found
