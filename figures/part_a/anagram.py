"""1.8: visual anagrams."""

import torch
import torch.nn.functional as F

from figures.page.html.studio import Section
from minidiff.editing.illusions import anagram
from minidiff.editing.views import VIEWS, View
from minidiff.files.images import save_grid

N, SHOWN, GAMMA = 50, 10, 6.0  # pictures measured, and shown
ANAGRAMS = (("6", "9", "rotate180"), ("2", "5", "hflip"), ("4", "7", "rotate180"),
            ("3", "8", "jigsaw"))
SECTION = Section(
    "1.8", "Visual anagrams",
    "One picture that is one thing seen so and another seen so: each view is asked for its own "
    "prompt, and the two answers, turned back, are averaged. What both can live with remains.",
    "ε̂ = ½ [ ε̂(x_t, t, p_1) + v⁻¹( ε̂(v(x_t), t, p_2) ) ]",
    "6 and 9 are easy; that 2 and 5 share their strokes in a mirror, or 3 and 8 as a jigsaw, is "
    "found out by the model. The last picture is the failure: a turn by 45° has to average "
    "neighbouring pixels, so the noise it sees is too faint and no longer independent, and the "
    "network, which was trained on neither, leaves a mess. DeepFloyd, which knows more than ten "
    "things, finds an old man in a campfire.",
    "make sample-anagram ARGS='--prompts 6 9 --view rotate180 --out anagram.png'",
    ("minidiff/editing.py: anagram", "minidiff/views.py: VIEWS"),
)


def seen_both_ways(studio, a, b, view, n=N):
    """Return n anagrams of the prompts a and b, (n,1,28,28)."""
    fns = [studio.eps_fn([p] * n, gamma=GAMMA) for p in (a, b)]
    return studio.draw(anagram(fns, [VIEWS["identity"], view]), n)


def by_45_degrees():
    """Return what is no view: a turn that has to interpolate, and the turn back."""
    def turned(sign):
        half = 0.5**0.5
        matrix = torch.tensor([[half, -sign * half, 0], [sign * half, half, 0]])

        def turn(x):
            grid = F.affine_grid(matrix.expand(len(x), 2, 3), x.shape, align_corners=False)
            return F.grid_sample(x, grid, align_corners=False)

        return turn

    return View(turned(1), turned(-1), turned(-1))


def draw(out, studio):
    """Draw four anagrams and the one that fails, and measure how many read right both ways."""
    views = [(a, b, name, VIEWS[name]) for a, b, name in ANAGRAMS]
    for a, b, name, view in [*views, ("6", "9", "45 degrees", by_45_degrees())]:
        x = seen_both_ways(studio, a, b, view)
        seen = view.see(x)
        first, second = studio.reads(x) == int(a), studio.reads(seen) == int(b)
        both = (first & second).float().mean()
        path = out / f"anagram-{a}-{b}-{name.replace(' ', '-')}.png"
        save_grid(path, torch.cat([x[:SHOWN], seen[:SHOWN]]), f"{a} as it is, {b} by {name}: of "
                  f"{N} the judge reads {first.float().mean():.0%} and "
                  f"{second.float().mean():.0%}, both in {both:.0%}; γ = {GAMMA:g}, 20 steps, "
                  "seed 0, none picked; "
                  f"{studio.model.summary}", SHOWN, (a, b))
        yield path
        if view in VIEWS.values():
            large = path.with_name(f"{path.stem}-upsampled.png")
            yield from studio.upsampled(large, x[:SHOWN], "the same", SHOWN, view=view,
                                        row_labels=(a, b))
