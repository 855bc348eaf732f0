"""prompts.py: a sentence is the sum of its words."""

import pytest
import torch

from minidiff.data.prompts import (
    DIGITS,
    DOODLES,
    GROUPS,
    SYNONYMS,
    Vocabulary,
    drop_words,
    learned,
)


def columns(prompt):
    """The words whose columns are 1."""
    return {DOODLES.words[k] for k in DOODLES.embed([prompt])[0].nonzero().flatten().tolist()}


def test_a_sentence_is_the_sum_of_its_words():
    """embed is linear: sentences without a common word add up."""
    sentences = ["a photo of a dog", "red at night", "a photo of a red dog at night"]
    one, two, both = DOODLES.embed(sentences)
    assert torch.equal(one + two, both)
    words = "oil painting of an old man by day"
    single = DOODLES.embed([word for word in words.split() if word in DOODLES.words])
    assert torch.equal(single.sum(0), DOODLES.embed([words])[0])
    assert torch.equal(single.sum(1), torch.ones(len(single)))


def test_an_empty_prompt_is_the_zero_vector():
    """"" has no words; the vectors are float32 (N, words)."""
    cond = DOODLES.embed(["", "  ", "dog"])
    assert cond.shape == (3, len(DOODLES.words)) and cond.dtype == torch.float32
    assert cond[:2].sum() == 0 and cond[2].sum() == 1


def test_every_word_has_a_column_of_its_own():
    """Words are distinct, about fifty, and each is in a group."""
    words = DOODLES.words
    assert len(set(words)) == len(words) and 35 <= len(words) <= 60
    assert torch.equal(DOODLES.embed(list(words)), torch.eye(len(words)))
    assert set(words) == {word for group in GROUPS.values() for word in group}


def test_case_punctuation_repetition_and_small_words_do_not_matter():
    """Only the set of known words counts."""
    plain = DOODLES.embed(["a photo of a red dog"])
    assert torch.equal(plain, DOODLES.embed(["A PHOTO, of the red -- RED dog!"]))
    assert torch.equal(plain, DOODLES.embed(["dog red photo"]))


def test_synonyms_share_a_column():
    """cost is coast, as the course spells it; every synonym stands for a known word."""
    both = DOODLES.embed(["the amalfi cost", "the amalfi coast"])
    assert torch.equal(both[0], both[1])
    assert set(SYNONYMS.values()) <= set(DOODLES.words)
    assert columns("a puppy") == {"dog"}


def test_unknown_words_are_noted_once_and_ignored(capsys):
    """One note for all prompts of a call; it names each word once."""
    cond = DOODLES.embed(["a fluffy dog", "a fluffy skull in armour"])
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.count("fluffy") == 1 and "armour" in err
    assert torch.equal(cond, DOODLES.embed(["dog", "skull"]))


def test_a_prompt_of_unknown_words_is_an_error_that_lists_what_is_known():
    """Grouped: subjects, media, attributes."""
    for prompt in ("a fluffy cat", "the", "?!x"):
        with pytest.raises(ValueError) as error:
            DOODLES.embed(["a dog", prompt])
        message = str(error.value)
        assert repr(prompt) in message and "\n" not in message
        assert all(f"{name}: " in message for name in GROUPS)
        assert all(word in message for word in DOODLES.words)


def test_digits_are_labels():
    """One word per prompt, one-hot; anything else is an error that lists the ten and ""."""
    assert torch.equal(DIGITS.embed(list("0123456789")), torch.eye(10))
    assert DIGITS.embed([""]).sum() == 0
    for prompt in ("x", "12", "1 2", "a"):
        with pytest.raises(ValueError, match=f"unknown prompt '{prompt}'; this model knows: '' '"):
            DIGITS.embed([prompt])


def test_a_vocabulary_is_its_words():
    """It can be rebuilt from a tuple of words, and words in no group are listed too."""
    assert Vocabulary(DOODLES.words) == DOODLES and not DOODLES.labels and DIGITS.labels
    with pytest.raises(ValueError, match="subjects: dog; others: zebra"):
        Vocabulary(("dog", "zebra")).embed(["cat"])


def test_letters_are_words_even_if_they_are_small_words_elsewhere():
    """A model of letters knows "A"; for one of sentences it stays without effect."""
    letters = learned(["A", "b", "I"])
    assert letters.words == ("a", "b", "i") and not letters.labels
    assert torch.equal(letters.embed(["a", "B", "i", ""]), torch.eye(4, 3))
    assert torch.equal(DOODLES.embed(["a dog"]), DOODLES.embed(["dog"]))


def test_a_vocabulary_is_learned_from_texts():
    """The most frequent words without small ones; names of several words are their sum."""
    found = learned(["a red fire truck"] * 3 + ["a red dog", "the dog", ""], most=3)
    assert found.words == ("fire", "red", "truck")
    names = learned(["fire truck", "truck"])
    assert torch.equal(names.embed(["truck fire", "truck"]), torch.tensor([[1.0, 1], [0, 1]]))
    assert learned([]).words == learned(["", "  "]).words == ()
    assert learned(["word" * 50, "short"]).words == ("short",)


def test_texts_without_letters_are_labels():
    """They are words as they are, in the order of numbers, and are not taken apart."""
    found = learned(["10", "9", "2.5", "9"])
    assert found.labels and found.words == ("9", "10", "2.5")
    assert torch.equal(found.embed(["2.5", "10"]), torch.tensor([[0.0, 0, 1], [0, 1, 0]]))
    assert not learned(["3d", "2d"]).labels


def test_words_are_dropped_at_their_rate_by_the_generator_alone():
    """A share p of the ones becomes 0, zeros stay, and torch's global state is not touched."""
    cond = DOODLES.embed(["a photo of a red dog at night"] * 4000)
    before, state = cond.clone(), torch.get_rng_state()
    dropped = drop_words(cond, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(cond, before)
    assert abs(dropped.sum() / cond.sum() - 0.7) < 0.02
    assert (dropped <= cond).all()
    ones = dropped[:, cond[0] > 0]
    assert abs(torch.corrcoef(ones.T)[0, 1]) < 0.08            # each word independently
    assert torch.equal(dropped, drop_words(cond, 0.3, torch.Generator().manual_seed(0)))
    assert drop_words(cond, 1, torch.Generator()).sum() == 0
    assert torch.equal(drop_words(cond, 0, torch.Generator()), cond)
    with pytest.raises(ValueError, match="0..1"):
        drop_words(cond, 1.5, torch.Generator())
