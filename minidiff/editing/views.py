"""Views of an image: rotated, mirrored, cut into pieces and rearranged.

A visual anagram is one image that reads differently when it is transformed. While it is sampled,
the network predicts the noise in each *view* of the image (illusions.py). For that a view must be
linear and orthogonal (visual anagrams, section 3; the derivation is at `View`).

Moving pixels without losing any has both properties, and so has flipping every sign. A rotation by
45 degrees is linear, but not orthogonal: it averages neighbours, which makes noise smoother and
fainter, and the network then mistakes some of the noise for a part of the image.

So a view is made from a rule that rearranges a square image. The rule is applied once to an image
that holds the numbers 0, 1, 2 ..., which yields a permutation, the list of where each pixel comes
from; the inverse view is the inverse permutation.

    identity rotate90 rotate180 rotate270 vflip (upside down) hflip (mirrored)
    negative      x → -x: black for white, where the data range is symmetric about 0
    pixels        every pixel anywhere, in a fixed random order
    patches       7 rows of 7 squares, or 8 of 8, likewise
    jigsaw        16 pieces with tabs, rearranged

The jigsaw is cut so that a quarter turn maps it to itself. A piece then fits wherever quarter turns
take it: the four corners may change places, rotating as they go, and so may the four inner pieces,
and the edge pieces in two sets of four.

Remember: a view must turn standard noise into standard noise, so it must be orthogonal. Moving
pixels without losing any is.

Sources: visual anagrams, arXiv:2311.17919.

Exercises
1. Add a view to VIEWS: the left half and the right half change places. Does it have both
   properties? The tests use whatever is in VIEWS.
   test_views.py: test_a_view_is_orthogonal_and_linear
2. How faint is noise that was rotated by 45 degrees? What does the network make of it?
   test_views.py: test_a_rotation_by_45_degrees_is_no_view
   figures/part_a/anagram.py
3. Apply two views, one after the other. Which properties does that have, and what is its inverse?
   test_exercises.py: test_two_views_in_a_row_are_a_view
Next: editing/image_to_image.py
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch


class View(NamedTuple):
    """A view and its inverse: each takes and returns images (B,C,H,W), H = W.

    Derivation: a view must be orthogonal. The network knows sqrt(ab_t) of an image plus noise
    N(0, I), and must see that in the view, too. A linear view A sees each part on its own, and the
    covariance of A eps, where E[eps epsᵀ] = I, must again be I:

        A x_t = sqrt(ab_t) A x_0 + sqrt(1 - ab_t) A eps
        E[A eps (A eps)ᵀ] = A E[eps epsᵀ] Aᵀ = A Aᵀ = I

    A Aᵀ = I is what orthogonal means, so the inverse of A is Aᵀ. This is exact, and no other linear
    view will do.

       test_views.py: test_a_view_is_orthogonal_and_linear
       test_derivations_editing.py: test_noise_stays_white_in_a_view_and_only_if_it_is_orthogonal
    """

    see: Callable
    back: Callable


def rearranged(rule) -> View:
    """Return the View that moves pixels as `rule` does. rule: an image (1,1,H,H) of any numbers
    -> the same numbers, rearranged. The view raises ValueError for images that are not square,
    and for a rule that loses some of the pixels."""

    @cache
    def order(side, device):
        found = rule(torch.arange(side**2, device=device).view(1, 1, side, side)).flatten()
        back = found.argsort()
        if not torch.equal(found[back], torch.arange(side**2, device=device)):
            raise ValueError("a view must move every pixel to a place of its own")
        return found, back

    def moved(direction):
        def move(x):
            if x.dim() != 4 or x.shape[2] != x.shape[3]:
                raise ValueError(f"a view needs square images (B,C,H,H), got {tuple(x.shape)}")
            index = order(x.shape[3], x.device)[direction]
            return x.flatten(2)[..., index].view(x.shape)

        return move

    return View(moved(0), moved(1))


def _shuffle(n):
    return torch.randperm(n, generator=torch.Generator().manual_seed(180))


def _pixels(image):
    order = _shuffle(image.numel()).to(image.device)
    return image.flatten()[order].view(image.shape)


def _patches(image):
    side = image.shape[3]
    n = next((n for n in (7, 8) if side % n == 0), None)  # patches in a row
    if n is None:
        raise ValueError(f"patches need a side that is a multiple of 7 or 8 pixels, got {side}")
    p = side // n
    patches = image.view(n, p, n, p).transpose(1, 2).reshape(n * n, p, p)
    patches = patches[_shuffle(n * n).to(image.device)]
    return patches.view(n, n, p, p).transpose(1, 2).reshape(image.shape)


# The pieces' numbers, before the tabs are cut. Within each kind (0-3, 4-7, 8-11, 12-15) a quarter
# turn takes each piece to the place of the next:
#
#      0  4  8  3
#      9 12 15  7
#      5 13 14 11
#      1 10  6  2
KINDS = ((0, 0), (0, 1), (0, 2), (1, 1))  # (row, column) of the first piece of each kind, 4 · kind
TABS = (  # (row, column) of the centre of one tab in each set of four, and its piece
    (0.5, 1.1, 0), (0.5, 1.9, 8), (0.5, 3.1, 8), (1.1, 1.5, 4), (0.9, 2.5, 15), (1.5, 2.1, 12),
)
TAB = 0.18  # radius of a tab; like rows and columns, in quarters of the side
COMES_FROM = ((2, 3, 0, 1), (1, 2, 3, 0), (3, 0, 1, 2), (1, 0, 3, 2))  # what moves to k


def pieces(side: int) -> torch.Tensor:
    """Return which piece of the jigsaw each pixel belongs to, int64 (side, side), 0..15: piece
    4 · kind + k is piece 4 · kind after k quarter turns. Raises ValueError if side is not a
    multiple of 4."""
    if side % 4:
        raise ValueError(f"a jigsaw needs a side that is a multiple of 4 pixels, got {side}")
    middle = (torch.arange(side) + 0.5) * 4 / side
    row, column = middle[:, None], middle[None]
    found = torch.empty(side, side, dtype=torch.int64)

    def mark(where, piece):
        for k in range(4):
            found[where.rot90(k)] = piece // 4 * 4 + (piece + k) % 4

    for kind, (r, c) in enumerate(KINDS):
        mark((row.long() == r) & (column.long() == c), 4 * kind)
    for r, c, owner in TABS:
        mark((row - r) ** 2 + (column - c) ** 2 <= TAB**2, owner)
    return found


def _jigsaw(image):
    piece, out = pieces(image.shape[3]).to(image.device), image.clone()
    for kind, sources in enumerate(COMES_FROM):
        for k, source in enumerate(sources):
            here = piece == 4 * kind + k
            out[..., here] = image.rot90(k - source, (2, 3))[..., here]
    return out


VIEWS = {
    "identity": rearranged(lambda image: image),
    "rotate90": rearranged(lambda image: image.rot90(1, (2, 3))),  # counter-clockwise
    "rotate180": rearranged(lambda image: image.rot90(2, (2, 3))),
    "rotate270": rearranged(lambda image: image.rot90(3, (2, 3))),
    "vflip": rearranged(lambda image: image.flip(2)),
    "hflip": rearranged(lambda image: image.flip(3)),
    "negative": View(torch.neg, torch.neg),
    "pixels": rearranged(_pixels),
    "patches": rearranged(_patches),
    "jigsaw": rearranged(_jigsaw),
}
