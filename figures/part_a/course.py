"""The words of part A for DeepFloyd, and which function draws each section.

Idea and formula are the digit page's; what to notice and the command to make one's own are not.
"""

from collections.abc import Callable
from typing import NamedTuple

from figures.page.html.studio import Section
from figures.part_a import (
    anagram,
    blur,
    deepfloyd,
    drawn,
    forward,
    generation,
    guidance,
    hybrid,
    inpaint,
    iterative,
    logo,
    one_step,
    prompted,
    sampling,
    sdedit,
)

INTRO = """Part A of UC Berkeley CS180's project 5 as the course draws it, with DeepFloyd IF:
sentences in place of digits, photos in place of test digits, and every result upsampled by the
second stage. What to notice is what these algorithms are known to do with the real weights; where
the captions name another model, such as tiny random weights, the pictures show that the machinery
runs, and nothing else."""


class Chapter(NamedTuple):
    """A section's words, and how it is drawn: (folder, studio) -> paths."""

    SECTION: Section
    draw: Callable


def _chapter(script, notice, command):
    name = script.__name__.rpartition(".")[2]
    code = script.SECTION.code
    command = f"make sample-{command}" if command else f"make figures MODEL=deepfloyd ONLY={name}"
    words = script.SECTION._replace(notice=notice, command=command, code=code)
    return Chapter(words, getattr(deepfloyd, name))


PAGE = {
    "generation": _chapter(
        generation, "Stage I decides what there is to see, at 64 pixels; stage II, at 256, draws "
        "the same thing with edges and texture. More steps of stage I make another picture of "
        "the same prompt, with fewer broken parts; more steps of stage II change texture only.",
        "class ARGS='--model deepfloyd --prompts \"a rocket ship\" --upsample'",
    ),
    "forward": _chapter(
        forward, "At t = 750 of 1000 hardly the outline is left. In colour and at 64 pixels a "
        "picture survives more noise than a digit does: it has more pixels that say the same.",
        "denoise ARGS='--model deepfloyd --image my.jpg'",
    ),
    "blur": _chapter(
        blur, "The noise goes, and so does the photo.",
        "denoise ARGS='--model deepfloyd --image my.jpg'",
    ),
    "one_step": _chapter(
        one_step, "A good guess at t = 250; at t = 750 a soft picture of what it might have been.",
        "denoise ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'",
    ),
    "iterative": _chapter(
        iterative, "Many steps end in a sharp picture; what the noise drowned is made up.",
        "denoise ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'",
    ),
    "sampling": _chapter(
        sampling, "Without guidance few of them are of anything in particular: the next section.",
        "class ARGS='--model deepfloyd --prompts \"a high quality photo\" --gamma 1'",
    ),
    "guidance": _chapter(
        guidance, "Plainer subjects, stronger colours, less variety than in 1.5.",
        "class ARGS='--model deepfloyd --prompts \"a high quality photo\" --gamma 7 --upsample'",
    ),
    "sdedit": _chapter(
        sdedit, "i_start = 1 forgets the picture; by 20 only details are new.",
        "sdedit ARGS='--model deepfloyd --image my.jpg --prompt \"a high quality photo\"'",
    ),
    "drawn": _chapter(
        drawn, "A clumsy drawing becomes the photo it could be of: the shapes stay, texture, light "
        "and shadow come from the model. Early starts forget the drawing.",
        "sdedit ARGS='--model deepfloyd --image drawing.png --upsample'",
    ),
    "inpaint": _chapter(
        inpaint, "Outside the hole every pixel is the given one; inside, something that fits.",
        "inpaint ARGS='--model deepfloyd --image my.jpg --mask \"rows 2:20 columns 24:42\"'",
    ),
    "prompted": _chapter(
        prompted, "From left to right the prompt gives way to the picture; in between is an object "
        "with the picture's shape and colours.",
        "sdedit ARGS='--model deepfloyd --image my.jpg --prompt \"a rocket ship\"'",
    ),
    "anagram": _chapter(
        anagram, "Turn the screen upside down. Two prompts in the same medium, as two oil "
        "paintings, agree best, for they want the same texture.",
        "anagram ARGS='--model deepfloyd --prompts \"an oil painting of people around a campfire\" "
        "\"an oil painting of an old man\" --view vflip --upsample'",
    ),
    "hybrid": _chapter(
        hybrid, "Step back, or squint. The low band wants a subject of few large shapes, a face or "
        "a skull; the high band one of many small ones.",
        "hybrid ARGS='--model deepfloyd --low \"a lithograph of a skull\" --high \"a lithograph of "
        "waterfalls\" --upsample'",
    ),
    "logo": _chapter(
        logo, "An eye from afar, a chip from near: for a course on computational photography.",
        "hybrid ARGS='--model deepfloyd --low \"a photo of an eye\" --high \"a photo of a cpu\"'",
    ),
}
