"""scenes.py: captions are true, and training shows nothing that is held out."""

import pytest
import torch

from minidiff.data.doodles.chance import keys
from minidiff.data.doodles.scenes import (
    COLOURED,
    COLOURS,
    HELD_OUT,
    MEDIA,
    SUBJECTS,
    TIMES,
    can_show,
    caption,
    describe,
    held_out,
    sample,
    scene,
)
from minidiff.data.prompts import DOODLES

COURSE = (
    "a man wearing a hat", "a rocket ship", "an oil painting of a snowy mountain village",
    "a photo of the amalfi cost", "a photo of a man", "a photo of a hipster barista",
    "a photo of a dog", "an oil painting of people around a campfire",
    "an oil painting of an old man", "a lithograph of waterfalls", "a lithograph of a skull",
    "a high quality photo", "a pencil", "a photo of an eye", "a photo of a cpu", "",
    "a photo of the amalfi coast",
)
MANY = 20_000


def names_of(row):
    """The names of indices (subject, medium, colour, time), None for -1."""
    return [None if i < 0 else table[i] for i, table in zip(row, (SUBJECTS, MEDIA, COLOURS, TIMES))]


def rows(scenes):
    """Indices as tuples."""
    return list(zip(*(index.tolist() for index in scenes)))


def test_the_sentences_of_the_course_occur():
    """Verbatim, with both spellings, cost and coast, within the first 20,000 captions."""
    key = keys(0, 0, MANY)
    captions, _ = describe(sample(key), key)
    assert set(COURSE) <= set(captions)


def test_captions_are_true():
    """Each label that a caption mentions is that of the scene."""
    key = keys(1, 0, MANY)
    scenes = sample(key)
    _, said = describe(scenes, key)
    for label, index in zip(said, scenes):
        assert torch.equal(label[label >= 0], index[label >= 0])


def test_captions_say_exactly_their_labels():
    """A caption has the words of its labels and no other word of a colour or a time."""
    key = keys(2, 0, 5000)
    captions, said = describe(sample(key), key)
    for sentence, row in zip(captions, rows(said)):
        subject, medium, colour, time = names_of(row)
        words = sentence.replace("cost", "coast").split()
        assert [w for w in words if w in COLOURS] == ([colour] if colour else [])
        assert [w for w in words if w in TIMES] == ([time] if time else [])
        assert subject is None or set(subject.split()) - {"a"} <= set(words)
        assert not medium or set(medium.split()) <= set(words)


def test_much_is_left_unsaid():
    """Between a quarter and a half of the colours and times that can be seen are left out."""
    key = keys(3, 0, MANY)
    scenes = sample(key)
    _, said = describe(scenes, key)
    for label, index in ((said.colour, scenes.colour), (said.time, scenes.time)):
        share = (label[index >= 0] < 0).float().mean().item()
        assert 0.25 < share < 0.5


def test_everything_is_said_on_request():
    """everything=True leaves out nothing that can be seen."""
    key = keys(4, 0, 2000)
    scenes = sample(key)
    captions, said = describe(scenes, key, everything=True)
    assert "" not in captions and all(torch.equal(a, b) for a, b in zip(said, scenes))


def test_held_out_combinations_never_occur_in_training():
    """Whether mentioned or not, in no scene of training or test; and at least six are held out."""
    assert len(HELD_OUT) >= 6
    for split in ("train", "test"):
        for row in rows(sample(keys(5, 0, MANY), split)):
            names = names_of(row)
            assert not any(s == names[0] and what in names[1:] for what, s in HELD_OUT)


def test_every_held_out_combination_occurs_in_its_split():
    """Each scene of "held_out" has one, which its caption mentions, and all of them occur."""
    key = keys(6, 0, 2000)
    scenes = sample(key, "held_out")
    assert held_out(scenes).all()
    captions, _ = describe(scenes, key, everything=True)
    seen = set()
    for row, sentence in zip(rows(scenes), captions):
        names = names_of(row)
        pairs = [(w, s) for w, s in HELD_OUT if s == names[0] and w in names[1:]]
        seen.update(pairs)
        assert any(all(word in sentence for word in what.split()) for what, _ in pairs)
    assert seen == set(HELD_OUT)


def test_held_out_leaves_every_name_in_training():
    """Each subject, medium, colour and time is trained, so that only the combination is new."""
    for index, names in zip(sample(keys(7, 0, MANY)), (SUBJECTS, MEDIA, COLOURS, TIMES)):
        assert set(index.tolist()) - {-1} == set(range(len(names)))


def test_no_scene_has_what_cannot_be_seen():
    """Lithographs have no colour and no time, indoor subjects no time, in any split."""
    for split in ("train", "held_out", "all"):
        scenes = sample(keys(8, 0, 5000), split)
        colour, time = can_show(scenes.subject, scenes.medium)
        assert (scenes.colour[~colour] == -1).all() and (scenes.time[~time] == -1).all()


def test_every_word_of_every_caption_is_known(capsys):
    """Each word of a caption has a column or is ignored on purpose: no note is printed."""
    key = keys(9, 0, 5000)
    captions, _ = describe(sample(key, "all"), key)
    DOODLES.embed(captions)
    assert capsys.readouterr().err == ""


def test_captions_of_names():
    """Articles and word order, by example."""
    assert caption("dog", "photo", "brown", "night") == "a photo of a brown dog at night"
    assert caption("eye", "oil painting", "orange") == "an oil painting of an orange eye"
    assert caption("amalfi coast", "", "pink", "day") == "the amalfi coast with pink houses by day"
    assert caption(None, "photo") == "a high quality photo" and caption(None) == ""


def test_articles_go_with_the_word_that_follows():
    """"an" before a vowel, "a" elsewhere, in every caption there can be."""
    for subject in SUBJECTS:
        for medium in MEDIA:
            for colour in (None, *COLOURS) if subject in COLOURED else (None,):
                words = caption(subject, medium, colour).split()
                for article, word in zip(words, words[1:]):
                    if article in ("a", "an"):
                        assert (article == "an") == (word[0] in "aeiou"), words


@pytest.mark.parametrize("names", [
    ("cat",), ("dog", "fresco"), ("dog", "", "turquoise"), ("dog", "", None, "noon"),
    ("dog", "lithograph", "red"), ("skull", "", None, "night"), ("waterfalls", "", "red"),
])
def test_impossible_scenes_are_errors(names):
    """Unknown names, and colours or times that cannot be seen."""
    with pytest.raises(ValueError):
        scene(*names)
