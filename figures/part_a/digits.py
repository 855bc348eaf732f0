"""Part A with the digit model: what its figures are drawn from, and its words.

The original page shows a photo, web images and drawings to a model that knows them all. A digit
model knows digits; so test digits replace the photo, and the other images are in inputs/.
"""

from functools import cached_property

import torch

from figures.page.studio import Studio
from minidiff.data import catalog
from minidiff.data.dataset import Dataset
from minidiff.evaluation.metrics import from_afar
from minidiff.files import photos
from minidiff.models import zoo
from minidiff.network import registry

WORDS = {
    "generation": (
        "One step gives the mean of all images of a digit, a blur: too few steps. From 5 on the "
        "digits are sharp, and between 20 and 100 there is no visible difference; the curves of "
        "B4, on the page of the default model, measure that. The second stage enlarges the result "
        "to twice the size: more steps of it change next to nothing, while more steps of the first "
        "stage make another digit. The "
        "original page prompts DeepFloyd with sentences.",
        "make sample-class ARGS='--digits 385 --steps 20 --upsample --upsample-steps 64'"),
    "forward": (
        "The noise hides fine strokes first and the rough shape last. All of part A builds on that "
        "order.",
        "make sample-denoise ARGS='--image my.png --start 10 --out back.png'"),
    "blur": (
        "Even the best width, found by looking at the answer, gives a smudge. A blur knows nothing "
        "about digits.",
        "make sample-denoise ARGS='--image my.png --start 10 --out back.png'"),
    "one_step": (
        "Much better than any blur. At three quarters of T the prediction is grey and soft: it is "
        "the mean of all digits that could be underneath, and not a digit itself.",
        "make sample-denoise ARGS='--image my.png --start 10 --out back.png'"),
    "iterative": (
        "The steps end with a clean, sharp digit, where one step leaves grey and the blur a "
        "smudge. Sharp does not mean true: what the noise has hidden is invented.",
        "make sample-denoise ARGS='--image my.png --steps 33 --start 10 --gif way.gif'"),
    "sampling": (
        "Most are digits, and some are not quite: without a prompt nothing pulls the strokes "
        "towards one digit. The next section changes that.",
        "make sample-uncond ARGS='--n 5 --out samples.png'"),
    "guidance": (
        "γ = 0 ignores the prompt, γ = 1 mostly follows it, the course's γ = 7 always does. At "
        "γ = 40 guidance is too strong: strokes swell and break up, because the direction is "
        "followed beyond everything seen in training. Some papers write w = γ − 1.",
        "make sample-class ARGS='--gamma 7 --guide-until 0 --out guided.png'"),
    "sdedit": (
        "With too early a start (up to 5) the image is forgotten: the result comes from the noise "
        "alone. With too late a start (26) it is merely cleaned. In between, at 15 and 20, the "
        "star becomes a digit with the star's bulk: this model knows nothing but digits, where "
        "DeepFloyd would find a person or a starfish. 15 and 26 are not in the course's list; 28 "
        "pixels of black and white forget sooner than 64 of colour.",
        "make sample-sdedit ARGS='--image my.png --steps 33 --start 7 --out edit.png'"),
    "drawn": (
        "Up to 10 the noise has hidden the drawings, and since it is the same noise, all three end "
        "as the same digit. From 15 on they show through: the 3 is written with a natural pen, the "
        "spiral becomes something between a digit and itself, and at 26 stays what it is. Dark ink "
        "on light is inverted first, or the model would see a white sheet.",
        "make sample-sdedit ARGS='--image figures/inputs/drawn-spiral.png --steps 33 --start 10'"),
    "inpaint": (
        "Outside the hole every pixel is exactly the given one. Without resampling (first row) the "
        "filling does not match its surroundings: strokes end at the edge or lead nowhere. With "
        "each step taken five times (second row) they meet, at five times the cost. Where half a "
        "digit could be one of several, the prompt decides (third row). The last hole is the "
        "course's, scaled to 28.",
        "make sample-inpaint "
        "ARGS='--image my.png --mask \"rows 14:28\" --prompt 3 --out filled.png'"),
    "prompted": (
        "From right to left the 7 bends into a 2, the 3 closes into an 8, the 4 into a 9, with the "
        "strokes that are there. At 26 too little noise is left to change much, whatever the "
        "prompt; up to 10 the prompt alone decides.",
        "make sample-sdedit ARGS='--image my.png --prompt 8 --steps 33 --start 7 --gamma 6'"),
    "anagram": (
        "6 and 9 are easy; that 2 and 5 share their strokes in a mirror, or 3 and 8 as a jigsaw, "
        "the model finds out. The last figure is the failure: a rotation by 45° has to average "
        "neighbouring pixels, so the noise it sees is too faint and no longer independent, and the "
        "network, trained on neither, leaves a mess. DeepFloyd, which knows more than ten things, "
        "finds an old man in a campfire.",
        "make sample-anagram ARGS='--prompts 6 9 --view rotate180 --out anagram.png'"),
    "hybrid": (
        "Squint, or look at the rows `afar`: blurred, then with the contrast restored, as the eye "
        "does. Digits are hard: in 28 pixels there is little room between low and high, and black "
        "ground shows every ghost. The course splits 64 pixels at σ = 2; here σ = 1.4 is read "
        "correctly most often.",
        "make sample-hybrid ARGS='--low 1 --high 4 --out hybrid.png'"),
    "logo": (
        "Above 180; below the same image rotated, 081. Of eight tries for each digit, the first "
        "that the judge reads both ways is taken; this is the only figure of the page that is "
        "picked.",
        "make sample-anagram ARGS='--prompts 8 8 --view rotate180'"),
}
DIGITS = tuple("0123456789")


