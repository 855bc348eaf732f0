"""Scenes: what a doodle must show, and a caption that is true of it.

A scene is a subject, a medium, a colour of the main thing and a time of day. A caption never
mentions what is not drawn, but often leaves out something that is: the caption of a brown dog at
night may be "a dog". So a model learns that whatever a prompt leaves out may vary.

The main thing, whose colour a caption may mention, is the hat of the man wearing one, the barista's
apron, the other men's shirts, the houses of village and coast, the iris of the eye, and the dog,
skull, cpu, pencil or rocket ship itself. Waterfalls and campfires always have the colours of water
and fire. A lithograph has neither colour nor time, and a subject without a sky has no time.

Some combinations, HELD_OUT, never occur in training, whether mentioned or not: they measure whether
a model can combine what it learned.

Exercises
1. Hold out another combination. What else must change?
   test_doodles_scenes.py: test_held_out_combinations_never_occur_in_training
2. Let every caption mention all that it can (SAID = 1). What would a model not learn?
   test_doodles_scenes.py: test_much_is_left_unsaid
"""

from typing import NamedTuple

import torch

from minidiff.data.doodles.chance import Chance

MEDIA = ("", "photo", "oil painting", "lithograph")
TIMES = ("day", "sunset", "night")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")

# subject: its phrase with a colour, or None if no caption mentions one
PHRASES = {
    "man": "a man in {a colour} shirt",
    "man wearing a hat": "a man wearing {a colour} hat",
    "hipster barista": "a hipster barista in {a colour} apron",
    "old man": "an old man in {a colour} shirt",
    "dog": "{a colour} dog",
    "skull": "{a colour} skull",
    "eye": "{a colour} eye",
    "cpu": "{a colour} cpu",
    "pencil": "{a colour} pencil",
    "rocket ship": "{a colour} rocket ship",
    "snowy mountain village": "a snowy mountain village with {colour} houses",
    "amalfi coast": "the amalfi coast with {colour} houses",
    "waterfalls": None,
    "people around a campfire": None,
}
SUBJECTS = tuple(PHRASES)
OUTDOORS = SUBJECTS[9:]                         # always under a sky
INDOORS = ("skull", "eye", "cpu", "pencil")     # never under one
COLOURED = SUBJECTS[:12]
PLAIN = {"amalfi coast": "the amalfi coast", "waterfalls": "waterfalls",
         "people around a campfire": "people around a campfire"}
WHEN = {"day": " by day", "sunset": " at sunset", "night": " at night"}

HELD_OUT = (
    ("green", "dog"), ("purple", "pencil"), ("blue", "man wearing a hat"), ("pink", "rocket ship"),
    ("lithograph", "rocket ship"), ("oil painting", "cpu"), ("night", "amalfi coast"),
    ("sunset", "waterfalls"),
)
SAID = 0.65              # share of captions that mention a colour that is seen; likewise a time
TRIES = 6                # more scenes sampled for a training image while they are held out


class Scene(NamedTuple):
    """Indices into SUBJECTS, MEDIA, COLOURS and TIMES, each int64 (n,); -1 where none is given."""

    subject: torch.Tensor
    medium: torch.Tensor
    colour: torch.Tensor
    time: torch.Tensor

    def where(self, keep: torch.Tensor, other: "Scene") -> "Scene":
        """Return this scene where keep (n,) is true and the other elsewhere."""
        return Scene(*(torch.where(keep, a, b) for a, b in zip(self, other)))


def _among(index, names, chosen):
    """Return bool (n,): names[index] is one of the chosen."""
    return torch.tensor([name in chosen for name in names])[index]


def can_show(subject, medium):
    """Return whether a colour and whether a time of day can be seen: two bool (n,)."""
    ink = medium == MEDIA.index("lithograph")
    colour = _among(subject, SUBJECTS, COLOURED) & ~ink
    return colour, ~_among(subject, SUBJECTS, INDOORS) & ~ink


def scene(subject, medium="", colour=None, time=None, count=1) -> Scene:
    """Return `count` copies of the scene with these names; a colour or time of None may vary.

    Raises ValueError for an unknown name, or for a colour or a time that cannot be seen.
    """
    for name, names in ((subject, SUBJECTS), (medium, MEDIA), (colour, (None, *COLOURS)),
                        (time, (None, *TIMES))):
        if name not in names:
            raise ValueError(f"unknown {name!r}; choose from: {', '.join(map(str, names))}")
    one = Scene(*(torch.tensor([-1 if name is None else names.index(name)]) for name, names in (
        (subject, SUBJECTS), (medium, MEDIA), (colour, COLOURS), (time, TIMES))))
    shows_colour, shows_time = can_show(one.subject, one.medium)
    if (colour and not shows_colour) or (time and not shows_time):
        what = medium if medium == "lithograph" else subject
        raise ValueError(f"{what!r} does not show that colour or time; leave it out")
    return Scene(*(index.expand(count).clone() for index in one))


