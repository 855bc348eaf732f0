"""Part A of the page: what captions and labels say is what was drawn. Each figure's images are
compared with images that are made again from its labels and its caption, by formulas of theory/."""

import pytest
import torch
from torch.nn.functional import interpolate

from figures.build import PART_A
from figures.part_a.digits import DigitStudio
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import one_step
from minidiff.theory import samplers
from tests import replay
from tests.figures import test_labels_of_edits
from tests.figures.drawing import draw, guided, noised, sampled, starts, t_of
from tests.replay import T, close, models

__all__ = ["models"]  # a fixture


def generation(studio, plain, both):
    for k, label in enumerate(plain.rows):
        fn = guided(studio, plain, plain.labels)
        assert close(plain.row(k), sampled(studio, plain, fn, 7, int(label.split()[0])))
    assert plain.labels == studio.generated and "4, 7, 1" in plain.caption
    for k, label in enumerate(both.labels[::2]):
        first = sampled(studio, both, guided(studio, both, both.rows), 2,
                        min(T, int(label.removeprefix("I: "))))
        assert close(both.column(2 * k), interpolate(first, scale_factor=2.0).clamp(0, 1))
        assert close(both.column(2 * k + 1), interpolate(first, scale_factor=2.0))
        _, prompts, steps = studio.enlarged[k]
        assert prompts == both.rows and both.labels[2 * k + 1] == f"II: {steps}"


def forward(studio, figure):
    x_0 = studio.images(*studio.tests)
    assert f"T = {T}" in figure.caption and "linear schedule" in figure.caption
    for k, label in enumerate(figure.labels):
        x_t = noised(studio, figure, x_0, t_of(label))[0] if t_of(label) else x_0
        assert close(figure.column(k), x_t)


def blur(studio, figure):
    x_0 = studio.images(studio.tests[0])
    for k, label in enumerate(figure.labels):
        x_t, _ = noised(studio, figure, x_0, t_of(label))
        sigma, best = best_blur(x_t, x_0)
        expected = {"noisy": x_t, "blurred": gaussian_blur(x_t, 5, 2.0), "best blur": best}
        assert close(figure.column(k), torch.cat([expected[row] for row in figure.rows]))
        assert f" {sigma:g} at t = {t_of(label)}" in figure.caption


def one_step_(studio, figure):
    x_0 = studio.images(*studio.tests)
    for k, label in enumerate(figure.labels):
        x_t, _ = noised(studio, figure, x_0, t_of(label))
        fn = replay.eps_fn(studio.model, ["" for _ in x_0], 1)
        expected = {"noisy": x_t, "x̂₀": one_step(fn, studio.schedule, x_t, t_of(label))}
        for j, row in enumerate(figure.rows):
            assert close(figure.row(j)[k], expected[row][j // 2])


def iterative_(studio, frames, compared):
    x_0, start = studio.images(*studio.tests), int(frames.number(r"i_start = (\d+)"))
    levels = studio.levels[start:]
    x_t, generator = noised(studio, frames, x_0, levels[0])
    fn = replay.eps_fn(studio.model, [""] * 3, 1)
    states = list(samplers.trajectory(fn, studio.schedule, x_t, levels, kind="beta_tilde",
                                      clip=(0.0, 1.0), generator=generator))
    at = {state.t: state.x_t for state in states}
    for figure in (frames, compared):
        assert figure.number(r" t = (\d+)") == levels[0] and f" {len(at) - 1} str" in figure.caption
    for k, label in enumerate(frames.labels):
        assert close(frames.column(k), at[t_of(label)])
    assert [t_of(label) for label in frames.labels] == [*levels[:-1:5], 0]
    assert "every fifth step" in frames.caption
    expected = {"image": x_0, "noisy": x_t, "steps": at[0], "blur": gaussian_blur(x_t, 5, 2.0),
                "one step": one_step(fn, studio.schedule, x_t, levels[0]),
                "best": best_blur(x_t, x_0)[1]}
    for k, label in enumerate(compared.labels):
        assert close(compared.column(k), expected[label])


def sampling(studio, figure):
    fn = guided(studio, figure, [""] * 7)
    assert figure.number(r"γ = (\d)") == 1 and "prompt ''" in figure.caption
    assert close(figure.x, sampled(studio, figure, fn, 7))


def guidance(studio, figure, enlarged):
    assert figure.labels == studio.guided and len(figure.rows) == 3
    for k, label in enumerate(figure.rows):
        fn = guided(studio, figure, figure.labels, float(label.removeprefix("γ=")))
        assert close(figure.row(k), sampled(studio, figure, fn, 7))
    row = figure.rows.index(f"γ={enlarged.number(r'γ = ([0-9]+)'):g}")
    assert close(enlarged.x, interpolate(figure.row(row), scale_factor=2.0))
    assert studio.enlarged[0][1] == figure.labels


def sdedit(studio, figure, enlarged):
    x_0 = studio.images(*(studio.edited[name] for name in figure.rows))
    assert "prompt ''" in figure.caption and figure.rows == list(studio.edited)
    assert starts(studio, figure, x_0, [(x_0, "")]) == 3
    assert close(enlarged.x, interpolate(figure.x, scale_factor=2.0))


CHECKS = {"generation": generation, "forward": forward, "blur": blur, "one_step": one_step_,
          "iterative": iterative_, "sampling": sampling, "guidance": guidance, "sdedit": sdedit}


def test_every_section_is_here():
    """A new one is entered, or nothing compares its captions with its images."""
    assert {*CHECKS, *test_labels_of_edits.CHECKS} == {*PART_A}


@pytest.mark.parametrize("name", CHECKS)
def test_labels_and_captions_are_what_was_drawn(models, monkeypatch, name):
    """Rows, columns, prompts, seed, steps, t, guidance: of every figure of the section."""
    studio, figures = draw(name, models, monkeypatch)
    CHECKS[name](studio, *figures)


def test_the_judge_reads_a_digit_where_it_is_the_likeliest(monkeypatch):
    """`matches` compares each image's largest logit with the prompt."""
    studio = DigitStudio("none")
    studio.judge = lambda x: torch.eye(10)[torch.tensor([3, 8, 3])]
    x = torch.rand(3, 1, 28, 28)
    assert studio.matches(x, "3").tolist() == [True, False, True]
    assert studio.matches(x, "8").tolist() == [False, True, False]
