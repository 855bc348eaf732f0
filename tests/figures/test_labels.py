"""Part A of the page: what captions and labels say is what was drawn, by digits and by doodles.
Each figure's images are compared with images that are made again from its labels and its caption,
by formulas of theory/."""

import pytest
import torch

from figures.build import PART_A
from figures.part_a.digits import DigitStudio
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import one_step
from minidiff.theory import samplers
from tests import replay
from tests.figures import test_labels_of_edits
from tests.figures.drawing import (
    close,
    digits,
    doodles,
    draw,
    edited,
    guided,
    large,
    noised,
    plays,
    sampled,
    starts,
    states,
    t_of,
)
from tests.replay import T, models

__all__ = ["models"]  # a fixture


def generation(studio, found):
    figure, film = found[""], found["film"]
    for label, x in figure.frames[0]:
        fn = guided(studio, figure, figure.labels)
        assert close(x, sampled(studio, figure, fn, len(x), int(label.split()[0])))
    assert figure.labels == studio.generated and figure.rows == ["1 step", "3 steps"]
    fn = guided(studio, film, film.labels)
    plays(film, states(studio, film, fn, 2))
    figure, done = found["cascade"], iter(studio.enlarged)
    for k, label in enumerate(figure.labels):
        first, _, second = label.partition("\n")
        first = int(first.removeprefix("I: "))
        x = sampled(studio, figure, guided(studio, figure, figure.rows), 2, first)
        assert close(figure.column(k), large(x))
        if second:
            low, prompts, steps = next(done)
            assert second == f"II: {min(T, steps)}" and [*prompts] == figure.rows and close(low, x)
    assert [label.replace("\n", ", ") for label in figure.labels] == [
        "I: 20", "I: 20, II: 20", "I: 20, II: 40", "I: 40", "I: 40, II: 40"]


def images_of(studio):
    """Return the test images, a list of (1,C,H,W)."""
    return [studio.image(name) for name in studio.tests]


def forward(studio, found):
    figure = found[""]
    assert f"T = {T}" in figure.caption and f"{studio.schedule_name} schedule" in figure.caption
    assert figure.rows == [*studio.tests.values()]
    x_0 = torch.cat(images_of(studio))
    for k, label in enumerate(figure.labels):
        x_t = noised(studio, figure, x_0, t_of(label))[0] if t_of(label) else x_0
        assert close(figure.column(k), x_t)