class DigitStudio(Studio):
    """The newest or shipped digit models, test digits, and the project's own images."""

    intro = (
        "Part A of UC Berkeley CS180's project 5 with digits, made by models that were trained on "
        "two laptop cores: what a classifier of digits can measure, such as how often an anagram "
        "works, is in the captions. Each says with which settings its figure was made, and each "
        "section how to make your own.")
    words = {name: {"notice": notice, "command": command}
             for name, (notice, command) in WORDS.items()}
    words["logo"] |= {
        "idea": "The course's number, 180, made so that a shirt printed with it can be worn upside "
                "down: each digit is an anagram with itself. The original page shows a hybrid of "
                "an eye and a chip, which takes a model that understands sentences.",
        "formula": "as in 1.8, with p_1 = p_2 and a half turn",
        "code": ("minidiff/editing/illusions.py: anagram",)}
    sentences, prompt = False, ""
    tests = {name: f"test digit {name}" for name in "725"}
    starts = (1, 3, 5, 7, 10, 15, 20, 26)  # the course's, of 33 steps, and 15 and 26
    steps, more_steps, film_start = 20, 33, 15
    generated, generated_steps, cascade = DIGITS, (1, 2, 5, 20, 100), tuple("385")
    guided, gammas, strong = DIGITS, (0, 1, 7, 40), 6.0
    edited = {"7": "test digit", "web-5": "typeset", "web-star": "star"}
    drawn = {"web-5": "typeset", "drawn-3": "drawn by hand", "drawn-spiral": "drawn by hand"}
    holes = {"7": ("rows 14:28", "7"), "0": ("columns 14:28", "0"), "4": ("columns 0:14", "4"),
             "3": ("rows 1:9 columns 10:18", "3")}  # the last is the course's, scaled
    hole_side, fills, filled = 28, (("", 1), ("", 5), ("{}", 5)), (25, 3)
    prompted = (("7", "2"), ("3", "8"), ("4", "9"))
    anagrams = {
        "6-9-rotate180": ("6", "9", "rotate180"), "2-5-hflip": ("2", "5", "hflip"),
        "4-7-rotate180": ("4", "7", "rotate180"), "3-8-jigsaw": ("3", "8", "jigsaw"),
        "6-9-45-degrees": ("6", "9", "45 degrees"),  # fails: no view
    }
    hybrids = {"1-4": ("1", "4", 1.4), "9-3": ("9", "3", 1.4), "3-5": ("3", "5", 1.4)}
    logo, tries = "180", (50, 8)

    def __init__(self, data_dir=""):
        self.data_dir = data_dir

    @classmethod
    def open(cls, flags):
        """Return the studio for these flags. Raises ValueError for a photo."""
        if flags.photo:
            raise ValueError("--photo has no effect with --model class, which knows digits only; "
                             "drop one of them")
        return cls(flags.data_dir)

    @cached_property
    def test(self) -> Dataset:
        """MNIST's test digits or, where there is no MNIST, strokes."""
        return catalog.load("auto", "test", self.data_dir)

    @cached_property
    def model(self):
        """The class-conditioned model."""
        return zoo.load_model("class")

    @property
    def schedule_name(self):
        """The name of the model's schedule."""
        return self.model.schedule_name

    @cached_property
    def second_stage(self):
        """The upsampler, None where there is none."""
        try:
            return zoo.load_model("", kinds=("upsampler",))
        except ValueError:
            return None

    @cached_property
    def judge(self):
        """The classifier."""
        return registry.rebuild(zoo.load_kind("classifier"))

    def image(self, name):
        """Return the first test digit of a class, or one of the project's own images, light on
        dark: (1,1,28,28)."""
        if name in DIGITS:
            first = (self.test.labels == int(name)).nonzero().flatten()[:1]
            return self.test.images_at(first)
        x = super().image(name)
        return 1 - x if photos.dark_on_light(x) else x

    @torch.no_grad()
    def matches(self, x, prompt):
        """Return in which images the judge reads the digit, bool (N,)."""
        return self.judge(x.clamp(0, 1)).argmax(1) == int(prompt)

    def rate(self, illusion, *pairs):
        """Return in words in how many images the judge reads the digits."""
        a, b = (self.matches(x, prompt) for x, prompt in pairs)
        shares = [f"{hits.float().mean():.0%}" for hits in (a, b, a & b)]
        return (f"of {len(a)} the judge reads {pairs[0][1]} in {shares[0]}, {pairs[1][1]} in "
                f"{shares[1]}, both in {shares[2]}; ")

    def share(self, x, prompt):
        """Return in words in how many images the judge reads the digit."""
        return f"{self.matches(x, prompt).float().mean():.0%}"

    def far(self, sigma):
        """Return the sigma of the blur that shows a hybrid as seen from afar."""
        return 2.0

    def afar(self, x, sigma):
        """Return digits as seen from afar, the contrast restored."""
        return from_afar(x, sigma * x.shape[3] / 28)
