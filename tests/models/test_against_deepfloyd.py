"""Our sampler on DeepFloyd's networks against diffusers' own pipelines, with the same noise.

    python -m tests.models.test_against_deepfloyd     prints the table of docs/deepfloyd.md

Real pipelines with tiny random weights (tiny_deepfloyd.py) are loaded twice: by diffusers, which
samples with its own loop, and by our loader, whose networks are sampled with ours. Both take noise
from generators with the same seed, in the same order.

Near t = T a prediction of x_0 divides by sqrt(alpha_bar_T) = 5e-5, so in float32 either sampler has
three or four correct digits. In double precision they agree to float32's precision of the schedule,
which both read from the same numbers; so both precisions are compared.
"""

import tempfile

import pytest
import torch

from minidiff.editing.image_to_image import noised, sdedit
from minidiff.editing.inpainting import inpaint
from minidiff.models.deepfloyd import stages
from minidiff.models.deepfloyd.learned import learned_variance
from minidiff.models.generate import prompted
from minidiff.theory.samplers import sample
from tests.models import tiny_deepfloyd

if __name__ != "__main__":
    for package in ("diffusers", "transformers", "sentencepiece", "google.protobuf", "accelerate"):
        pytest.importorskip(package, reason="not installed; run: make test-deepfloyd")

PROMPTS = ["a photo of a dog", "an oil painting of a snowy mountain village"]
SEED, SIDES = 3, (16, 32)
LIMITS = {torch.float32: 5e-3, torch.float64: 1e-5}  # of the difference; images are in -1..1


class Pair:
    """Both sides of the comparison. folder: of tiny pipelines. dtype: of networks and images."""

    def __init__(self, folder, dtype):
        self.folder, self.dtype = folder, dtype
        self.ours = [stages.load(str(folder), stage) for stage in (1, 2)]
        for model in self.ours:
            model.unet.to(dtype)
        self.texts = [self.ours[0].embed(prompts).to(dtype) for prompts in (PROMPTS, ["", ""])]

    def randn(self, shape, generator):
        """Return noise as both sides generate it."""
        return torch.randn(2, *shape, generator=generator, dtype=self.dtype)

    def theirs(self, kind, stage=1, **scheduler):
        """Return a new pipeline of diffusers; scheduler: settings of it that are changed."""
        import diffusers

        pipe = getattr(diffusers, kind).from_pretrained(
            self.folder / tiny_deepfloyd.STAGES[stage - 1], variant="fp16", dtype=self.dtype,
            safety_checker=None, feature_extractor=None, watermarker=None,
            requires_safety_checker=False,
        )
        pipe.scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config, **scheduler)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def sampled(self, pipe, steps, gamma, **more):
        """Return their images in -1..1, and their timesteps as we count them."""
        found = pipe(
            prompt_embeds=self.texts[0], negative_prompt_embeds=self.texts[1], guidance_scale=gamma,
            num_inference_steps=steps, output_type="pt", generator=seeded(), **more,
        ).images
        return found, [t + 1 for t in pipe.scheduler.timesteps.tolist()] + [0]


def seeded():
    return torch.Generator().manual_seed(SEED)


def options(model, clip="dynamic"):
    """Return the options of our sampler."""
    return {"step": model.step, "kind": "learned", "clip": model.clips[clip]}


def sampled(model, timesteps, gamma, clip, x, generator):
    """Return our images of PROMPTS, from noise x."""
    return sample(prompted(model, PROMPTS, gamma), model.schedule, x, timesteps,
                  **options(model, clip), generator=generator)


def stage_one(pair, steps, gamma, clip):
    """The first stage; without a clip neither side limits x_0_hat, as in the course's loop."""
    off = {} if clip == "dynamic" else {"thresholding": False, "clip_sample": clip == "range"}
    theirs, timesteps = pair.sampled(pair.theirs("IFPipeline", **off), steps, gamma)
    model, generator = pair.ours[0], seeded()
    x = pair.randn(model.image_shape, generator)
    return sampled(model, timesteps, gamma, clip, x, generator), theirs


def stage_two(pair, steps, gamma, level):
    """The second stage: they generate x_T first, then the noise on the small image."""
    low = pair.randn((3, 16, 16), seeded()).clamp(-1, 1)
    pipe = pair.theirs("IFSuperResolutionPipeline", 2)
    theirs, timesteps = pair.sampled(pipe, steps, gamma, image=low, noise_level=level)
    generator, model = seeded(), pair.ours[1]
    x = pair.randn(model.image_shape, generator)
    given = model.given(low, level / 1000, generator)
    return sampled(given, timesteps, gamma, "dynamic", x, generator), theirs


def image_to_image(pair, steps, gamma, strength):
    """SDEdit: they noise the image to the first of the remaining timesteps."""
    x_0 = pair.randn((3, 16, 16), seeded()).clamp(-1, 1)
    pipe = pair.theirs("IFImg2ImgPipeline")
    theirs, timesteps = pair.sampled(pipe, steps, gamma, image=x_0, strength=strength)
    start, model = steps - int(steps * strength), pair.ours[0]
    *_, last = sdedit(prompted(model, PROMPTS, gamma), model.schedule, x_0, timesteps, start,
                      **options(model), generator=seeded())
    return last.x_t, theirs


