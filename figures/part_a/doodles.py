"""Part A with the doodle models, in colour and from sentences: what `make figures` draws.

What they generate are drawings, since they learned from nothing else; where they fall short of
DeepFloyd, the words of the section say so.
"""

from functools import cached_property

import torch

from figures.page.measured import rates
from figures.part_a.sentences import (
    CAMPFIRE,
    COAST,
    DOG,
    MAN,
    PHOTO,
    ROCKET,
    SKULL,
    VILLAGE,
    WATERFALLS,
    SentenceStudio,
)
from minidiff.data.doodles import world
from minidiff.models import zoo
from minidiff.system import hardware

UNSEEN = 2**40  # a key far from those of the training images
WORDS = {
    "generation": (
        "The first stage decides what the image shows, in 32x32 pixels; the second adds edges and "
        "texture at 64x64, and is held to the first. More steps of the first make another image "
        "of the same sentence; one step is too few, because the prediction from pure noise "
        "divides by √ᾱ_T, nearly 0. DeepFloyd paints anything; this model draws what it was shown: "
        "fourteen subjects, three media, eight colours, and a rocket ship none too well.",
        "doodles ARGS='--prompts \"a red rocket ship at night\" --upsample'"),
    "forward": (
        "At a quarter of T both are still recognised; at three quarters hardly a shadow is left.",
        "denoise ARGS='--model doodles --image my.jpg'"),
    "blur": ("A blur that removes the noise removes the image, too.",
             "denoise ARGS='--model doodles --image my.jpg'"),
    "one_step": (
        "Good predictions at a quarter of T, even of the photo, though the model has never seen "
        "one; at three quarters a soft image of what it might have been.",
        "denoise ARGS='--model doodles --image my.jpg --prompt \"a high quality photo\"'"),
    "iterative": (
        "Many steps end in a sharp image; what the noise has hidden is invented.",
        "denoise ARGS='--model doodles --image my.jpg --prompt \"a high quality photo\"'"),
    "sampling": (
        "Subjects of the model in soft light; without guidance several are ragged or mixtures.",
        "doodles ARGS='--prompts \"a high quality photo\" --gamma 1'"),
    "guidance": (
        "Clearer shapes and stronger colours down to γ = 7, where some are glaring; at γ = 20 "
        "guidance is too strong, and the images break up. The pencil and the rocket ship are what "
        "this model draws worst.",
        "doodles ARGS='--prompts \"a photo of a dog\" \"a pencil\" --gamma 7 --upsample'"),
    "sdedit": (
        "Early starts forget the image. From 10 on the person becomes one of the model's people, "
        "in the same place and light. It knows no present and no plain sunset: they become what "
        "has their colours.",
        "sdedit ARGS='--model doodles --image my.jpg --prompt \"an oil painting of an old man\"'"),
    "drawn": (
        "A clumsy drawing becomes what it could be a drawing of, among what the model knows: the "
        "red roof becomes somebody's hat, and the fish, which it does not know, a thing of its "
        "shape and colour.",
        "sdedit ARGS='--model doodles --image drawing.png --upsample'"),
    "inpaint": (
        "Outside the hole every pixel of the first stage is the given one; inside, with a sentence "
        "and resampling, what the sentence says in the light of its surroundings. Without either, "
        "what is filled in often does not meet the border.",
        "inpaint ARGS='--model doodles --image my.jpg --mask \"rows 0:15\" "
        "--prompt \"a man wearing a red hat\"'"),
    "prompted": (
        "From left to right the sentence gives way to the image: the dog takes on the white ground "
        "and the green grass of the house. A rocket ship and a pencil, which this model draws "
        "worst, become ragged where DeepFloyd's keep the image's shape.",
        "sdedit ARGS='--model doodles --image my.jpg --prompt \"a rocket ship\"'"),
    "anagram": (
        "Turn the screen. The first pair looks best: upside down, the rocket ship is a bearded "
        "man. Elsewhere the judge, a classifier that reads the subject, is more generous than the "
        "eye: of waterfalls and skull one sees the skull, while DeepFloyd's anagrams are whole "
        "images either way up. The last figure is a failure: a rotation by 45° has to average "
        "neighbouring pixels, and the network was never trained on such noise.",
        "anagram ARGS='--model doodles --prompts \"a rocket ship\" "
        "\"an oil painting of an old man\" --view vflip --upsample'"),
    "hybrid": (
        "Step back, or squint: the rows `afar` do it for you. 32 pixels leave little room between "
        "low and high: from afar there is hardly more than the colours of a dog or a man, which "
        "the judge reads all the same, and the skull is a guess. DeepFloyd has 64.",
        "hybrid ARGS='--model doodles --low \"a lithograph of a skull\" --high \"a lithograph of "
        "waterfalls\" --upsample'"),
    "logo": (
        "From afar an eye; from near a chip, whose pins stand around the lids like lashes and "
        "whose middle is where the iris was. The judge still reads an eye from near.",
        "hybrid ARGS='--model doodles --low \"a photo of an eye\" --high \"a photo of a cpu\"'"),
}


