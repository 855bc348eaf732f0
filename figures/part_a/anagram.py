"""1.8: visual anagrams."""

import torch
import torch.nn.functional as F

from figures.page.studio import Section
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
    """Return n anagrams of the prompts a and b, (n,C,H,W)."""
    fns = [studio.eps_fn([p] * n, gamma=studio.strong) for p in (a, b)]
    views = [VIEWS["identity"], view]
    return studio.sample(studio.model.combine(anagram, fns, views), n, studio.steps)


def by_45_degrees():
    """Return what is no view: a rotation that has to interpolate, and the rotation back."""
    def rotated(sign):
        half = 0.5**0.5
        matrix = torch.tensor([[half, -sign * half, 0], [sign * half, half, 0]])

        def rotate(x):
            grid = F.affine_grid(matrix.expand(len(x), 2, 3), x.shape, align_corners=False)
            return F.grid_sample(x, grid, align_corners=False)

        return rotate

    return View(rotated(1), rotated(-1))


def draw(out, studio):
    """Draw the studio's anagrams, and measure how many can be read both ways."""
    measured, shown = studio.tries
    for ending, (a, b, name) in studio.anagrams.items():
        view = VIEWS[name] if name in VIEWS else by_45_degrees()
        x = seen_both_ways(studio, a, b, view, measured)
        seen = view.see(x)
        path, labels = out / f"anagram-{ending}.png", studio.labels((a, b)) or ("as it is", name)
        yield studio.save(
            path, torch.cat([x[:shown], seen[:shown]]), f"{a} as it is, {b} by {name}: "
            f"{studio.read((x, a), (seen, b))}γ = {studio.strong:g}, "
            f"{studio.describe_steps(studio.steps)}, none picked", shown, labels)
        if name in VIEWS:
            large = path.with_name(f"{path.stem}-upsampled.png")
            yield from studio.upsampled(large, x[:shown], "the same", shown, see=view.see,
                                        prompts=studio.hints(a, shown), row_labels=labels)
