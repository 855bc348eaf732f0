"""Part A in colour and from sentences, with the doodle models: the course's prompts, both stages.

    make figures MODEL=doodles

The prompts are the course's, letter by letter. The pictures are drawings, since the model learned
from nothing else; where it falls short of DeepFloyd, the words of the section say so.
"""

import torch

from figures.part_a.deepfloyd import PHOTO, DeepFloydStudio
from minidiff.data.doodles import world
from minidiff.evaluation import judge as judging
from minidiff.files import photos
from minidiff.models import zoo
from minidiff.system import hardware

UNSEEN = 2**40  # a key far from those of the training images
WORDS = {
    "generation": (
        "The first stage decides what the image shows, in 32x32 pixels; the second adds edges and "
        "texture at 64x64, and is held to the first. More steps of the first make another image "
        "of the same sentence. DeepFloyd paints; this model draws what it was shown: fourteen "
        "subjects, three media, eight colours.",
        "doodles ARGS='--prompts \"a red rocket ship at night\" --upsample'"),
    "forward": (
        "At a quarter of T both are still recognised; at three quarters hardly a shadow is left.",
        "denoise ARGS='--model doodles --image my.jpg'"),
    "blur": ("The noise goes, and so does the image.",
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
        "Clearer shapes and stronger colours, down to γ = 7, where some are glaring. The pencil "
        "and the rocket ship are what this model draws worst.",
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
        "Outside the hole every pixel is the given one; inside, what the sentence says, or "
        "something that fits.",
        "inpaint ARGS='--model doodles --image my.jpg --mask \"rows 0:12\" "
        "--prompt \"a man wearing a red hat\"'"),
    "prompted": (
        "From left to right the sentence gives way to the image; in between is an object with the "
        "image's shape and colours.",
        "sdedit ARGS='--model doodles --image my.jpg --prompt \"a rocket ship\"'"),
    "anagram": (
        "Turn the screen. Two sentences in one medium go together best, because they need the "
        "same texture. The rates are those of the judge, a classifier that reads the subject.",
        "anagram ARGS='--model doodles --prompts \"a lithograph of waterfalls\" "
        "\"a lithograph of a skull\" --view rotate90 --upsample'"),
    "hybrid": (
        "Step back, or squint: the lower row does it for you. 32 pixels leave little room between "
        "low and high, so many of these fail; DeepFloyd has 64.",
        "hybrid ARGS='--model doodles --low \"a lithograph of a skull\" --high \"a lithograph of "
        "waterfalls\" --upsample'"),
    "logo": (
        "It should be an eye from afar and a chip from near. This model does not manage it: pins "
        "lie on the lid like lashes, and up close it is still an eye.",
        "hybrid ARGS='--model doodles --low \"a photo of an eye\" --high \"a photo of a cpu\"'"),
}


class DoodleStudio(DeepFloydStudio):
    """The newest or shipped doodle models, a photo, doodles and the project's own images."""

    intro = (
        "Part A of UC Berkeley CS180's project 5 in colour and from sentences, by models that "
        "anyone can train on a laptop: a first stage of 32x32 pixels and a second of 64x64. They "
        "learned from drawings that the program makes itself; the prompts are the course's.")
    words = {name: {"notice": notice, "command": f"make sample-{command}"}
             for name, (notice, command) in WORDS.items()}
    subject, tests = "a doodle the model never saw, and a photo", ("doodle", "photo")
    steps, generated_steps, gammas, strong = 20, (5, 20, 100), (1, 3, 7), 6.0
    guided = ("a photo of a dog", "a pencil", "a rocket ship", "a lithograph of a skull",
              "an oil painting of an old man")
    edited = {"photo": "photo", "web": "web", "sunset": "sunset"}
    holes = {"photo": "rows 0:12", "doodle": "rows 10:24 columns 8:24", "house": "columns 16:32"}
    hole_side, fills, filled = 32, ((PHOTO, 1), ("a man wearing a red hat", 5)), (6, 6)
    anagrams = {
        "1": ("a photo of the amalfi cost", "a photo of a man", "vflip"),
        "2": ("an oil painting of an old man", "an oil painting of people around a campfire",
              "vflip"),
        "3": ("a lithograph of waterfalls", "a lithograph of a skull", "rotate90"),
    }
    hybrids = {
        "1": ("a photo of a dog", "a photo of the amalfi cost"),
        "2": ("an oil painting of an old man", "a photo of the amalfi cost"),
        "3": ("a lithograph of a skull", "a lithograph of waterfalls"),
    }
    sigma, far, tries, scales = 2.0, 2 / 32, (50, 8), (4, 2)

    @classmethod
    def open(cls, flags):
        """Return the studio for these flags. Raises ValueError for whatever is missing."""
        if any(flags.large.values()):
            raise ValueError("--model-dir, --embeddings, --offload and --download go with --model "
                             "deepfloyd; drop them")
        if flags.photo:
            photos.size_of(flags.photo)  # refused now rather than later
        device = hardware.pick_device(flags.device)
        first = zoo.load_model("doodles", device)
        try:
            second = zoo.load_model("doodles-upsampler", device, kinds=("doodles-upsampler",))
        except ValueError:
            second = None
        return cls(first, second, flags.photo)

    def image(self, name):
        """Return an image by its name, (1,3,32,32) in -1..1."""
        if name != "doodle":
            return super().image(name)
        dog = world.scene("dog", "photo", "brown")
        return self.model.from_unit(world.draw(dog, torch.tensor([UNSEEN]), 32))

    def matches(self, x, prompt):
        """Return in which images the judge reads the prompt's subject, bool (N,), or None."""
        return judging.reads(self.model, x, prompt)
