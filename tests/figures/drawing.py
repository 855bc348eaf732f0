"""Draw a section of part A small and fast, and keep what went into each figure."""

import re
from typing import NamedTuple

import torch
from torch.nn.functional import interpolate

from figures.build import module
from figures.page import studio as page
from figures.part_a import iterative
from figures.part_a.digits import DigitStudio
from minidiff.data import catalog
from minidiff.theory import diffusion, samplers, schedule
from tests import replay
from tests.conftest import small
from tests.replay import T, close


class Figure(NamedTuple):
    """What save_grid was called with."""

    name: str
    x: torch.Tensor
    caption: str
    columns: int
    rows: tuple = ()
    labels: tuple = ()

    def row(self, k):
        """Return the images of a row."""
        return self.x.view(-1, self.columns, *self.x.shape[1:])[k]

    def column(self, k):
        """Return the images of a column."""
        return self.x.view(-1, self.columns, *self.x.shape[1:])[:, k]

    def number(self, pattern):
        """Return the number that a pattern finds in the caption."""
        return float(re.search(pattern, self.caption).group(1))


class Studio(DigitStudio):
    """A small one: few steps, few tries, and a judge that reads something in about every other
    image; the second stage repeats pixels."""

    levels = schedule.strided(T, 5)
    starts, generated_steps, cascade = (1, 3, 5), (1, 3), tuple("38")
    steps, more_steps, gammas = 4, 5, (0, 1, 7)
    filled = tries = (7, 5)
    guided = generated = tuple("4710382")
    fills, sigma = (("", 1), ("{}", 2)), 1.2

    def matches(self, x, prompt):
        self.judged.append((x, prompt))
        return (997 * x.flatten(1).sum(1) + 0.37 * int(prompt)) % 1 > 0.4

    def large(self, x, prompts=None, steps=20):
        self.enlarged.append((x, prompts, steps))
        return interpolate(x, scale_factor=2.0)


def draw(name, folder, patch):
    """Draw a section into a folder with models; return the studio and its figures."""
    small(patch.setattr)
    patch.chdir(folder)
    patch.setattr(iterative, "START", 2)
    studio, grids = Studio(), []
    studio.test = catalog.load("strokes", "test")  # looks for no MNIST
    studio.enlarged, studio.judged = [], []
    studio.model.defaults = {"gamma": 4.5, "guide_until": 0.25}
    patch.setattr(page, "save_grid", lambda path, x, caption, *more, scale:
                  grids.append(Figure(path.name, x, caption, *more)))
    paths = list(module(name).draw(folder, studio))
    assert [path.name for path in paths] == [figure.name for figure in grids]
    return studio, grids


def sampled(studio, figure, fn, n, steps=None):
    """Return n images sampled again from noise, with the seed and the steps of the caption."""
    x, generator = replay.noise(studio.model, n, int(figure.number(r"seed (\d+)")))
    steps = steps or int(figure.number(r"(\d+) steps"))
    return samplers.sample(fn, studio.schedule, x, schedule.evenly(T, steps), kind="beta_tilde",
                           clip=(0.0, 1.0), generator=generator)


def guided(studio, figure, prompts, gamma=None):
    """Return the eps_fn of prompts with the guidance of the caption."""
    share = re.search(r"gamma \S+ until (\d+)%", figure.caption)
    gamma = figure.number(r"(?:γ =|gamma) (\S*\d)") if gamma is None else gamma
    return replay.eps_fn(studio.model, prompts, gamma, float(share.group(1)) / 100 if share else 0)


def noised(studio, figure, x_0, t):
    """Return images noised again to t with the caption's seed, and the generator."""
    generator = replay.sources(int(figure.number(r"seed (\d+)")), len(x_0))
    eps = torch.cat([torch.randn(1, *x_0.shape[1:], generator=g) for g in generator])
    return diffusion.q_sample(studio.schedule, x_0, torch.full((len(x_0),), t), eps), generator


def edited(studio, figure, x_0, start, fn):
    """Return images noised to a start and sampled again from there."""
    x_t, generator = noised(studio, figure, x_0, studio.levels[start])
    return samplers.sample(fn, studio.schedule, x_t, studio.levels[start:], kind="beta_tilde",
                           clip=(0.0, 1.0), generator=generator)


def t_of(label):
    """Return the t of a label."""
    return int(re.search(r"t=(\d+)", label).group(1))


def percent(hits):
    """Return a share as captions have it."""
    return f"{hits.float().mean():.0%}"


def starts(studio, figure, x_0, prompts, gamma=None):
    """Compare every column with what its label says; return how many starts there are."""
    for k, label in enumerate(figure.labels):
        if label == "image":
            assert close(figure.column(k), x_0)
            continue
        start = int(label.split("\n")[0])
        assert t_of(label) == studio.levels[start]
        assert f"{len(studio.levels) - 1} strided steps" in figure.caption
        for j, (image, prompt) in enumerate(prompts):
            fn = guided(studio, figure, [prompt] * len(image), gamma)
            assert close(figure.column(k)[j : j + len(image)],
                         edited(studio, figure, image, start, fn))
    return len(figure.labels) - 1
