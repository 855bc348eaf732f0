"""0: from a prompt to images, in few steps and in many."""

import torch
from torch.nn.functional import interpolate

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
    """Draw all prompts, each row with another number of steps; then both stages."""
    prompts = studio.generated
    steps = [n for n in studio.generated_steps if n <= studio.schedule.T]
    rows = [studio.sample(studio.eps_fn(prompts), len(prompts), n) for n in steps]
    yield studio.save(
        out / "generation.png", torch.cat(rows), f"prompts, in columns: {', '.join(prompts)}; the "
        f"same noise in each row; {studio.guidance}", len(prompts), [f"{n} steps" for n in steps],
        studio.labels(prompts))
    if studio.second_stage is None:
        return
    prompts, columns = studio.cascade, []
    for first, second in CASCADE_STEPS:
        small = studio.sample(studio.eps_fn(prompts), len(prompts), min(first, studio.schedule.T))
        large = studio.large(small, prompts, second)
        columns += [interpolate(small, large.shape[2:]).clamp(*studio.model.data_range), large]
    yield studio.save(
        out / "generation-cascade.png", torch.stack(columns, 1).flatten(0, 1), "the first stage's "
        "samples, and the same enlarged by the second; the steps of each are above; prompts: "
        f"{', '.join(prompts)}; {studio.guidance}; {studio.second_stage.summary}", len(columns),
        studio.labels(prompts),
        [f"{name} {n}" for pair in CASCADE_STEPS for name, n in zip(("I:", "II:"), pair)])
