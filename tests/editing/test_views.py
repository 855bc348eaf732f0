"""views.py: a view and its inverse; noise stays noise."""

import pytest
import torch
import torch.nn.functional as F

from minidiff.editing.views import COMES_FROM, VIEWS, pieces, rearranged

NAMES = sorted(VIEWS)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("side", [28, 56, 64, 256])
@pytest.mark.parametrize("name", NAMES)
def test_the_inverse_undoes_the_view_exactly(name, side):
    """view⁻¹(view(x)) = x and view(view⁻¹(x)) = x, bit for bit, in grey and colour."""
    for x in (noise(2, 1, side, side), noise(2, 3, side, side)):
        assert torch.equal(VIEWS[name].back(VIEWS[name].see(x)), x)
        assert torch.equal(VIEWS[name].see(VIEWS[name].back(x)), x)


@pytest.mark.parametrize("name", NAMES)
def test_a_view_is_orthogonal_and_linear(name):
    """As a matrix, view view^T is the identity: norms are preserved and white noise stays white."""
    see = VIEWS[name].see
    matrix = see(torch.eye(64).view(64, 1, 8, 8)).view(64, 64)
    assert torch.equal(matrix @ matrix.T, torch.eye(64))
    x, y = noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1)
    assert torch.allclose(see(2 * x + y), 2 * see(x) + see(y), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_seen_noise_is_standard_normal(name):
    """Mean 0, deviation 1, uncorrelated neighbours."""
    x = VIEWS[name].see(noise(200, 1, 28, 28))
    assert abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01
    assert abs((x[..., 1:] * x[..., :-1]).mean()) < 0.01


def test_a_rotation_by_45_degrees_is_no_view():
    """It averages neighbours, so noise becomes fainter. A pixel between four others at (u, v) keeps
    (u² + (1-u)²) (v² + (1-v)²) of the variance, on average over u and v 4/9: a deviation of 2/3."""
    half = 0.5**0.5
    rotation = torch.tensor([[half, -half, 0], [half, half, 0]]).expand(200, 2, 3)
    x = noise(200, 1, 28, 28)
    grid = F.affine_grid(rotation, x.shape, align_corners=False)
    middle = F.grid_sample(x, grid, align_corners=False)[..., 8:20, 8:20]
    assert middle.std().item() == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_views_are_the_same(name):
    """None is another one under a different name; only the identity leaves the image as it is."""
    x = noise(1, 1, 28, 28)
    seen = [VIEWS[other].see(x) for other in NAMES if other != name]
    assert not any(torch.equal(VIEWS[name].see(x), other) for other in seen)
    assert torch.equal(VIEWS[name].see(x), x) == (name == "identity")


def test_rotations_and_flips_are_what_they_are_called():
    """rotate90 is torch's, counter-clockwise; vflip turns upside down, hflip mirrors."""
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert VIEWS["vflip"].see(x)[0, 0, 0].tolist() == [6, 7, 8]
    assert VIEWS["hflip"].see(x)[0, 0, 0].tolist() == [2, 1, 0]
    assert VIEWS["rotate90"].see(x)[0, 0, 0].tolist() == [2, 5, 8]
    assert torch.equal(VIEWS["rotate180"].see(x), x.flip(2, 3))
    assert torch.equal(VIEWS["rotate270"].see(x), VIEWS["rotate90"].back(x))
    assert torch.equal(VIEWS["negative"].see(x), -x)


@pytest.mark.parametrize("side", [28, 64])
def test_the_jigsaw_moves_whole_pieces_that_fit(side):
    """Sixteen pieces with tabs. The view moves each one whole to the place of another of its four
    quarter turns, the one that COMES_FROM names; none stays in place."""
    label = pieces(side)
    assert label.unique().tolist() == list(range(16))
    assert not torch.equal(label, pieces(4).repeat_interleave(side // 4, 0)
                           .repeat_interleave(side // 4, 1))  # tabs, not squares
    moved = VIEWS["jigsaw"].see(label.view(1, 1, side, side).float()).long().view(side, side)
    for piece in range(16):
        here = label[moved == piece].unique()
        assert len(here) == 1 and here.item() // 4 == piece // 4 and here.item() != piece
        assert COMES_FROM[piece // 4][here.item() % 4] == piece % 4


def test_patches_stay_whole():
    """The view of patches moves 7 x 7 squares of 4 x 4 pixels."""
    tile = torch.arange(49).view(7, 7).repeat_interleave(4, 0).repeat_interleave(4, 1)
    seen = VIEWS["patches"].see(tile.view(1, 1, 28, 28).float())
    for patch in seen.unfold(2, 4, 4).unfold(3, 4, 4).reshape(49, 16):
        assert patch.unique().numel() == 1


def test_a_view_works_on_every_device(device):
    """The same result as on the CPU."""
    x = noise(2, 3, 28, 28)
    for view in VIEWS.values():
        assert torch.equal(view.see(x.to(device)).cpu(), view.see(x))


def test_a_rule_that_loses_pixels_is_no_view():
    """It could not be undone."""
    with pytest.raises(ValueError, match="every pixel"):
        rearranged(lambda image: image.clamp(max=5)).see(torch.zeros(1, 1, 4, 4))


def test_images_of_the_wrong_shape_are_rejected():
    """A quarter turn would change the shape of an image that is not square; jigsaw and patches
    need a side that can be cut into their pieces."""
    with pytest.raises(ValueError, match="multiple of 4"):
        VIEWS["jigsaw"].see(torch.zeros(1, 1, 30, 30))
    with pytest.raises(ValueError, match="7 or 8"):
        VIEWS["patches"].see(torch.zeros(1, 1, 12, 12))
    with pytest.raises(ValueError, match="square"):
        VIEWS["rotate90"].see(torch.zeros(1, 1, 4, 6))
