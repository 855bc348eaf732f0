"""Draw a section of part A small and fast, and keep what went into each figure and film."""

import re
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch.nn.functional import interpolate

from figures.build import module
from figures.page import studio as page
from figures.part_a import iterative
from figures.part_a.digits import DigitStudio
from figures.part_a.doodles import DoodleStudio
from figures.part_a.sentences import COAST, DOG, MAN, PHOTO, ROCKET, SKULL
from minidiff.data import catalog
from minidiff.theory import diffusion, samplers, schedule
from tests import replay
from tests.conftest import small
from tests.replay import T


def close(a, b):
    """Return whether images are equal up to the rounding of batches of different sizes, which
    guidance and steps back and forth magnify."""
    return a.shape == b.shape and torch.allclose(a, b, atol=0.01)


class Figure(NamedTuple):
    """What save_sheet or, with several frames, save_film was called with, in the data range."""

    name: str
    frames: list
    caption: str
    labels: tuple

    @property
    def rows(self):
        """The labels of the rows."""
        return [label for label, _ in self.frames[0]]

    def row(self, k):
        """Return the images of a row; a label takes its first."""
        return self.frames[0][k if isinstance(k, int) else self.rows.index(k)][1]

    def column(self, k, rows=None):
        """Return the images of a column, of these rows."""
        rows = range(len(self.rows)) if rows is None else rows
        return torch.stack([self.row(j)[k] for j in rows])

    def number(self, pattern):
        """Return the number that a pattern finds in the caption."""
        return float(re.search(pattern, self.caption).group(1))


class Grid(NamedTuple):
    """What save_grid was called with: part B's figures."""

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

    number = Figure.number


class Small:
    """Few steps, few tries; the second stage repeats pixels."""

    levels = schedule.strided(T, 5)
    starts, generated_steps = (1, 3, 5), (1, 3)
    steps, more_steps = 4, 5
    second_stage = SimpleNamespace(summary="the second", schedule=SimpleNamespace(T=T))

    def large(self, x, prompts=None, steps=20):
        self.enlarged.append((x, prompts, steps))
        return interpolate(x, scale_factor=2.0)


class Studio(Small, DigitStudio):
    """Digits, and a judge that reads something in about every other image."""

    cascade, gammas, filled, tries = tuple("38"), (0, 1, 7), (7, 5), (7, 5)
    guided = generated = tuple("4710382")
    fills = ("", 1), ("{}", 2)

    def matches(self, x, prompt):
        self.judged.append((x, prompt))
        return (997 * x.flatten(1).sum(1) + 0.37 * int(prompt)) % 1 > 0.4


class Doodles(Small, DoodleStudio):
    """Doodles, and a rate that was measured before for one anagram and one hybrid."""

    cascade, gammas, filled, tries = (ROCKET, DOG), (1, 7), (3, 2), (3, 2)
    generated = guided = (DOG, SKULL, MAN, COAST)
    fills = (PHOTO, 1), ("{}", 2)
    rates = {("anagram", ROCKET, MAN, "vflip"): (50, 0.5, 0.75, 0.25),
             ("hybrid", DOG, COAST, 2.0): (40, 1.0, 0.5, 0.5)}


def digits():
    """Return the small studio of digits, with strokes for test digits."""
    studio = Studio()
    studio.test = catalog.load("strokes", "test")  # looks for no MNIST
    return studio


def doodles():
    """Return the small studio of doodles."""
    return Doodles()


def draw(name, folder, patch, make=digits):
    """Draw a section into a folder with models; return the studio and its figures by their names,
    without that of the section."""
    small(patch.setattr)
    patch.chdir(folder)
    patch.setattr(iterative, "START", 2)
    studio, found = make(), {}
    studio.enlarged, studio.judged = [], []
    studio.model.defaults = {"gamma": 4.5, "guide_until": 0.25}

    def keep(path, frames, caption, labels=(), **_):
        frames = [[(label, studio.model.from_unit(x)) for label, x in rows] for rows in frames]
        key = path.stem.removeprefix(name).removeprefix("-")
        found[key] = Figure(path.name, frames, caption, tuple(labels))

    patch.setattr(page, "save_sheet", lambda path, rows, *rest: keep(path, [rows], *rest))
    patch.setattr(page, "save_film", keep)
    paths = list(module(name).draw(folder, studio))
    assert [path.name for path in paths] == [figure.name for figure in found.values()]
    assert all(studio.model.summary in figure.caption for figure in found.values())
    return studio, found


def states(studio, figure, fn, n, steps=None):
    """Return the States of n images sampled again, with the seed and the steps of the caption."""
    x, generator = replay.noise(studio.model, n, int(figure.number(r"seed (\d+)")))
    steps = steps or int(figure.number(r"(\d+) steps"))
    return list(samplers.trajectory(fn, studio.schedule, x, schedule.evenly(T, steps),
                                    kind="beta_tilde", clip=studio.model.data_range,
                                    generator=generator))


def sampled(studio, figure, fn, n, steps=None):
    """Return the last images of `states`."""
    return states(studio, figure, fn, n, steps)[-1].x_t


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
    """Return the States of images noised to a start and sampled again from there."""
    x_t, generator = noised(studio, figure, x_0, studio.levels[start])
    return list(samplers.trajectory(fn, studio.schedule, x_t, studio.levels[start:],
                                    kind="beta_tilde", clip=studio.model.data_range,
                                    generator=generator))


def t_of(label):
    """Return the t of a label."""
    return int(re.search(r"t=(\d+)", label).group(1))


def percent(hits):
    """Return a share as captions have it."""
    return f"{hits.float().mean():.0%}"


def large(x):
    """Return images as the second stage of `Small` enlarges them, by repeating pixels."""
    return interpolate(x, scale_factor=2.0)


def plays(film, states, *views):
    """Check that a film's frames are the States after the first: x_t and the prediction that led to
    it or, with views, x_t as seen in each."""
    assert len(film.frames) == len(states) - 1
    for frame, (_, x_t, x_0_hat) in zip(film.frames, states[1:]):
        expected = [see(x_t) for see in views] if views else [x_t, x_0_hat]
        assert all(close(x, y[: len(x)]) for (_, x), y in zip(frame, expected, strict=True))
        assert len(frame[0][1]) == min(4, len(x_t))
    assert views or film.rows == ["x_t", "x̂_0"]


def starts(studio, figure, row, x_0, prompt, gamma=None):
    """Compare each column of a row, and of the upsampled one below it, with what its label says."""
    assert figure.labels[-1] == "image" and len(figure.labels) == 4
    for k, label in enumerate(figure.labels):
        expected = x_0
        if label != "image":
            start = int(label.split("\n")[0])
            assert t_of(label) == studio.levels[start]
            assert f"{len(studio.levels) - 1} strided steps" in figure.caption
            fn = guided(studio, figure, [prompt], gamma)
            expected = edited(studio, figure, x_0, start, fn)[-1].x_t
        assert close(figure.row(row)[k : k + 1], expected)
        assert close(figure.row(row + 1)[k : k + 1], large(expected))
    assert figure.rows[row + 1] == "upsampled" and "upsampled by the second" in figure.caption
