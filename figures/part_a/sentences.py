"""Part A as the course has it, for a model of sentences: its prompts, a photo, drawings.

The prompts are the course's, letter by letter ("cost" included), so that its file of precomputed
embeddings can be used with DeepFloyd.
"""

from figures.page.studio import Studio
from minidiff.files import photos

PHOTO = "a high quality photo"
MAN, SKULL = "an oil painting of an old man", "a lithograph of a skull"
CAMPFIRE, WATERFALLS = "an oil painting of people around a campfire", "a lithograph of waterfalls"
VILLAGE, COAST = "an oil painting of a snowy mountain village", "a photo of the amalfi cost"
DOG, ROCKET = "a photo of a dog", "a rocket ship"


class SentenceStudio(Studio):
    """A model of sentences, and images in colour. photo: the user's own file, if it is not ""."""

    prompt, tests = PHOTO, {"photo": "photo"}
    generated = cascade = ("a man wearing a hat", ROCKET, VILLAGE)
    edited = {"photo": "photo", "web": "present", "sunset": "sunset"}
    drawn = {"sunset": "from the web", "house": "drawn by hand", "fish": "drawn by hand"}
    prompted = (("photo", ROCKET), ("web", "a pencil"), ("house", DOG))

    def __init__(self, photo=""):
        self.files = {"photo": photo or photos.sample_photo(),
                      "web": photos.sample_photo("Minduka_Present_Blue_Pack.png")}

    @classmethod
    def prompts(cls):
        """Return every prompt of the page, and the null prompt."""
        pairs = (*cls.anagrams.values(), *cls.hybrids.values(), cls.logo)
        edits = [prompt for _, prompt in (*cls.prompted, *cls.holes.values())]
        both = [prompt for pair in pairs for prompt in pair[:2]]
        return [*dict.fromkeys(["", PHOTO, *cls.generated, *cls.guided, *edits, *both])]

    def image(self, name):
        """Return an image by its name, (1,3,H,W) in the data range."""
        if name not in self.files:
            return super().image(name)
        return photos.load_image(self.files[name], self.model.image_shape, self.model.data_range)
