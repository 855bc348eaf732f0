"""dataset.py: a set as one tensor; batches; what a judge is asked."""

from dataclasses import replace

import pytest
import torch

from minidiff.data import catalog, dataset
from minidiff.data.dataset import Dataset, batches
from minidiff.data.prompts import DOODLES


def test_an_epoch_shows_every_image_once_in_an_order_the_generator_decides(tiny):
    """Batches are slices of a permutation: 130 = 64 + 64 + 2, each image once."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    orders = []
    for seed in (0, 0, 1):
        parts = [labels for _, labels in batches(numbered, 64, torch.Generator().manual_seed(seed))]
        assert [len(p) for p in parts] == [64, 64, 2]
        orders.append(torch.cat(parts).tolist())
    assert sorted(orders[0]) == list(range(130)) != orders[0]
    assert orders[0] == orders[1] != orders[2]


def test_images_are_floats_from_0_to_1_with_their_labels(tiny):
    """uint8 / 255, and image k still belongs to label k."""
    numbered = Dataset("strokes", tiny.images, torch.arange(130))
    for x_0, index in batches(numbered, 50, torch.Generator()):
        assert x_0.dtype == torch.float32 and x_0.min() == 0 and x_0.max() == 1
        assert torch.equal((x_0 * 255).round().byte(), tiny.images[index])


def test_a_set_moves_to_a_device_whole(tiny, device):
    """Images, labels and batches are on it; their order still comes from the CPU's generator."""
    moved = tiny.to(device)
    assert len(moved) == 130 and moved.name == tiny.name
    here = list(batches(tiny, 64, torch.Generator().manual_seed(0)))
    there = list(batches(moved, 64, torch.Generator().manual_seed(0)))
    for (x, labels), (x_there, labels_there) in zip(here, there):
        assert x_there.device.type == labels_there.device.type == device.type
        assert torch.equal(x_there.cpu(), x) and torch.equal(labels_there.cpu(), labels)


def test_an_endless_set_is_renewed_every_few_epochs(tiny):
    """For RENEW epochs the same part, then the next; a set that is not endless stays itself."""
    parts = [Dataset("doodles", tiny.images, torch.full((130,), k)) for k in range(3)]
    endless = Dataset("doodles", tiny.images, tiny.labels, renewed=parts.__getitem__)
    seen = [endless.at(epoch).labels[0].item() for epoch in range(3 * dataset.RENEW)]
    assert seen == [k for k in range(3) for _ in range(dataset.RENEW)] and tiny.at(5) is tiny


def test_what_a_judge_is_asked_is_what_the_captions_say(monkeypatch):
    """Of doodles: subject, medium, colour, time, -1 where the caption names none; of digits: the
    digit. Image, caption and answers belong together."""
    found = catalog._doodles(200, "test", 8, 0).judged()
    assert torch.equal(found.labels, found.answers) and found.shape == (3, 8, 8)
    for k, prompt in enumerate(found.prompts_at(torch.arange(200))):
        said = DOODLES.embed([prompt])
        for answer, names in zip(found.labels[k].tolist(), found.questions.values()):
            named = [bool(name) and not (DOODLES.embed([name]) > said).any() for name in names]
            assert named[answer] if answer >= 0 else not any(named), prompt
    assert (found.labels[:, 1] != 0).all() and (found.labels >= 0).any(0).all()


def test_a_digit_is_one_question(tiny):
    """Its labels become a column, and its prompt is its word."""
    assert tiny.judged().labels.tolist() == [[k] for k in tiny.labels.tolist()]
    assert list(tiny.judged().questions) == ["digit"]
    assert tiny.prompts_at(torch.arange(3)) == [str(k) for k in tiny.labels[:3].tolist()]


def test_half_of_the_images_are_mirrored_by_the_generator():
    """Only where a set says so; with one seed the same ones; endless sets keep it."""
    pixels = torch.zeros(200, 1, 4, 4, dtype=torch.uint8)
    pixels[..., 0] = 255
    found = Dataset("own", pixels, torch.zeros(200).long(), flips=True)

    def mirrored(seed):
        (x, _), = batches(found, 200, torch.Generator().manual_seed(seed))
        return x[:, 0, 0, 3] == 1

    assert 0.36 < mirrored(0).float().mean() < 0.64 and torch.equal(mirrored(0), mirrored(0))
    assert not torch.equal(mirrored(0), mirrored(1))
    (x, _), = batches(replace(found, flips=False), 200, torch.Generator())
    assert (x[..., 0] == 1).all()
    assert replace(found, renewed=lambda k: replace(found, flips=False)).at(3).flips


def test_floats_are_refused_with_the_formula_that_converts_them():
    """Divided by 255 once more they would all be black."""
    with pytest.raises(ValueError, match=r"uint8.*float32; for x in \[0, 1\]: \(255"):
        Dataset("own", torch.rand(2, 1, 4, 4), torch.zeros(2).long())
