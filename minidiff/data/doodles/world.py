"""The world: an endless set of drawn images with true captions.

A scene is sampled (scenes.py), drawn in flat colours (people, things, places, outdoors), rendered
in its medium (media.py) and described. All of this depends on the key of the image, and not on its
size or on the other images of a batch:

    key k = hash(seed, split, k)    scene = sample(key)    image = render(draw(scene, key, size))

so image k of a seed is the same for every count, and the same doodle at every size. Images of one
subject are drawn together, by operations on whole batches, which is fast.

    images, captions, labels = dataset(60_000, seed=0)
    images = draw(scene("dog", "photo", "brown", "night", count=8), seed=1, size=64)

Exercises
1. Add a subject: a function, a line in PAINTERS, its phrase in scenes.py, its nouns in prompts.py.
   test_doodles_world.py: test_every_subject_is_drawn
2. Draw a batch at 32 and at 64 pixels, and pool the latter. What differs?
   test_doodles_world.py: test_size_changes_only_the_detail
"""

import torch
from tqdm import tqdm

from minidiff.data.doodles import media, outdoors, people, places, things
from minidiff.data.doodles.chance import Chance, keys, mix
from minidiff.data.doodles.kit import Canvas, rgb
from minidiff.data.doodles.scenes import (
    COLOURS,
    HELD_OUT,
    INDOORS,
    MEDIA,
    OUTDOORS,
    SUBJECTS,
    TIMES,
    Scene,
    caption,
    describe,
    held_out,
    sample,
    scene,
)

__all__ = [
    "COLOURS", "HELD_OUT", "MEDIA", "QUESTIONS", "SUBJECTS", "TIMES", "Scene", "caption", "dataset",
    "draw", "held_out", "scene",
]

RGB = torch.tensor([
    (206, 38, 40), (244, 124, 28), (250, 206, 46), (52, 148, 72),
    (44, 98, 200), (122, 62, 164), (246, 140, 178), (120, 74, 44),
]) / 255                                                      # in the order of COLOURS
PAINTERS = (
    people.man, people.man_with_hat, people.barista, people.old_man, things.dog, things.skull,
    things.eye, things.cpu, things.pencil, things.rocket, places.village, places.coast,
    outdoors.waterfalls, outdoors.campfire,
)                                                             # in the order of SUBJECTS
QUESTIONS = {"subject": SUBJECTS, "medium": MEDIA, "colour": COLOURS, "time": TIMES}
SPLITS = ("train", "test", "held_out", "all")
BATCH = 500              # scenes sampled at once
BLOCK = 100_000          # pixels of one subject drawn at once: small enough for a processor's cache


def _render(subject, scenes: Scene, key, size):
    """Draw scenes of one subject, float (n, 3, size, size)."""
    colour = torch.where(scenes.colour[:, None] >= 0, RGB[scenes.colour], float("nan"))
    time, name = scenes.time, SUBJECTS[subject]
    ink = scenes.medium == MEDIA.index("lithograph")          # hatching needs a light sky
    time = torch.where(ink & (name in OUTDOORS), TIMES.index("day"), time)
    if name in OUTDOORS:
        time = torch.where(time < 0, Chance(key, 12).integer(len(TIMES)), time)
    if name in INDOORS:
        time = torch.full_like(time, -1)
    canvas = Canvas(key, size, colour[:, :, None, None], time)
    PAINTERS[subject](canvas)
    image = canvas.image.clamp(0, 1)
    if name not in OUTDOORS[1:]:                              # light the foreground, too
        white = rgb(255, 255, 255)
        light = canvas.by_time(white, white, rgb(255, 240, 226), rgb(220, 226, 250))
        image = image * (1 + canvas.front[:, None] * (light - 1))
    layers = media.Layers(image, canvas.back.clamp(0, 1), canvas.front, key)
    out = torch.empty_like(image)
    for medium, render in enumerate(media.RENDER):
        chosen = (scenes.medium.clamp(min=0) == medium).nonzero().flatten()
        if len(chosen):
            out[chosen] = render(media.Layers(*(layer[chosen] for layer in layers)))
    return out


def draw(scenes: Scene, seed: int | torch.Tensor, size: int = 32) -> torch.Tensor:
    """Draw one doodle for each scene.

    scenes: indices (n,), see scene(); a colour or a time of -1 may vary. seed: an int, or the key
    of each image, int64 (n,). size: side in pixels, 8 or more.
    Returns float (n, 3, size, size) in [0, 1]. Raises ValueError for a size below 8.
    """
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, got {size}")
    count = len(scenes.subject)
    key = keys(seed, 0, count) if isinstance(seed, int) else seed
    images = torch.empty(count, 3, size, size)
    block = max(1, BLOCK // size**2)
    for subject in range(len(SUBJECTS)):
        for some in (scenes.subject == subject).nonzero().flatten().split(block):
            if len(some):
                part = Scene(*(index[some] for index in scenes))
                images[some] = _render(subject, part, key[some], size)
    return images


def dataset(count: int, seed: int, size: int = 32, split: str = "train"):
    """Draw `count` images with captions; image k depends on seed, split and k alone.

    split: "train" and "test" never show a combination of HELD_OUT; "held_out" always shows one, and
    its captions leave nothing out; "all" excludes nothing, to train a judge of any doodle.
    Returns images, uint8 (count, 3, size, size); captions, a list of str; labels, a Scene of int64
    (count,): what the caption mentions, -1 for what it does not (ignore_index=-1 in a loss).
    Raises ValueError for a split not named here or a size below 8.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from: {', '.join(SPLITS)}")
    own = int(mix(torch.tensor(seed) * len(SPLITS) + SPLITS.index(split)))
    images, captions, labels = torch.empty(count, 3, size, size, dtype=torch.uint8), [], []
    batches = tqdm(range(0, count, BATCH), "doodles", leave=False, disable=count < 20 * BATCH)
    for first in batches:
        key = keys(own, first, min(BATCH, count - first))
        scenes = sample(key, split)
        images[first : first + BATCH] = (255 * draw(scenes, key, size)).round().byte()
        sentences, said = describe(scenes, key, everything=split == "held_out")
        captions += sentences
        labels.append(said)
    empty = [Scene(*[torch.empty(0, dtype=torch.int64)] * 4)]
    return images, captions, Scene(*(torch.cat(parts) for parts in zip(*(labels or empty))))
