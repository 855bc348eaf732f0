"""1.8: visual anagrams."""

import torch
import torch.nn.functional as F

from figures.page.studio import Section, unchanged
from minidiff.editing.illusions import anagram
from minidiff.editing.views import VIEWS, View

SECTION = Section(
    "1.8", "Visual anagrams",
    "One image that shows one thing seen one way and another seen another way: each view gets a "
    "prediction for its own prompt, and the predictions, mapped back, are averaged. What remains "
    "suits both.",
    "ε̂ = ½ [ ε̂(x_t, t, p_1) + v⁻¹( ε̂(v(x_t), t, p_2) ) ]",
    ("minidiff/editing/illusions.py: anagram", "minidiff/editing/views.py: VIEWS"),
)


def seen_both_ways(studio, a, b, view, n):
    """Return every State of n anagrams of the prompts a and b."""
    fns = [studio.eps_fn([p] * n, gamma=studio.strong) for p in (a, b)]
    views = [VIEWS["identity"], view]
    return studio.states(studio.model.combine(anagram, fns, views), n, studio.steps)


def by_45_degrees():
    """Return what is no view: a rotation that has to interpolate, and the rotation back."""
    def rotated(sign):
        half = 0.5**0.5
        matrix = torch.tensor([[half, -sign * half, 0], [sign * half, half, 0]])

        def rotate(x):
            grid = F.affine_grid(matrix.to(x.device).expand(len(x), 2, 3), x.shape,
                                 align_corners=False)
            return F.grid_sample(x, grid, align_corners=False)

        return rotate

    return View(rotated(1), rotated(-1))


def draw(out, studio):
    """Draw the studio's anagrams, with the rate at which they work, and the first as a film."""
    measured, shown = studio.tries
    for k, (ending, (a, b, name)) in enumerate(studio.anagrams.items()):
        view = VIEWS[name] if name in VIEWS else by_45_degrees()
        states = seen_both_ways(studio, a, b, view, measured)
        x = states[-1].x_t
        rate = studio.rate(("anagram", a, b, name), (x, a), (view.see(x), b))
        how = f"γ = {studio.strong:g}, {studio.describe_steps(studio.steps)}, none picked"
        views, what = [(a, unchanged), (f"{name}: {b}", view.see)], f"{a} as it is, {b} by {name}"
        rows = [(label, see(x[:shown])) for label, see in views]
        if name in VIEWS:
            rows += studio.upsampled(x[:shown], [a] * shown, [
                ("upsampled", unchanged), (f"{name}: upsampled", view.see)])
        yield studio.save(out / f"anagram-{ending}.png", rows, f"{what}: {rate}{how}")
        if k == 0:
            yield studio.film(out / "anagram-film.png", states, f"{what}: {how}", views=views)