def by_level(studio, figure):
    """Yield (column, image, t, the image noised to it) for each column: three of each image."""
    x_0 = torch.cat(images_of(studio))
    assert len(figure.labels) == 3 * len(x_0)
    for k, label in enumerate(figure.labels):
        x_t = noised(studio, figure, x_0, t_of(label))[0]
        yield k, x_0[k // 3 :][:1], t_of(label), x_t[k // 3 :][:1]


def blur(studio, found):
    figure = found[""]
    for k, x_0, _, x_t in by_level(studio, figure):
        sigma, best = best_blur(x_t, x_0)
        expected = {"noisy": x_t, "blurred": gaussian_blur(x_t, 5, 2.0), "best blur": best}
        assert close(figure.column(k), torch.cat([expected[row] for row in figure.rows]))
        assert figure.labels[k].endswith(f"\nσ={sigma:g}")


def one_step_(studio, found):
    figure = found[""]
    fn = replay.eps_fn(studio.model, [studio.prompt], 1)
    assert f"prompt '{studio.prompt}'" in figure.caption
    for k, x_0, t, x_t in by_level(studio, figure):
        expected = {"noisy": x_t, "x̂_0": one_step(fn, studio.schedule, x_t, t), "image": x_0}
        assert close(figure.column(k), torch.cat([expected[row] for row in figure.rows]))


def iterative_(studio, found):
    frames, compared = found["frames"], found["compared"]
    x_0, start = torch.cat(images_of(studio)), int(frames.number(r"i_start = (\d+)"))
    levels = studio.levels[start:]
    x_t, generator = noised(studio, frames, x_0, levels[0])
    fn = replay.eps_fn(studio.model, [studio.prompt] * len(x_0), 1)
    path = list(samplers.trajectory(fn, studio.schedule, x_t, levels, kind="beta_tilde",
                                    clip=studio.model.data_range, generator=generator))
    at = {state.t: state.x_t for state in path}
    for figure in (frames, compared):
        assert figure.number(r" t = (\d+)") == levels[0] and f" {len(at) - 1} str" in figure.caption
        assert f"prompt '{studio.prompt}'" in figure.caption
        assert figure.rows == [*studio.tests.values()]
    for k, label in enumerate(frames.labels):
        assert close(frames.column(k), at[t_of(label)])
    assert [t_of(label) for label in frames.labels] == [*levels[:-1:5], 0]
    assert "very fifth step" in frames.caption
    expected = {"image": x_0, "noisy": x_t, "many steps": at[0], "blur": gaussian_blur(x_t, 5, 2.0),
                "one step": one_step(fn, studio.schedule, x_t, levels[0]),
                "best blur": best_blur(x_t, x_0)[1]}
    for k, label in enumerate(compared.labels):
        assert close(compared.column(k), expected[label])


def sampling(studio, found):
    figure, n = found[""], len(studio.guided)
    fn = guided(studio, figure, [studio.prompt] * n)
    assert figure.number(r"γ = (\d)") == 1 and f"prompt '{studio.prompt}'" in figure.caption
    assert close(figure.row(0), sampled(studio, figure, fn, n))


def guidance(studio, found):
    figure, n = found[""], len(studio.guided)
    assert figure.labels == studio.guided and len(figure.rows) == len(studio.gammas) + 1
    for label, x in figure.frames[0]:
        gamma, _, upsampled = label.removeprefix("γ=").partition(", ")
        fn = guided(studio, figure, figure.labels, float(gamma))
        expected = sampled(studio, figure, fn, n, int(figure.number(r"of (\d+) steps")))
        assert close(x, large(expected) if upsampled else expected)
    assert studio.enlarged[0][1] == figure.labels


def sdedit(studio, found):
    figure, film = found[""], found["film"]
    for k, (name, label) in enumerate(studio.edited.items()):
        assert figure.rows[2 * k] == label
        starts(studio, figure, 2 * k, studio.image(name), studio.prompt)
    start, x_0 = int(film.number(r"i_start = (\d+)")), studio.images(*studio.edited)
    assert film.labels == tuple(studio.edited.values())
    for each in (figure, film):
        assert f"prompt '{studio.prompt}'" in each.caption
    fn = guided(studio, film, [studio.prompt] * len(x_0))
    path = edited(studio, film, x_0, start, fn)
    assert film.number(r" t = (\d+)") == path[0].t
    assert f"{len(path) - 1} strided" in film.caption
    plays(film, path)


CHECKS = {"generation": generation, "forward": forward, "blur": blur, "one_step": one_step_,
          "iterative": iterative_, "sampling": sampling, "guidance": guidance, "sdedit": sdedit}


def test_every_section_is_here():
    """A new one is entered, or nothing compares its captions with its images."""
    assert {*CHECKS, *test_labels_of_edits.CHECKS} == {*PART_A}


@pytest.mark.parametrize("make", [digits, doodles])
@pytest.mark.parametrize("name", CHECKS)
def test_labels_and_captions_are_what_was_drawn(models, monkeypatch, name, make):
    """Rows, columns, prompts, seed, steps, t, guidance: of every figure and film of the section."""
    CHECKS[name](*draw(name, models, monkeypatch, make))


def test_the_judge_reads_a_digit_where_it_is_the_likeliest(monkeypatch):
    """`matches` compares each image's largest logit with the prompt."""
    studio = DigitStudio("none")
    studio.judge = lambda x: torch.eye(10)[torch.tensor([3, 8, 3])]
    x = torch.rand(3, 1, 28, 28)
    assert studio.matches(x, "3").tolist() == [True, False, True]
    assert studio.matches(x, "8").tolist() == [False, True, False]
