"""1.9: hybrid images."""

from functools import partial

from figures.page.studio import Section, unchanged
from minidiff.editing.illusions import blur, hybrid, split

SECTION = Section(
    "1.9", "Hybrid images",
    "From afar one sees low frequencies only, from near the high ones as well. Let one prompt "
    "predict the low frequencies of the noise and another the high.",
    "ε̂ = low(ε̂(x_t, t, p_1)) + high(ε̂(x_t, t, p_2)),   low + high = identity",
    ("minidiff/editing/illusions.py: hybrid", "minidiff/editing/illusions.py: split",
     "minidiff/evaluation/metrics.py: from_afar"),
)


def draw(out, studio):
    """Draw the studio's hybrids, from near and from afar, with the rate at which they work, and the
    first as a film."""
    for k, (ending, pair) in enumerate(studio.hybrids.items()):
        yield from draw_one(out / f"hybrid-{ending}.png", studio, pair,
                            film=out / "hybrid-film.png" if k == 0 else None)


def draw_one(path, studio, pair, film=None):
    """Draw hybrids of a pair: (prompt from afar, prompt from near, sigma of the split). film: its
    path. Yields each path."""
    (low, high, sigma), (measured, shown) = pair, studio.tries
    fns = [studio.eps_fn([p] * measured, gamma=studio.strong) for p in (low, high)]
    eps_fn = studio.model.combine(hybrid, fns, split(blur(sigma)))
    states, far = studio.states(eps_fn, measured, studio.steps), studio.far(sigma)
    x, afar = states[-1].x_t, partial(studio.afar, sigma=far)
    rate = studio.rate(("hybrid", *pair), (afar(x), low), (x, high))
    what = f"{low} from afar, {high} from near"
    how = (f"split at σ = {sigma:g} pixels, seen from afar at σ = {far:g}; γ = {studio.strong:g}, "
           f"{studio.describe_steps(studio.steps)}, none picked")
    views = (f"near: {high}", unchanged), (f"afar: {low}", afar)
    rows = [(label, see(x[:shown])) for label, see in views] + studio.upsampled(
        x[:shown], [high] * shown, [("near: upsampled", unchanged), ("afar: upsampled", afar)])
    yield studio.save(path, rows, f"{what}: {rate}{how}")
    if film:
        yield studio.film(film, states, f"{what}: {how}", views=views)
