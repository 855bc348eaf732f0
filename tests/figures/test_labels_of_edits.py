"""Part A of the page, its second half: what the captions and labels of edits and illusions say."""

import re

import pytest
import torch

from figures.page.studio import unchanged
from minidiff.editing import illusions, inpainting
from minidiff.editing.blur import gaussian_blur
from minidiff.editing.views import VIEWS
from minidiff.evaluation.metrics import from_afar
from minidiff.theory import schedule
from tests import replay
from tests.figures.drawing import (
    close,
    digits,
    doodles,
    draw,
    guided,
    large,
    noised,
    percent,
    plays,
    sampled,
    starts,
    states,
    t_of,
)
from tests.replay import T, models

__all__ = ["models"]  # a fixture


def drawn(studio, found):
    for figure, (name, origin) in zip(found.values(), studio.drawn.items(), strict=True):
        x_0 = studio.image(name)
        assert figure.name == f"drawn-{name}.png" and f", {origin};" in figure.caption
        assert figure.rows == ["noised", "result", "upsampled"]
        assert f"prompt '{studio.prompt}'" in figure.caption
        for k, label in enumerate(figure.labels[:-1]):
            assert close(figure.row(0)[k : k + 1], noised(studio, figure, x_0, t_of(label))[0])
        assert close(figure.row(0)[-1:], x_0)
        starts(studio, figure, 1, x_0, studio.prompt)


def filled(studio, figure, x_0, mask, prompt, times):
    """Return the States of an image filled again as often as it is measured."""
    n = studio.filled[0]
    x_T, generator = replay.noise(studio.model, n, 0)
    return list(inpainting.inpaint(
        guided(studio, figure, [prompt] * n), studio.schedule, x_0.expand(n, -1, -1, -1), mask, x_T,
        schedule.evenly(T, int(figure.number(r"; (\d+) steps"))), resample=times,
        generator=generator, kind="beta_tilde", clip=studio.model.data_range))


def inpaint(studio, found):
    (measured, shown), film = studio.filled, found.pop("film")
    judged = iter(studio.judged[:])
    for figure, (name, (words, suits)) in zip(found.values(), studio.holes.items(), strict=True):
        x_0, mask = studio.image(name), studio.mask(words)
        white, grey = studio.model.from_unit(mask.float()).expand_as(x_0), sum(
            studio.model.data_range) / 2
        known = {"image": x_0, "mask": white, "hole": x_0.masked_fill(mask, grey)}
        assert figure.name == f"inpaint-{name}.png" and f"hole: {words};" in figure.caption
        assert figure.labels == (*known, *["result"] * shown, *["upsampled"] * shown)
        for label, x in figure.frames[0]:
            prompt, times = re.fullmatch(r"'(.*)' (\d+)×", label).groups()
            path = filled(studio, figure, x_0, mask, prompt, int(times))
            last = path[-1].x_t
            for j, image in enumerate(known.values()):
                assert close(x[j : j + 1], large(image))
            assert close(x[3:], large(torch.cat([last[:shown]] * 2)))
            if studio.judged:
                seen, digit = next(judged)
                assert close(seen, last) and digit == suits
                assert percent(studio.matches(seen, suits)) in figure.caption
                assert f"of {measured} results the judge reads " in figure.caption
            if figure.name == f"inpaint-{[*studio.holes][0]}.png":
                final = path, prompt, times
    path, prompt, times = final
    assert f"{[*studio.holes][0]}, hole: " in film.caption
    assert f"prompt '{prompt}', each step {times}×" in film.caption
    plays(film, path)


def prompted(studio, found):
    figure = found[""]
    gamma = figure.number(r"γ = (\d+)")
    for k, (name, prompt) in enumerate(studio.prompted):
        before, after = figure.rows[2 * k].split(" → ")
        assert before == studio.edited.get(name, name) and after == prompt
        starts(studio, figure, 2 * k, studio.image(name), after, gamma)


def rated(studio, figure, illusion, judged, *pairs):
    """Compare the rates in a caption with what the judge reads in all images, or with those that
    were measured before; where nobody did, there are none."""
    assert all(close(seen[: len(x)], x) for x, (seen, _) in zip(figure_rows(figure), pairs))
    if studio.judged:
        found = [next(judged) for _ in pairs]
        for (x, prompt), (seen, name) in zip(pairs, found):
            assert name == prompt and close(seen, x)
        a, b = (studio.matches(seen, prompt) for seen, prompt in found)
        assert (f"of {len(a)} the judge reads {pairs[0][1]} in {percent(a)}, {pairs[1][1]} in "
                f"{percent(b)}, both in {percent(a & b)};") in figure.caption
    elif illusion in studio.rates:
        n, *shares = studio.rates[illusion]
        a, b, both = (f"{share:.0%}" for share in shares)
        assert (f"of {n} others (make illusions) the judge reads the first in {a}, the second in "
                f"{b}, both in {both};") in figure.caption
    else:
        assert "judge" not in figure.caption and "%" not in figure.caption


