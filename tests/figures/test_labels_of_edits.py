"""Part A of the page, its second half: what the captions and labels of edits and illusions say."""

import re

import pytest
import torch
from torch.nn.functional import interpolate

from minidiff.editing import illusions, inpainting
from minidiff.editing.views import VIEWS
from minidiff.evaluation.metrics import from_afar
from minidiff.theory import schedule
from tests import replay
from tests.figures.drawing import draw, edited, guided, noised, percent, sampled, starts, t_of
from tests.replay import T, close, models

__all__ = ["models"]  # a fixture


def drawn(studio, *figures):
    *each, enlarged = figures
    shown = []
    for figure, (name, origin) in zip(each, studio.drawn.items(), strict=True):
        x_0, n = studio.image(name), figure.columns
        assert figure.name == f"drawn-{name}.png" and f"{name}, {origin};" in figure.caption
        for k, label in enumerate(figure.labels[:-1]):
            start = int(label.split("\n")[0])
            fn = replay.eps_fn(studio.model, [""], 4.5, 0.25)
            expected = {"noised": noised(studio, figure, x_0, t_of(label))[0],
                        "result": edited(studio, figure, x_0, start, fn)}
            assert t_of(label) == studio.levels[start]
            assert close(figure.column(k), torch.cat([expected[row] for row in figure.rows]))
        assert figure.labels[-1] == "image"
        assert close(figure.column(n - 1), x_0.expand(2, -1, -1, -1))
        shown.append(figure.row(figure.rows.index("result")))
    assert close(enlarged.x, interpolate(torch.cat(shown), scale_factor=2.0))


def inpaint(studio, *figures):
    *each, enlarged = figures
    shown, judged = [], iter(studio.judged[:])
    for figure, (name, words) in zip(each, studio.holes.items(), strict=True):
        x_0, mask = studio.image(name), studio.mask(words)
        known = {"image": x_0, "mask": mask.float(), "hole": x_0.masked_fill(mask, 0.5)}
        results = [k for k, label in enumerate(figure.labels) if label == "result"]
        n = int(figure.number(r"of (\d+) results the judge reads as "))
        assert f"results the judge reads as {name}: " in figure.caption and n > len(results)
        for k, (prompt, times) in enumerate(re.findall(r"'(\d?)' (\d+)x", " ".join(figure.rows))):
            row = figure.row(k)
            for j, label in enumerate(figure.labels[:-len(results)]):
                assert close(row[j : j + 1], known[label])
            x_T, generator = replay.noise(studio.model, n, 0)
            *_, last = inpainting.inpaint(
                guided(studio, figure, [prompt] * n), studio.schedule,
                x_0.expand(n, -1, -1, -1), mask, x_T,
                schedule.evenly(T, int(figure.number(r"; (\d+) steps"))), resample=int(times),
                generator=generator, kind="beta_tilde", clip=(0.0, 1.0))
            seen, digit = next(judged)
            assert digit == name and close(seen, last.x_t) and close(row[results], seen[:5])
            hits = percent(studio.matches(seen, name))
            assert f"{hits} (prompt '{prompt}', each step {times}x)" in figure.caption
        shown.append(figure.row(1)[results])
    assert f"{times}x, prompt '{studio.fills[1][0]}'" in enlarged.caption
    assert close(enlarged.x, interpolate(torch.cat(shown), scale_factor=2.0))


def prompted(studio, figure, enlarged):
    pairs = [row.split(" → ") for row in figure.rows]
    x_0 = studio.images(*(name for name, _ in pairs))
    gamma = figure.number(r"γ = (\d+)")
    prompts = [(x_0[k : k + 1], prompt) for k, (_, prompt) in enumerate(pairs)]
    assert starts(studio, figure, x_0, prompts, gamma) == 3
    assert close(enlarged.x, interpolate(figure.x, scale_factor=2.0))