def inpainting(pair, steps, gamma):
    """With a hole everywhere. With a smaller one the two differ: theirs leaves the known part
    without noise at every level; RePaint and ours noise it to the level just reached."""
    x_0 = pair.randn((3, 16, 16), seeded()).clamp(-1, 1)
    pipe = pair.theirs("IFInpaintingPipeline")
    theirs, timesteps = pair.sampled(
        pipe, steps, gamma, image=x_0, mask_image=torch.ones(2, 1, 16, 16), strength=1.0
    )
    generator, model = seeded(), pair.ours[0]
    x_t = noised(model.schedule, x_0, timesteps[0], generator)  # they start from the image
    hole = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    *_, last = inpaint(prompted(model, PROMPTS, gamma), model.schedule, x_0, hole, x_t, timesteps,
                       **options(model), generator=generator)
    return last.x_t, theirs


def embeddings(pair):
    """T5's embeddings of the prompts and, as guidance needs them, of the null prompt."""
    return torch.cat(pair.texts), torch.cat(pair.theirs("IFPipeline").encode_prompt(PROMPTS))


def log_variance(pair, steps):
    """log sigma² at every step but the last, which adds no noise, for v in all of -1..1."""
    scheduler = pair.theirs("IFPipeline").scheduler
    scheduler.set_timesteps(steps)
    v, times = torch.linspace(-1, 1, 21), [t + 1 for t in scheduler.timesteps.tolist()]
    theirs = [scheduler._get_variance(t - 1, v) for t in times[:-1]]
    ours = [learned_variance(pair.ours[0].schedule, t, s, v).log()
            for t, s in zip(times, times[1:])]
    return torch.stack(ours), torch.stack(theirs)


CASES = {
    "stage I, 10 steps, no guidance": lambda p: stage_one(p, 10, 1.0, "dynamic"),
    "stage I, 10 steps, gamma 7": lambda p: stage_one(p, 10, 7.0, "dynamic"),
    "stage I, 50 steps, gamma 7": lambda p: stage_one(p, 50, 7.0, "dynamic"),
    "stage I, 10 steps, gamma 7, clipped to the range": lambda p: stage_one(p, 10, 7.0, "range"),
    "stage I, 10 steps, gamma 7, not clipped": lambda p: stage_one(p, 10, 7.0, "none"),
    "stage II, 10 steps, gamma 4, noise level 250": lambda p: stage_two(p, 10, 4.0, 250),
    "stage II, 25 steps, no guidance, noise level 0": lambda p: stage_two(p, 25, 1.0, 0),
    "image to image, 20 steps, strength 0.7": lambda p: image_to_image(p, 20, 7.0, 0.7),
    "inpainting, 10 steps, a hole everywhere": lambda p: inpainting(p, 10, 7.0),
    "embeddings": embeddings,
    "log of the learned variance, 100 steps": lambda p: log_variance(p, 100),
}


@pytest.fixture(scope="module", params=LIMITS, ids=["float32", "float64"])
def pair(tmp_path_factory, request):
    """The tiny pipelines, loaded by both."""
    place = tmp_path_factory.mktemp("deepfloyd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDIFF_CACHE", str(place / "cache"))
        yield Pair(tiny_deepfloyd.build(place / "tiny", SIDES), request.param)


@pytest.mark.parametrize("name", CASES)
def test_our_images_equal_those_of_the_pipelines(pair, name):
    """With the same noise in the same order."""
    ours, theirs = CASES[name](pair)
    assert theirs.std() > 0.05  # there is something to compare
    assert (ours - theirs).abs().max() < LIMITS[pair.dtype] * max(1, theirs.abs().max())


def test_guidance_text_and_noise_level_count(pair):
    """The comparison would notice an error: each of these changes the image by far more."""
    most = 2 * max(LIMITS.values())
    plain, _ = stage_one(pair, 10, 7.0, "dynamic")
    assert (stage_one(pair, 10, 6.0, "dynamic")[0] - plain).abs().max() > most
    assert (plain[0] - plain[1]).abs().max() > most
    a, b = (stage_two(pair, 10, 4.0, level)[0] for level in (250, 200))
    assert (a - b).abs().max() > most


def main():
    """Print the table of largest differences, in float32 and in float64."""
    with tempfile.TemporaryDirectory() as place:
        folder, rows = tiny_deepfloyd.build(place, SIDES), {}
        for dtype in LIMITS:
            both = Pair(folder, dtype)
            for name, case in CASES.items():
                ours, theirs = case(both)
                row = rows.setdefault(name, [])
                row.append(f"{(ours - theirs).abs().max().item():.0e}")
    for name, (single, double) in rows.items():
        print(f"| {name} | {single} | {double} |")


if __name__ == "__main__":
    main()