def figure_rows(figure):
    """Return the images of the first two rows, the first prompt's first."""
    rows = [figure.row(0), figure.row(1)]
    return rows[::-1] if figure.rows[0].startswith("near") else rows


def seen_large(figure, x, *views):
    """Check the last rows: the first stage's images enlarged, as each view shows them."""
    for k, see in enumerate(views):
        assert "upsampled" in figure.rows[2 + k] and close(figure.row(2 + k), see(large(x)))


def anagram(studio, found):
    film, judged, n = found.pop("film"), iter(studio.judged[:]), studio.tries[0]
    for k, (figure, (ending, pair)) in enumerate(
        zip(found.values(), studio.anagrams.items(), strict=True)
    ):
        a, b, view = re.match(r"(.+) as it is, (.+) by ([^:]+):", figure.caption).groups()
        assert (a, b, view) == pair and figure.name == f"anagram-{ending}.png"
        assert figure.rows[:2] == [a, f"{view}: {b}"]
        if view not in VIEWS:
            assert len(figure.rows) == 2 and "judge" in figure.caption or not studio.judged
            [next(judged) for _ in range(2) if studio.judged]
            continue
        fn = illusions.anagram([guided(studio, figure, [p] * n) for p in (a, b)],
                               [VIEWS["identity"], VIEWS[view]])
        path, see = states(studio, figure, fn, n), VIEWS[view].see
        x = path[-1].x_t
        rated(studio, figure, ("anagram", *pair), judged, (x, a), (see(x), b))
        seen_large(figure, x[: studio.tries[1]], unchanged, see)
        if k == 0:
            assert film.rows == figure.rows[:2] and f"{a} as it is, {b} by {view}" in film.caption
            plays(film, path, unchanged, see)


def hybrid(studio, found, name="hybrid"):
    film, judged, n = found.pop("film", None), iter(studio.judged[:]), studio.tries[0]
    pairs = studio.hybrids if name == "hybrid" else {"": studio.logo}
    for k, (figure, pair) in enumerate(zip(found.values(), pairs.values(), strict=True)):
        low, high = re.match(r"(.+) from afar, (.+) from near:", figure.caption).groups()
        sigma = figure.number(r"split at σ = ([\d.]+)")
        far = figure.number(r"afar at σ = ([\d.]+)")
        assert (low, high, sigma) == pair and figure.rows[:2] == [f"near: {high}", f"afar: {low}"]
        fn = illusions.hybrid([guided(studio, figure, [p] * n) for p in (low, high)],
                              illusions.split(illusions.blur(sigma)))
        path = states(studio, figure, fn, n)
        x = path[-1].x_t

        def afar(x, far=far):
            far = far * x.shape[3] / studio.model.image_shape[2]
            return from_afar(x, far) if not studio.sentences else gaussian_blur(
                x, 2 * round(3 * far) + 1, far)

        rated(studio, figure, ("hybrid", *pair), judged, (afar(x), low), (x, high))
        seen_large(figure, x[: studio.tries[1]], unchanged, afar)
        if k == 0 and film:
            assert film.rows == figure.rows[:2] and f"{low} from afar, {high}" in film.caption
            plays(film, path, unchanged, afar)


def logo(studio, found):
    if studio.sentences:
        return hybrid(studio, found, "logo")
    figure, view, shown = found[""], VIEWS["rotate180"], []
    for digit in figure.caption[:3]:
        fn = guided(studio, figure, [digit] * 8)
        x = sampled(studio, figure, illusions.anagram([fn, fn], [VIEWS["identity"], view]), 8)
        right = studio.matches(x, digit) & studio.matches(view.see(x), digit)
        shown.append(right.nonzero()[0, 0].item() if right.any() else 0)
        k = len(shown) - 1
        assert f"{right.sum()} for {digit}" in figure.caption
        assert close(figure.row(0)[k], x[shown[-1]])
    assert figure.rows == ["up", "down"] and studio.logo in figure.caption
    assert close(figure.row(1), view.see(figure.row(0).flip(0)))


CHECKS = {"drawn": drawn, "inpaint": inpaint, "prompted": prompted, "anagram": anagram,
          "hybrid": hybrid, "logo": logo}


@pytest.mark.parametrize("make", [digits, doodles])
@pytest.mark.parametrize("name", CHECKS)
def test_labels_and_captions_are_what_was_drawn(models, monkeypatch, name, make):
    """Prompts, views, holes, starts, guidance, steps, and the rates of illusions."""
    CHECKS[name](*draw(name, models, monkeypatch, make))
