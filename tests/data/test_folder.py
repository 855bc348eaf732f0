"""folder.py: a folder of one's own images becomes a data set; what can be wrong with one."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.data import folder
from minidiff.data.catalog import load, named
from minidiff.data.dataset import Dataset, batches


def write(path, colour=None, size=(40, 30), mode="RGB"):
    """Write an image of one colour, by default one that depends on its name; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = colour or tuple(np.random.default_rng(len(path.stem)).integers(256, size=3).tolist())
    deep = mode == "I;16"
    (Image.new(mode, size, 4095) if deep else Image.new("RGB", size, colour).convert(mode)).save(
        path)
    return path


def classes(place, names=("cat", "dog"), each=30):
    """Write a folder with a few images in each class."""
    for k, name in enumerate(names):
        for i in range(each):
            write(place / name / f"{i}.png", (20 * k + 20, i, 200))
    return f"folder:{place}"


def test_each_folder_inside_is_a_class(workplace):
    """Its name is the prompt; images are uint8 and labels belong to them; 5% are the test set."""
    name = classes(workplace / "pets")
    train, test = load(name), load(name, "test")
    assert train.words == ("cat", "dog") and train.shape == (3, 32, 32)
    assert len(train) + len(test) == 60 and 1 <= len(test) <= 9
    for found in (train, test):
        assert found.images.dtype == torch.uint8 and found.labels.dtype == torch.int64
        assert torch.equal(found.images[:, 0, 0, 0], (20 * found.labels + 20).byte())
        assert found.prompts_at(torch.arange(1)) == [found.words[found.labels[0]]]
        assert found.judged().labels.tolist() == found.labels[:, None].tolist()
    both = torch.cat([train.images, test.images]).flatten(1)
    assert len(both.unique(dim=0)) == 60
    assert train.name == test.name == f"{name}:32:colour"


def test_captions_are_text_files_beside_the_images(workplace, capsys):
    """Of the same name; one that is missing is "", and is counted."""
    for k, text in enumerate(["A red ball.", "a blue ball\non grass", "the red hat"]):
        write(workplace / "own" / f"{k}.png")
        (workplace / "own" / f"{k}.txt").write_text(text)
    write(workplace / "own" / "3.png")
    name = "folder:own"
    sets = [load(name, split) for split in ("train", "test")]
    texts = sorted(caption for found in sets for caption in found.captions)
    assert texts == ["", "A red ball.", "a blue ball on grass", "the red hat"]
    assert sets[0].words == ("ball", "blue", "grass", "hat", "red")
    for found in sets:
        for text, label in zip(found.captions, found.labels):
            assert {found.words[k] for k in label.nonzero().flatten().tolist()} <= {
                *text.lower().replace(".", "").split()}
    assert "note: 1 of 4 images have no caption" in capsys.readouterr().err


def test_images_alone_have_no_conditions(workplace):
    """No words, no labels: for a model without prompts."""
    for k in range(4):
        write(workplace / "own" / f"{k}.jpg")
    found = load("folder:own")
    assert found.words == () and found.labels.shape == (3, 0)
    (_, labels), = batches(found, 8, torch.Generator())
    assert labels.shape == (3, 0)


def test_names_of_several_words_are_sums(workplace):
    """ "fire truck" and "truck" share a column; the judge still tells the classes apart."""
    found = load(classes(workplace / "own", ("fire_truck", "Truck"), 10))
    assert found.words == ("fire", "truck") and {*found.captions} == {"fire truck", "truck"}
    assert found.questions == {"class": ("fire truck", "truck")}
    for caption, label, answer in zip(found.captions, found.labels, found.answers):
        assert label.tolist() == [caption == "fire truck", True]
        assert answer.item() == (caption == "truck")