def caption(subject, medium="", colour=None, time=None) -> str:
    """Return the caption for these names: "a photo of a brown dog at night".

    A subject of None means any: "a high quality photo", or "" where no medium is given either.
    """
    if subject is None:
        return f"a high quality {medium}" if medium else ""
    if colour is None:
        article = "an" if subject[0] in "aeiou" else "a"
        phrase = PLAIN.get(subject, f"{article} {subject}")
    else:
        article = "an" if colour[0] in "aeiou" else "a"
        phrase = PHRASES[subject].replace("{a colour}", f"{article} {colour}")
        phrase = phrase.replace("{colour}", colour)
    phrase += WHEN.get(time, "")
    return phrase if not medium else f"{'an' if medium[0] == 'o' else 'a'} {medium} of {phrase}"


def _candidate(chance: Chance) -> Scene:
    """Sample scenes, including held-out ones."""
    subject = chance.integer(len(SUBJECTS))
    medium = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3])[chance.integer(11)]
    colour, time = chance.integer(len(COLOURS)), chance.integer(len(TIMES))
    shows_colour, shows_time = can_show(subject, medium)
    colour = torch.where(shows_colour & (chance.uniform(shape=()) < 0.7), colour, -1)
    under_sky = _among(subject, SUBJECTS, OUTDOORS) | (chance.uniform(shape=()) < 0.55)
    return Scene(subject, medium, colour, torch.where(under_sky & shows_time, time, -1))


def held_out(scenes: Scene) -> torch.Tensor:
    """Return bool (n,): the scene has a combination that never occurs in training."""
    found = torch.zeros_like(scenes.subject, dtype=torch.bool)
    for what, subject in HELD_OUT:
        same = scenes.subject == SUBJECTS.index(subject)
        for index, names in ((scenes.medium, MEDIA), (scenes.colour, COLOURS),
                             (scenes.time, TIMES)):
            if what in names:
                found |= same & (index == names.index(what))
    return found


def _force(scenes: Scene, chance: Chance) -> Scene:
    """Put a held-out combination into each scene."""
    which = chance.integer(len(HELD_OUT))
    subject = torch.tensor([SUBJECTS.index(s) for _, s in HELD_OUT])[which]

    def attribute(names, value):
        """Return the held-out attribute where it is one of `names`, else `value`; and where."""
        forced = torch.tensor([names.index(w) if w in names else -1 for w, _ in HELD_OUT])[which]
        return torch.where(forced >= 0, forced, value), forced >= 0

    medium, inked = attribute(MEDIA, scenes.medium)
    ink = (medium == MEDIA.index("lithograph")) & ~inked
    medium = torch.where(ink, chance.integer(3), medium)
    under_sky = _among(subject, SUBJECTS, OUTDOORS)
    time = torch.where(under_sky & (scenes.time < 0), chance.integer(3), scenes.time)
    shows_colour, shows_time = can_show(subject, medium)
    time = torch.where(shows_time, time, -1)
    colour = torch.where(shows_colour, scenes.colour, -1)
    return Scene(subject, medium, attribute(COLOURS, colour)[0], attribute(TIMES, time)[0])


def sample(key: torch.Tensor, split: str = "train") -> Scene:
    """Sample a scene for each key, int64 (n,); see world.dataset for the splits."""
    chance = Chance(key, 10)
    scenes = _candidate(chance)
    if split == "held_out":
        return _force(scenes, chance)
    if split == "all":
        return scenes
    for _ in range(TRIES):
        scenes = scenes.where(~held_out(scenes), _candidate(chance))
    safe = Scene(*(torch.full_like(index, value) for index, value in zip(scenes, (0, 0, -1, -1))))
    return scenes.where(~held_out(scenes), safe)


def describe(scenes: Scene, key: torch.Tensor, everything: bool = False):
    """Write a caption for each scene, leaving out some of what can be seen at random.

    key: int64 (n,). everything: leave nothing out.
    Returns the captions, a list of n, and what they mention, a Scene with -1 for what they do not.
    """
    chance = Chance(key, 11)
    shows_colour, shows_time = can_show(scenes.subject, scenes.medium)
    says = [chance.uniform(shape=()) < SAID for _ in range(2)]
    any_, vague, cost = (chance.uniform(shape=()) for _ in range(3))
    nothing = any_ < 0.01
    any_photo = (vague < 0.05) & (scenes.medium == MEDIA.index("photo"))
    if everything:
        says = [torch.ones_like(said) for said in says]
        nothing, any_photo = torch.zeros_like(nothing), torch.zeros_like(any_photo)
    hidden = nothing | any_photo
    said = Scene(
        torch.where(hidden, -1, scenes.subject), torch.where(nothing, -1, scenes.medium),
        torch.where(shows_colour & says[0] & ~hidden, scenes.colour, -1),
        torch.where(shows_time & says[1] & ~hidden, scenes.time, -1),
    )
    captions = []
    for k, row in enumerate(zip(*(index.tolist() for index in said))):
        names = [None if i < 0 else table[i]
                 for i, table in zip(row, (SUBJECTS, MEDIA, COLOURS, TIMES))]
        sentence = caption(*names)
        captions.append(sentence.replace("coast", "cost") if cost[k] < 0.5 else sentence)
    return captions, said