def read_both(studio, figure, judged, a, b):
    """Compare the shares in a caption with what the judge reads in all images: those of the upper
    and of the lower row, and some that are not shown. Return them as they are."""
    (x, first), (seen, second) = next(judged), next(judged)
    n = figure.columns
    assert (first, second) == (a, b) and len(x) == len(seen) > n
    assert close(figure.row(0), x[:n]) and close(figure.row(1), seen[:n])
    first, second = studio.matches(x, a), studio.matches(seen, b)
    shares = f"reads {percent(first)} and {percent(second)}, both in {percent(first & second)};"
    assert f"of {len(first)} the judge {shares}" in figure.caption
    return x


def anagram(studio, *figures):
    judged = iter(studio.judged[:])
    for figure, (ending, (_, _, name)) in zip(
        [f for f in figures if "upsampled" not in f.name], studio.anagrams.items(), strict=True
    ):
        a, b, view = re.match(r"(\d) as it is, (\d) by ([^:]+):", figure.caption).groups()
        assert figure.name == f"anagram-{ending}.png" and figure.rows == (a, b) and view == name
        found = read_both(studio, figure, judged, a, b)
        if name not in VIEWS:
            continue
        fns = [guided(studio, figure, [p] * 7) for p in (a, b)]
        fn = illusions.anagram(fns, [VIEWS["identity"], VIEWS[view]])
        assert close(found, sampled(studio, figure, fn, 7))
        x = figure.row(0)
        assert close(figure.row(1), VIEWS[view].see(x))
        enlarged = next(f for f in figures if f.name == f"anagram-{ending}-upsampled.png")
        large = interpolate(x, scale_factor=2.0)
        assert close(enlarged.x, torch.cat([large, VIEWS[view].see(large)]))


def hybrid(studio, *figures):
    judged = iter(studio.judged[:])
    for figure, ending in zip(
        [f for f in figures if "upsampled" not in f.name], studio.hybrids, strict=True
    ):
        high, low = re.match(r"(\d) from near, (\d) from afar:", figure.caption).groups()
        assert figure.name == f"hybrid-{ending}.png" and figure.rows == ("near", "afar")
        found = read_both(studio, figure, judged, high, low)
        assert (low, high) == studio.hybrids[ending]
        coarse = illusions.blur(figure.number(r"split at σ = ([\d.]+)"))
        fns = [guided(studio, figure, [p] * 7) for p in (low, high)]
        x = sampled(studio, figure, illusions.hybrid(fns, illusions.split(coarse)), 7)
        afar = from_afar(found, figure.number(r"afar at σ = ([\d.]+)"))
        assert close(found, x) and close(figure.row(1), afar[:5])


def logo(studio, figure):
    view, shown = VIEWS["rotate180"], []
    for digit in figure.caption[:3]:
        fn = guided(studio, figure, [digit] * 8)
        x = sampled(studio, figure, illusions.anagram([fn, fn], [VIEWS["identity"], view]), 8)
        right = studio.matches(x, digit) & studio.matches(view.see(x), digit)
        shown.append(right.nonzero()[0, 0].item() if right.any() else 0)
        k = len(shown) - 1
        assert f"{right.sum()} for {digit}" in figure.caption
        assert close(figure.row(0)[k], x[shown[-1]])
    assert figure.rows == ("up", "down") and studio.logo in figure.caption
    assert close(figure.row(1), view.see(figure.row(0).flip(0)))


CHECKS = {"drawn": drawn, "inpaint": inpaint, "prompted": prompted, "anagram": anagram,
          "hybrid": hybrid, "logo": logo}


@pytest.mark.parametrize("name", CHECKS)
def test_labels_and_captions_are_what_was_drawn(models, monkeypatch, name):
    """Prompts, views, holes, starts, guidance, steps, and the shares that the judge reads."""
    studio, figures = draw(name, models, monkeypatch)
    CHECKS[name](studio, *figures)