def test_names_that_are_numbers_are_labels(workplace):
    """In their order as numbers."""
    found = load(classes(workplace / "own", ("10", "9", "0"), 8))
    assert found.words == ("0", "9", "10") and found.labels.dtype == torch.int64
    assert all(found.images[k, 0, 0, 0] == {"10": 20, "9": 40, "0": 60}[found.words[label]]
               for k, label in enumerate(found.labels))


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "CMYK", "I;16", "LA"])
def test_any_mode_and_size_is_read(workplace, mode):
    """The middle square, at the size asked for."""
    for k, size in enumerate([(40, 30), (7, 300), (1, 1), (64, 64)]):
        file = f"{k}.{'jpg' if mode == 'CMYK' else 'png'}"
        write(workplace / "own" / file, (255, 255, 255), size, mode)
    found = load(named("folder:own", size=16))
    assert found.shape == (1, 16, 16) and found.name == "folder:own:16:grey"


def test_colour_is_found_and_can_be_forced(workplace):
    """Grey images stay grey in three channels; the name says which."""
    write(workplace / "grey" / "1.png", (9, 9, 9))
    write(workplace / "grey" / "2.png", (200, 200, 205))
    write(workplace / "hue" / "1.png", (255, 0, 0))
    write(workplace / "hue" / "2.png", (0, 255, 0))
    assert load("folder:grey").shape[0] == 1 and load("folder:hue").shape[0] == 3
    forced = load(named("folder:grey", colour="colour"))
    assert forced.shape[0] == 3 and forced.name == "folder:grey:32:colour"
    parts = [load(named("folder:hue", colour="grey"), split) for split in ("train", "test")]
    values = sorted(part.images[0, 0, 0, 0].item() for part in parts)
    assert values == [76, 150] and parts[0].shape == (1, 32, 32)  # of Rec. 601


def test_it_is_read_once_until_something_changes(workplace, monkeypatch):
    """One file keeps the images; a new, a changed and a deleted image make it again, and nothing
    else does; a damaged one is made again."""
    name, read = classes(workplace / "own", each=4), []
    real = folder._read
    monkeypatch.setattr(folder, "_read", lambda *args: read.append(1) or real(*args))
    first = load(name)
    kept, = (workplace / "data" / "folders").iterdir()
    assert torch.equal(load(name).images, first.images) and len(read) == 1
    write(workplace / "own" / "cat" / "new.png")
    assert len(load(name)) + len(load(name, "test")) == 9 and len(read) == 2
    os.utime(write(workplace / "own" / "cat" / "new.png", (1, 2, 3)), (1, 1))
    load(name)
    (workplace / "own" / "dog" / "1.png").unlink()
    load(name)
    assert len(read) == 4
    kept.write_bytes(kept.read_bytes()[:-100])
    load(name)
    load(named(name, size=8))
    assert len(read) == 6


def test_an_image_stays_in_its_split_when_others_are_added(workplace):
    """A model is never tested on what it was trained on before."""
    name = classes(workplace / "own", each=40)
    before = {image.sum().item() for image in load(name, "test").images.int()}
    for k in range(40, 60):
        write(workplace / "own" / "cat" / f"{k}.png", (20, k, 200))
    after = {image.sum().item() for image in load(name, "test").images.int()}
    assert before <= after


def test_broken_files_are_named_and_counted(workplace, capsys):
    """Text, a cut image, a link that leads nowhere; the rest is used, image and text together."""
    name = classes(workplace / "own", each=5)
    cat = workplace / "own" / "cat"
    (cat / "text.png").write_text("no image")
    (cat / "cut.png").write_bytes((cat / "1.png").read_bytes()[:40])
    (cat / "2.png").unlink()
    (cat / "2.png").symlink_to("nowhere")
    sets = [load(name, split) for split in ("train", "test")]
    err = capsys.readouterr().err
    assert sum(map(len, sets)) == 9 and "note: 3 of 12 files cannot be read" in err
    assert all(broken in err for broken in ("text.png", "cut.png", "2.png"))
    for found in sets:
        assert torch.equal(found.images[:, 0, 0, 0], (20 * found.labels + 20).byte())


