"""world.py and media.py: one seed gives one doodle, at any size and in any batch."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from minidiff.data.doodles import media, world
from minidiff.data.doodles.world import (
    COLOURS,
    MEDIA,
    SUBJECTS,
    TIMES,
    Scene,
    dataset,
    draw,
    scene,
)


def scenes(medium="", n=2):
    """n scenes of each subject in a medium."""
    parts = [scene(subject, medium, count=n) for subject in SUBJECTS]
    return Scene(*(torch.cat(part) for part in zip(*parts)))


def test_dataset_has_the_promised_form():
    """uint8 images with a caption each, int64 labels in range."""
    images, captions, labels = dataset(40, 0)
    assert images.shape == (40, 3, 32, 32) and images.dtype == torch.uint8
    assert len(captions) == 40
    for label, names in zip(labels, (SUBJECTS, MEDIA, COLOURS, TIMES)):
        assert label.shape == (40,) and label.dtype == torch.int64
        assert label.min() >= -1 and label.max() < len(names)
    assert len(dataset(0, 0)[0]) == 0


def test_the_seed_decides_images_captions_and_labels():
    """The same seed gives the same images, captions and labels; another seed or split, others."""
    images, captions, labels = dataset(30, 1)
    again = dataset(30, 1)
    assert torch.equal(images, again[0]) and captions == again[1]
    assert all(torch.equal(a, b) for a, b in zip(labels, again[2]))
    for other in (dataset(30, 2), dataset(30, 1, split="test")):
        assert not torch.equal(images, other[0]) and captions != other[1]


def test_the_count_changes_no_image():
    """Image k is the same whether 20 or 620 are drawn, also across the boundary of a batch."""
    many, few = dataset(620, 3), dataset(20, 3)
    assert many[1][:20] == few[1]
    difference = (many[0][:20].int() - few[0].int()).abs()
    assert difference.max() <= 1            # sums in another batch may round differently
    longer = dataset(510, 3)
    assert longer[1] == many[1][:510]
    assert (longer[0][500:].int() - many[0][500:510].int()).abs().max() <= 1


def test_batches_change_no_image(monkeypatch):
    """Drawn four at a time, ten images with their captions are the same as drawn at once, and no
    two are alike."""
    whole = dataset(10, 5, 16)
    monkeypatch.setattr(world, "BATCH", 4)
    parts = dataset(10, 5, 16)
    assert torch.equal(whole[0], parts[0]) and whole[1] == parts[1]
    assert len(whole[0].flatten(1).unique(dim=0)) == 10


def test_captions_belong_to_their_images():
    """The subject is in the sentence; an image resembles the small one with its own index."""
    images, captions, labels = dataset(60, 4, split="held_out")
    for sentence, index in zip(captions, labels.subject):
        words = sentence.replace("cost", "coast").split()
        assert set(SUBJECTS[index].split()) - {"a"} <= set(words)
    small, _, said = dataset(60, 4, size=16, split="held_out")
    assert all(torch.equal(a, b) for a, b in zip(labels, said))
    pooled = avg_pool2d(images.float(), 2)
    own = (pooled - small.float()).abs().mean((1, 2, 3))
    other = (pooled - small.roll(1, 0).float()).abs().mean((1, 2, 3))
    assert (own < other).all()


@pytest.mark.parametrize("medium", MEDIA)
def test_size_changes_only_the_detail(medium):
    """64x64 pooled to 32x32 is close to 32x32: a few percent apart, other doodles far more."""
    some = scenes(medium)
    small, large = draw(some, 5, 32), avg_pool2d(draw(some, 5, 64), 2)
    error = (small - large).square().mean((1, 2, 3)).sqrt()
    other = (small - draw(some, 6, 32)).square().mean((1, 2, 3)).sqrt()
    assert error.mean() < (0.085 if medium == "lithograph" else 0.05)    # more contours at 64
    assert error.mean() < 0.35 * other.mean()


def test_every_subject_is_drawn():
    """Each is in 0..1, has contrast, varies from image to image and differs from the others."""
    images = draw(scenes(n=4), 0)
    assert images.min() >= 0 and images.max() <= 1 and not images.isnan().any()
    groups = images.view(len(SUBJECTS), 4, -1)
    assert (groups.std(-1) > 0.08).all() and (groups.std(1).mean(-1) > 0.03).all()


def test_the_medium_changes_the_look_and_not_the_doodle():
    """With one seed, a rendered doodle is closest to the flat one of its own scene."""
    flat = avg_pool2d(draw(scenes(), 7), 4)
    for medium in MEDIA[1:3]:
        other = avg_pool2d(draw(scenes(medium), 7), 4)
        distance = (flat[:, None] - other[None]).square().mean((2, 3, 4))
        assert (distance.argmin(1) == torch.arange(len(flat))).float().mean() > 0.85


def test_a_lithograph_has_one_ink():
    """All its colours lie on a line from paper to ink: one singular value dominates."""
    for image in draw(scenes("lithograph"), 8):
        colours = image.flatten(1).T
        singular = torch.linalg.svdvals(colours - colours.mean(0))
        assert singular[0] > 12 * singular[1]


def test_a_photo_has_a_blurred_background():
    """Its corners have less detail than those of the flat doodle."""
    def detail(images):
        corner = images[:, :, :8, :8]
        return (corner[..., 1:] - corner[..., :-1]).abs().mean((1, 2, 3)).median()

    some = {m: scene("man", m, None, "night", count=40) for m in ("", "photo")}
    assert detail(draw(some["photo"], 9)) < 0.75 * detail(draw(some[""], 9))


@pytest.mark.parametrize("subject", ["dog", "pencil", "rocket ship", "cpu", "skull"])
def test_the_colour_of_a_scene_is_drawn(subject):
    """With one seed, only the colour differs: the mean of the pixels that differ has its hue."""
    red, blue = (draw(scene(subject, "", colour, count=6), 10) for colour in ("red", "blue"))
    changed = (red - blue).abs().sum(1) > 0.4
    assert (changed.float().mean((1, 2)) > 0.04).all()
    for image, channel in ((red, 0), (blue, 2)):
        mean = torch.stack([image[:, k][changed].mean() for k in range(3)])
        assert mean.argmax() == channel


def test_a_night_is_dark():
    """With one seed, the sky is darkest at night, and reddest at sunset."""
    day, sunset, night = (draw(scene("waterfalls", "", None, t, count=8), 11)[:, :, :6]
                          for t in TIMES)
    assert night.mean() < 0.6 * day.mean()
    assert (sunset[:, 0] - sunset[:, 2]).mean() > 0.1 > (day[:, 0] - day[:, 2]).mean()


def test_the_foreground_has_the_light_of_its_time(monkeypatch):
    """With one seed: what stands in front is as it is by day, warmer at sunset (less blue), and
    darker and bluer at night (less red)."""
    def front(layers):
        return layers.image * (layers.front[:, None] > 0.99)

    monkeypatch.setattr(media, "RENDER", [front] * len(media.RENDER))
    none, day, sunset, night = (
        draw(scene("man", "", None, t, count=4), 11).sum((0, 2, 3)) for t in (None, *TIMES))
    assert torch.allclose(day, none)
    for light, factors in ((sunset, (255, 240, 226)), (night, (220, 226, 250))):
        assert torch.allclose(light / day, torch.tensor(factors) / 255, atol=0.01)


def test_errors():
    """A size below 8 and an unknown split are rejected by name."""
    with pytest.raises(ValueError, match="8 pixels"):
        draw(scene("dog"), 0, 4)
    with pytest.raises(ValueError, match="held_out"):
        dataset(1, 0, split="valid")
