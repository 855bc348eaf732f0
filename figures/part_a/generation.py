"""0: from a prompt to images, in few steps and in many."""

import torch

from figures.page.sheet import enlarged
from figures.page.studio import Section

CASCADE_STEPS = ((20, 20), (20, 64), (64, 64))  # of both stages
SECTION = Section(
    "0", "From prompts to images",
    "A model is given a prompt and turns pure noise into an image of it. More steps take more time "
    "and bring the image closer to what the model was trained on.",
    "x_T ~ N(0, I)   →   x_s ~ q(x_s | x_t, x̂_0(x_t, prompt))   →   x_0",
    ("minidiff/theory/samplers.py: trajectory", "minidiff/models/generate.py: generate",
     "minidiff/models/upsampler.py: upsample"),
)


def draw(out, studio):
    """Draw both stages, a film, and all prompts, each row with another number of steps."""
    if studio.second_stage is not None:
        yield draw_cascade(out / "generation-cascade.png", studio)
    prompts = studio.cascade
    states = studio.states(studio.eps_fn(prompts), len(prompts), CASCADE_STEPS[0][0])
    yield studio.film(out / "generation-film.png", states, f"from noise to image in "
                      f"{studio.describe_steps(CASCADE_STEPS[0][0])}; below, the prediction of the "
                      f"image at each step; {studio.guidance}", prompts)
    prompts = studio.generated
    steps = [n for n in studio.generated_steps if n <= studio.schedule.T]
    rows = [(studio.describe_steps(n), studio.sample(studio.eps_fn(prompts), len(prompts), n))
            for n in steps]
    yield studio.save(out / "generation.png", rows, f"the same noise in each row; "
                      f"{studio.guidance}", prompts)


def draw_cascade(path, studio):
    """Draw a row for each prompt: samples of the first stage, each enlarged by the second, in every
    number of steps."""
    prompts, columns = studio.cascade, {}
    for first, second in CASCADE_STEPS:
        first = min(first, studio.schedule.T)
        small = studio.sample(studio.eps_fn(prompts), len(prompts), first)
        large = studio.large(small, prompts, second)
        columns[f"I: {first}"] = enlarged(small, large.shape[3])
        columns[f"I: {first}\nII: {min(second, studio.second_stage.schedule.T)}"] = large
    rows = zip(prompts, torch.stack([*columns.values()], 1))
    return studio.save(path, [*rows], "samples of the first stage (I), and the same enlarged by "
                       f"the second (II), each in so many steps; {studio.guidance}", [*columns],
                       "in as many steps as above")
