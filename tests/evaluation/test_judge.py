"""judge.py: its jitter, what it predicts, and that it can learn to read digits."""

import math

import pytest
import torch

from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.data.doodles.scenes import SUBJECTS
from minidiff.data.folder import part
from minidiff.evaluation.judge import (
    asked,
    check_data,
    classification_loss,
    find,
    jitter,
    predict,
)
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.network.classifier import Classifier
from minidiff.network.registry import rebuild
from sample.doodles import COURSE


class Constant(torch.nn.Module):
    """Predicts a 3 everywhere."""

    answers = (10,)

    def forward(self, x):
        """Return logits that favour 3."""
        return torch.eye(10)[3].expand(len(x), 10)


def test_predict_returns_the_digit_of_every_image_whatever_the_chunk(tiny):
    """Any chunk size gives the same predictions, in the set's order."""
    network = Classifier(4).eval()
    whole = network(tiny.images_at(slice(0, 130))).argmax(1, keepdim=True)
    assert torch.equal(predict(network, tiny, chunk=7), whole)
    assert (predict(Constant(), tiny) == 3).all()


def test_jitter_moves_little_and_each_image_differently(tiny):
    """Most of the ink stays where it was; two copies of one image are moved differently; the
    generator decides."""
    x = tiny.images_at(slice(0, 64))
    a, b = (jitter(x, torch.Generator().manual_seed(s)) for s in (0, 0))
    assert torch.equal(a, b)
    assert a.sum().item() == pytest.approx(x.sum().item(), rel=0.1)
    centre = lambda p: (p * torch.arange(28.0)).sum((1, 2, 3)) / p.sum((1, 2, 3))  # noqa: E731
    assert (centre(a) - centre(x)).abs().max() < 3
    copies = jitter(x[:1].expand(2, -1, -1, -1), torch.Generator().manual_seed(0))
    assert not torch.allclose(copies[0], copies[1])


def test_it_learns_to_read(tiny):
    """Its loss starts at log 10, all digits being equally likely; after 120 steps on 130 strokes
    it reads most of them."""
    torch.manual_seed(0)
    network = Classifier(8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    g = torch.Generator().manual_seed(0)
    x, labels = tiny.images_at(slice(0, 130)), tiny.labels
    first = None
    for _ in range(120):
        loss = classification_loss(network, x, labels[:, None], g)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert first == pytest.approx(math.log(10), abs=0.2)
    right = predict(network.eval(), Dataset("strokes", tiny.images, labels))[:, 0] == labels
    assert right.float().mean() > 0.8


def test_a_network_is_used_only_on_what_it_was_trained_on(capsys):
    """Equal sets pass without a word, two sets of digits with a note; others are refused."""
    for data in ("mnist", "fashion", "doodles"):
        check_data("the judge", data, data, "")
    assert capsys.readouterr().out == ""
    check_data("the upsampler", "strokes", "mnist", "")
    assert "upsampler was trained on strokes, the model on mnist" in capsys.readouterr().out
    for own, data in (("mnist", "fashion"), ("fashion", "strokes"), ("strokes", "doodles")):
        with pytest.raises(ValueError, match=f"trained on {own}, the model on {data}; do this"):
            check_data("the judge", own, data, "do this")


def test_the_shipped_judge_knows_digits(workplace):
    """It is found without a run; MNIST's and strokes' models fit it, clothes do not."""
    for data in (None, "mnist", "strokes"):
        found, description = find("", data)
        assert found["kind"] == "classifier" and "classifier-epoch-06.pt" in description
    with pytest.raises(ValueError, match='make train-classifier ARGS="--dataset fashion"'):
        find("", "fashion")


@pytest.mark.parametrize("split", ["test", "held_out"])
def test_the_shipped_judge_reads_doodles_that_it_never_saw(split):
    """Each of its answers is right in 99% of cases or more, also of combinations never shown."""
    doodles = part(catalog.load("doodles", split), torch.arange(600))
    found, _ = find("", "doodles")
    right, given = predict(rebuild(found), doodles) == doodles.answers, doodles.answers >= 0
    for k, name in enumerate(doodles.questions):
        assert right[given[:, k], k].float().mean() >= 0.99, name
    assert given[:, 0].sum() > 300


def test_the_newest_run_that_knows_the_images_is_the_judge(workplace):
    """A later run on other images is passed over; --judge is not."""
    found = zoo.load_kind("classifier", str(zoo.snapshots("classifier")[-1]))
    for number, data in (("001", "fashion"), ("002", "mnist"), ("003", "cifar10")):
        folder = workplace / "runs" / "classifier" / number
        folder.mkdir(parents=True)
        checkpoint.save(folder / "last.pt", {**found, "dataset": data})
    for data, number in (("fashion", "001"), ("strokes", "002"), ("cifar10", "003")):
        assert number in find("", data)[1]
    with pytest.raises(ValueError, match="trained on fashion, the model on mnist"):
        find("runs/classifier/001", "mnist")


@pytest.mark.parametrize("prompt, expected", [
    ("a photo of a man", ["man", "photo", None, None]),
    ("a man wearing a blue hat", ["man wearing a hat", None, "blue", None]),
    ("the amalfi cost at night", ["amalfi coast", None, None, "night"]),
    ("a red ship", ["rocket ship", None, "red", None]), ("puppy", ["dog", None, None, None]),
    ("a high quality photo", [None, "photo", None, None]), ("", [None] * 4),
])
def test_what_a_sentence_asks_for(prompt, expected):
    """The answers it names, the plainer one where several fit; nothing else."""
    questions = catalog.questions("doodles")
    found = asked(prompt, questions)
    assert [None if k < 0 else names[k]
            for k, names in zip(found, questions.values())] == expected


def test_what_a_digit_asks_for():
    """The digit itself; the null prompt asks for nothing."""
    questions = catalog.questions("mnist")
    assert [asked(prompt, questions) for prompt in ("7", "")] == [[7], [-1]]


def test_the_course_asks_for_every_subject():
    """Its fourteen prompts with a subject name the fourteen subjects."""
    questions = catalog.questions("doodles")
    assert {asked(prompt, questions)[0] for prompt in COURSE} == set(range(len(SUBJECTS)))
