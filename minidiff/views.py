"""Ways to look at a picture: turned, mirrored, cut up and put together again.

A visual anagram is one picture that reads differently when looked at in another way. While it is
drawn, the network is asked about the noisy picture as it is seen in each way (editing.py). For that
the way of looking, the *view*, must keep two promises (visual anagrams, section 3):

    it is linear           so that a noisy picture, seen, is the seen picture plus seen noise
    it is orthogonal       so that standard normal noise, seen, is standard normal noise still,
                           which is all that the network was ever trained on

Moving pixels about without loss keeps both, and so does turning every sign. A turn by 45 degrees
does not: it has to average neighbours, which makes noise smoother and fainter, and the network
then takes what is left of the noise for a part of the picture.

So a view is made from a rule how to rearrange a square picture. The rule is applied once to a
picture that holds the numbers 0, 1, 2 ..., which gives the list of where each pixel comes from; the
inverse is that list, inverted: no view can be undone wrongly.

    identity rotate90 rotate180 rotate270 vflip (upside down) hflip (mirrored)
    negative      x → -x: black for white, where the data's range is symmetric about 0
    pixels        every pixel anywhere, shuffled once and for all
    patches       7 rows of 7 squares, or 8 of 8, shuffled likewise
    jigsaw        16 pieces with tabs, put together in another way

The jigsaw is cut so that a quarter turn takes it to itself. Then any piece fits where one of its
own quarter turns lies: the four corners may change places, turning as they go, and so may the four
inner pieces, and the edge pieces in two sets of four.

Sources: visual anagrams, arXiv:2311.17919.

Exercises
1. Add a view to VIEWS: the left half and the right half change places. Does it keep the promises?
   The tests take up whatever is in VIEWS.
   test_views.py: test_a_view_is_orthogonal_and_linear
2. How faint is noise that was turned by 45 degrees? What does the network make of that?
   test_views.py: test_a_turn_by_45_degrees_is_no_view
   figures/anagram.py
3. Look in two ways, one after the other. Which promises does that keep, and how do you look back?
   test_exercises.py: test_two_views_in_a_row_are_a_view
Next: editing.py
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch


class View(NamedTuple):
    """A way to look, and back: each takes and returns pictures (B,C,H,W), H = W.

    back undoes see. back_v does so for what has no sign, a learned variance's v.
    """

    see: Callable
    back: Callable
    back_v: Callable


def rearranged(rule) -> View:
    """Return the View that moves pixels as `rule` does. rule: a picture (1,1,H,H) of any numbers
    -> the same numbers, rearranged. The view raises ValueError for pictures that are not square,
    and for a rule that loses some of them."""

    @cache
    def order(side, device):
        found = rule(torch.arange(side**2, device=device).view(1, 1, side, side)).flatten()
        back = found.argsort()
        if not torch.equal(found[back], torch.arange(side**2, device=device)):
            raise ValueError("a view must move every pixel to a place of its own")
        return found, back

    def moved(way):
        def move(x):
            if x.dim() != 4 or x.shape[2] != x.shape[3]:
                raise ValueError(f"a view wants square pictures (B,C,H,H), got {tuple(x.shape)}")
            index = order(x.shape[3], x.device)[way]
            return x.flatten(2)[..., index].view(x.shape)

        return move

    return View(moved(0), moved(1), moved(1))


def _shuffle(n):
    return torch.randperm(n, generator=torch.Generator().manual_seed(180))


def _pixels(picture):
    order = _shuffle(picture.numel()).to(picture.device)
    return picture.flatten()[order].view(picture.shape)


def _patches(picture):
    side = picture.shape[3]
    n = next((n for n in (7, 8) if side % n == 0), None)  # patches in a row
    if n is None:
        raise ValueError(f"patches want a side that is a multiple of 7 or 8 pixels, got {side}")
    p = side // n
    patches = picture.view(n, p, n, p).transpose(1, 2).reshape(n * n, p, p)
    patches = patches[_shuffle(n * n).to(picture.device)]
    return patches.view(n, n, p, p).transpose(1, 2).reshape(picture.shape)


# The pieces' numbers, before the tabs. Of each kind (0-3, 4-7, 8-11, 12-15) the next is the one
# before after a quarter turn:
#
#      0  4  8  3
#      9 12 15  7
#      5 13 14 11
#      1 10  6  2
KINDS = ((0, 0), (0, 1), (0, 2), (1, 1))  # (row, column) of one of each four alike: piece 4 kind
TABS = (  # (row, column) of the middle of one tab of each four alike, and the piece it belongs to
    (0.5, 1.1, 0), (0.5, 1.9, 8), (0.5, 3.1, 8), (1.1, 1.5, 4), (0.9, 2.5, 15), (1.5, 2.1, 12),
)
TAB = 0.18  # its radius; rows, columns and this in quarters of the side
COMES_FROM = ((2, 3, 0, 1), (1, 2, 3, 0), (3, 0, 1, 2), (1, 0, 3, 2))  # of each kind: who lies at k


def pieces(side: int) -> torch.Tensor:
    """Return which piece of the jigsaw each pixel belongs to, int64 (side, side), 0..15: piece
    4 kind + k is piece 4 kind after k quarter turns. Raises ValueError for sides that are no
    multiple of 4."""
    if side % 4:
        raise ValueError(f"a jigsaw wants a side that is a multiple of 4 pixels, got {side}")
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


def _jigsaw(picture):
    piece, out = pieces(picture.shape[3]).to(picture.device), picture.clone()
    for kind, sources in enumerate(COMES_FROM):
        for k, source in enumerate(sources):
            here = piece == 4 * kind + k
            out[..., here] = picture.rot90(k - source, (2, 3))[..., here]
    return out


VIEWS = {
    "identity": rearranged(lambda picture: picture),
    "rotate90": rearranged(lambda picture: picture.rot90(1, (2, 3))),  # counter-clockwise
    "rotate180": rearranged(lambda picture: picture.rot90(2, (2, 3))),
    "rotate270": rearranged(lambda picture: picture.rot90(3, (2, 3))),
    "vflip": rearranged(lambda picture: picture.flip(2)),
    "hflip": rearranged(lambda picture: picture.flip(3)),
    "negative": View(torch.neg, torch.neg, lambda v: v),
    "pixels": rearranged(_pixels),
    "patches": rearranged(_patches),
    "jigsaw": rearranged(_jigsaw),
}