class DoodleStudio(SentenceStudio):
    """The newest or shipped doodle models, a photo, doodles and the project's own images."""

    intro = (
        "UC Berkeley CS180's project 5, drawn by models that anyone can train on a laptop. Part A "
        "shows what they can do, in colour and from the course's sentences: a first stage of 32x32 "
        "pixels and a second of 64x64, which learned from drawings that the program makes itself. "
        "Part B trains such models step by step, on digits. Each caption says with which settings "
        "its figure was made, and each section how to make your own.")
    words = {name: {"notice": notice, "command": f"make sample-{command}"}
             for name, (notice, command) in WORDS.items()}
    tests = {"doodle": "a doodle it never saw", "photo": "a photo"}
    generated = (*SentenceStudio.cascade, DOG, SKULL, COAST)
    steps, generated_steps, gammas, strong = 20, (1, 5, 20, 100), (1, 3, 7, 20), 6.0
    guided = (DOG, "a pencil", ROCKET, SKULL, MAN)
    holes = {"photo": ("rows 0:15", "a man wearing a red hat"),
             "sunset": ("rows 14:32", "a photo of people around a campfire"),
             "house": ("rows 0:16", "a man wearing a red hat")}
    hole_side, fills, filled, tries = 32, ((PHOTO, 1), ("{}", 3)), (4, 2), (5, 5)
    film_start = 20
    anagrams = {
        "rocket-man": (ROCKET, MAN, "vflip"),  # these two look best
        "hat-village": ("a man wearing a hat", VILLAGE, "vflip"),
        "coast-man": (COAST, "a photo of a man", "vflip"),
        "man-campfire": (MAN, CAMPFIRE, "vflip"),
        "waterfalls-skull": (WATERFALLS, SKULL, "rotate90"),
        "man-campfire-45-degrees": (MAN, CAMPFIRE, "45 degrees"),  # fails: no view
    }
    hybrids = {"dog-coast": (DOG, COAST, 2.0), "man-coast": (MAN, COAST, 2.5),
               "skull-waterfalls": (SKULL, WATERFALLS, 1.5)}
    logo = ("a photo of an eye", "a photo of a cpu", 2.0)

    def __init__(self, photo="", device="cpu"):
        super().__init__(photo)
        self.device = device

    @classmethod
    def open(cls, flags):
        """Return the studio for these flags."""
        return cls(flags.photo, hardware.pick_device(flags.device))

    @cached_property
    def model(self):
        """The first stage."""
        return zoo.load_model("doodles", self.device)

    @cached_property
    def second_stage(self):
        """The second stage, None where there is none."""
        try:
            return zoo.load_model("", self.device, kinds=("doodles-upsampler",))
        except ValueError:
            return None

    @cached_property
    def rates(self):
        """The rates of illusions that were measured with this model."""
        return rates(self.model, self.strong, self.steps)

    def rate(self, illusion, *pairs):
        """Return in words how often an illusion works: it was measured before, with others."""
        if illusion not in self.rates:
            return ""
        n, *shares = self.rates[illusion]
        first, second, both = (f"{share:.0%}" for share in shares)
        return (f"of {n} others (make illusions) the judge reads the first in {first}, the second "
                f"in {second}, both in {both}; ")

    def image(self, name):
        """Return an image by its name, (1,3,32,32) in -1..1."""
        if name != "doodle":
            return super().image(name)
        dog = world.scene("dog", "photo", "brown")
        return self.model.from_unit(world.draw(dog, torch.tensor([UNSEEN]), 32))