def test_what_is_left_out_is_said(workplace, capsys):
    """An empty class, a link back to the folder, an image outside of the classes."""
    name = classes(workplace / "own", each=3)
    (workplace / "own" / "cow").mkdir()
    (workplace / "own" / "cat" / "loop").symlink_to(workplace / "own")
    write(workplace / "own" / "cover.png")
    assert load(name).words == ("cat", "dog")
    err = capsys.readouterr().err
    for said in ("the folder 'cow' has no images, so it is no class",
                 "leads to a folder that is read already",
                 "'cover.png' is in no class's folder"):
        assert said in err


@pytest.mark.parametrize(("names", "message"), [
    (("Cat", "cat"), "'Cat' and 'cat' in .* are two spellings of one class; rename one"),
    (("a cat", "cat"), "names that differ in a word, but there is 'a cat' and 'cat'"),
    (("dog", "?!"), "differ in a word, but there is '[?]!'"),
    (("dog", b"\xff"), "is no text in UTF-8; rename it"),
])
def test_names_that_are_no_prompts_are_refused(workplace, names, message):
    """In one sentence, which says what to do."""
    for name in names:
        name = os.fsdecode(name)
        write(workplace / "own" / name / "1.png")
    with pytest.raises(ValueError, match=message):
        load("folder:own")


def test_a_folder_without_enough_images_is_refused(workplace):
    """None, one, only broken ones, no folder at all; a name that cannot be stored; wrong sizes."""
    (workplace / "own").mkdir()
    (workplace / "own" / "a.txt").write_text("alone")
    for count in (0, 1):
        with pytest.raises(ValueError, match=f"holds {['no', 'one'][count]} readable image "):
            load("folder:own")
        write(workplace / "own" / "1.png")
    (workplace / "own" / "1.png").write_text("broken")
    with pytest.raises(ValueError, match="holds no readable image"):
        load("folder:own")
    with pytest.raises(ValueError, match="there is no folder away"):
        load("folder:away")
    for bad in ("folder:", "folder:" + "x" * 200, "folder:a\nb", "folder:\udcff"):
        with pytest.raises(ValueError, match="cannot be a data set's name"):
            named(bad)
    for size in (2, 30, 2000):
        with pytest.raises(ValueError, match="multiple of 4 in 4..1024"):
            named("folder:own", size)
    with pytest.raises(ValueError, match="--size and --colour are of use with"):
        named("mnist", 32)


def test_a_name_says_path_size_and_colour():
    """It can be read again, also where the path has colons."""
    for path in ("a", "a/b c", "C:\\own", "a:b", "~/x"):
        for size, colour in ((28, "grey"), (64, "colour")):
            found = folder.place(named(f"folder:{path}", size, colour))
            assert found == (path, size, colour) == folder.place(found.name)
    assert folder.place("folder:own:28") == ("own", 28, "auto")


def test_a_file_name_may_be_any_bytes(workplace):
    """Only a class's name has to be text."""
    for k in range(3):
        os.rename(write(workplace / "own" / f"{k}.png"),
                  os.fsencode(workplace / "own") + b"/\xff%d.png" % k)
    assert len(load("folder:own")) == 2 == len(load("folder:own"))


def test_a_part_keeps_images_labels_answers_and_captions_together():
    """Those of the same index."""
    k = torch.arange(5)
    pixels = k.byte().view(5, 1, 1, 1).expand(5, 1, 4, 4)
    whole = Dataset("own", pixels, k, ("a",), list("abcde"), {"class": ("a",)}, k[:, None])
    found = folder.part(whole, torch.tensor([3, 1]))
    assert found.labels.tolist() == [3, 1] and found.captions == ["d", "b"]
    assert found.images[:, 0, 0, 0].tolist() == [3, 1] == found.answers[:, 0].tolist()
