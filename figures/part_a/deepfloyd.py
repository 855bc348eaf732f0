"""Part A with DeepFloyd, both stages.

    make figures MODEL=deepfloyd                       with the real weights, on a GPU
    make figures MODEL=deepfloyd MODEL_DIR=folder      with those in a folder
"""

from figures.part_a.sentences import (
    CAMPFIRE,
    DOG,
    MAN,
    PHOTO,
    SKULL,
    VILLAGE,
    WATERFALLS,
    SentenceStudio,
)
from minidiff.models.deepfloyd import stages
from minidiff.system import hardware

HOLE = "rows 2:20 columns 24:42"  # of 64 pixels
WORDS = {  # what to notice; arguments of make sample-..., "" for a figure of the page alone
    "generation": (
        "Stage I decides what the image shows, at 64 pixels; stage II, at 256, adds edges and "
        "texture. More steps of stage I make another image of the same prompt, with fewer broken "
        "parts; more steps of stage II change the texture only.",
        "class ARGS='--model deepfloyd --prompts \"a rocket ship\" --upsample'"),
    "forward": (
        "At t = 750 of 1000 hardly the outline is left. In colour and at 64 pixels an image "
        "survives more noise than a digit does: more of its pixels carry the same information.",
        "denoise ARGS='--model deepfloyd --image my.jpg'"),
    "blur": (
        "The noise goes, and so does the photo.",
        "denoise ARGS='--model deepfloyd --image my.jpg'"),
    "one_step": (
        "A good prediction at t = 250; at t = 750 a soft image of what it might have been.",
        "denoise ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'"),
    "iterative": (
        "Many steps end in a sharp image; what the noise has hidden is invented.",
        "denoise ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'"),
    "sampling": (
        "Without guidance, few of them show anything in particular: see the next section.",
        "class ARGS='--model deepfloyd --prompts \"a high quality photo\" --gamma 1'"),
    "guidance": (
        "Clearer subjects, stronger colours, less variety than in 1.5.",
        "class ARGS='--model deepfloyd --prompts \"a high quality photo\" --gamma 7 --upsample'"),
    "sdedit": (
        "i_start = 1 forgets the image; by 20 only details are new.",
        "sdedit ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'"),
    "drawn": (
        "A clumsy drawing becomes the photo it could be a drawing of: the shapes stay, texture, "
        "light and shadow come from the model. Early starts forget the drawing.",
        "sdedit ARGS='--model deepfloyd --image drawing.png --upsample'"),
    "inpaint": (
        "Outside the hole every pixel is the given one; inside, something that fits.",
        "inpaint ARGS='--model deepfloyd --image my.jpg --mask \"rows 2:20 columns 24:42\"'"),
    "prompted": (
        "From left to right the prompt gives way to the image; in between is an object with the "
        "image's shape and colours.",
        "sdedit ARGS='--model deepfloyd --image my.jpg --prompt \"a rocket ship\"'"),
    "anagram": (
        "Turn the screen upside down. Two prompts in the same medium, such as two oil paintings, "
        "go together best, because they need the same texture.",
        "anagram ARGS='--model deepfloyd --prompts \"an oil painting of people around a campfire\" "
        "\"an oil painting of an old man\" --view vflip --upsample'"),
    "hybrid": (
        "Step back, or squint. The low band needs a subject of few large shapes, a face or a "
        "skull; the high band one of many small ones.",
        "hybrid ARGS='--model deepfloyd --low \"a lithograph of a skull\" --high \"a lithograph of "
        "waterfalls\" --upsample'"),
    "logo": (
        "An eye from afar, a chip from near: for a course on computational photography.",
        "hybrid ARGS='--model deepfloyd --low \"a photo of an eye\" --high \"a photo of a cpu\"'"),
}


class DeepFloydStudio(SentenceStudio):
    """DeepFloyd's two stages, photos and the project's own images."""

    intro = (
        "Part A of UC Berkeley CS180's project 5 as the course has it, with DeepFloyd IF: from "
        "sentences, and with results enlarged by the second stage. What to notice is what these "
        "algorithms are known to do with the real weights; where the captions name another model, "
        "such as tiny random weights, the figures show that the code runs, and nothing else.")
    words = {name: {"notice": notice, "command": f"make sample-{command}"}
             for name, (notice, command) in WORDS.items()}
    generated_steps, guided, gammas, strong = (20, 64), (PHOTO,) * 5, (7,), 7.0
    holes = dict.fromkeys(("photo", "web", "house"), (HOLE, PHOTO))
    hole_side, fills = 64, (("{}", 1),)
    anagrams = {
        "campfire-man": (CAMPFIRE, MAN, "vflip"),
        "village-dog": (VILLAGE, DOG, "vflip"),
        "coast-barista": ("a photo of the amalfi cost", "a photo of a hipster barista", "vflip"),
    }
    hybrids = {
        "skull-waterfalls": (SKULL, WATERFALLS, 2.0),
        "man-village": (MAN, VILLAGE, 2.0),
        "man-dog": ("a photo of a man", DOG, 2.0),
    }
    logo = ("a photo of an eye", "a photo of a cpu", 2.0)

    def __init__(self, model, second_stage, photo=""):
        super().__init__(photo)
        self.model, self.second_stage = model, second_stage

    @classmethod
    def open(cls, flags):
        """Return the studio for these flags. Raises ValueError for whatever is missing."""
        device = hardware.pick_device(flags.device)
        first = stages.load(**flags.large, device=device)
        second = stages.load(stage=2, **flags.large, device=device, texts=first.texts)
        if not flags.embeddings:
            first.embed(cls.prompts())  # T5 encodes all of them at once
        return cls(first, second, flags.photo)

    def far(self, sigma):
        """Return the sigma of the blur that shows a hybrid as seen from afar: twice the split's."""
        return 2 * sigma
