"""Part A as the course draws it: sentences, photos, DeepFloyd, each result upsampled.

    make figures MODEL=deepfloyd                       with the real weights, on a GPU
    make figures MODEL=deepfloyd MODEL_DIR=folder      with those in a folder

The words stand in course.py. The prompts are the course's own, letter by letter, so that its file
of ready embeddings will do (--embeddings).
"""

import torch
from torch.nn.functional import interpolate

from figures.page.html.studio import INPUTS, Studio
from minidiff.editing import blur, illusions, image_to_image, inpainting, views
from minidiff.files import photos
from minidiff.files.images import load_image, save_grid
from minidiff.models.deepfloyd.stages import HABITS
from minidiff.models.upsampler import upsample
from minidiff.theory.samplers import sample, trajectory

PHOTO = "a high quality photo"
CASCADE = ("a man wearing a hat", "a rocket ship", "an oil painting of a snowy mountain village")
STEPS = ((20, 20), (20, 64), (64, 64))  # of both stages
STARTS = (1, 3, 5, 7, 10, 20)  # i_start, of 33 steps
HOLE = HABITS["mask"]  # of 64 pixels
EDITS = ("a rocket ship", "a pencil", "a photo of a dog")
ANAGRAMS = (
    ("an oil painting of people around a campfire", "an oil painting of an old man"),
    ("an oil painting of a snowy mountain village", "a photo of a dog"),
    ("a photo of the amalfi cost", "a photo of a hipster barista"),  # spelt as the course does
)
HYBRIDS = (  # from afar, from near
    ("a lithograph of a skull", "a lithograph of waterfalls"),
    ("an oil painting of an old man", "an oil painting of a snowy mountain village"),
    ("a photo of a man", "a photo of a dog"),
)
LOGO = ("a photo of an eye", "a photo of a cpu")
PROMPTS = ["", PHOTO, *CASCADE, *EDITS, *sum((*ANAGRAMS, *HYBRIDS), ()), *LOGO]


class CourseStudio(Studio):
    """What the course draws from. model, second_stage: DeepFloyd's. photo: a person's own file."""

    def __init__(self, model, second_stage, photo=""):
        super().__init__()
        self.model, self.second_stage = model, second_stage
        self.files = {"photo": photo or photos.sample_picture(),
                      "web": photos.sample_picture("Minduka_Present_Blue_Pack.png"),
                      **{name: INPUTS / f"{name}.png" for name in ("sunset", "house", "fish")}}

    def pictures(self, *names):
        """Return pictures as the model takes them, (N,3,64,64) in -1..1."""
        model = self.model
        found = [load_image(self.files[n], model.image_shape, model.data_range) for n in names]
        return torch.cat(found).to(model.device)

    def eps_fn(self, prompts, **guidance):
        """Return the eps_fn that is asked for these, guided at gamma 7 unless told."""
        return super().eps_fn(prompts, **(guidance or self.model.guidance))

    def options(self, seed=0):
        """Return what every walk is told: the learned variance, dynamic thresholding."""
        generator = torch.Generator().manual_seed(seed)
        return {"clip": self.model.clips["dynamic"], "kind": "learned", "generator": generator}

    def along(self, eps_fn, n, seed=0):
        """Walk n pictures of noise down the course's strided levels."""
        options = self.options(seed)
        x = torch.randn(n, *self.model.image_shape, generator=options["generator"])
        return sample(eps_fn, self.schedule, x.to(self.model.device), self.levels, **options)

    def large(self, x, prompts=None, steps=20):
        """Return pictures x (N,3,64,64) drawn again by the second stage, (N,3,256,256)."""
        return upsample(
            self.second_stage, x.clamp(-1, 1), prompts, steps=steps, held=False, kind="learned",
            level=HABITS["upsample_level"], gamma=HABITS["upsample_gamma"],
            clip=self.second_stage.clips["dynamic"],
        )

    def edited(self, x_0, prompt, start):
        """Return pictures x_0 (N,3,64,64) noised to levels[start] and drawn anew."""
        *_, last = image_to_image.sdedit(
            self.eps_fn([prompt] * len(x_0)), self.schedule, x_0, self.levels, start,
            **self.options(),
        )
        return last.x_t

    def save(self, path, x, told, columns, **labels):
        """Write pictures x (N,3,H,W) in -1..1 as a grid; return its path."""
        caption = f"{told}; seed 0, none picked; {self.model.summary}"
        scale = 2
        if x.shape[1:] != self.model.image_shape:
            scale, caption = 1, f"{caption}, upsampled by {self.second_stage.summary}"
        save_grid(path, x.cpu() / 2 + 0.5, caption, columns, **labels, scale=scale)
        return path


def generation(out, studio):
    """Three prompts, both stages, in few steps and in many."""
    small = {n: studio.draw(studio.eps_fn(CASCADE), 3, n) for n in {a for a, _ in STEPS}}
    rows = {f"{a} / {b}": studio.large(small[a], CASCADE, b) for a, b in STEPS}
    told = f"columns: {'; '.join(CASCADE)}"
    yield studio.save(out / "generation.png", torch.cat([*small.values()]), f"stage I, {told}", 3,
                      row_labels=[f"{n} steps" for n in small])
    yield studio.save(out / "generation-upsampled.png", torch.cat([*rows.values()]),
                      f"stage II, {told}; steps of stage I / stage II", 3, row_labels=[*rows])


def _noisy(studio):
    """Return the test photo and, at the course's three levels, noised: (x_0, times, x_t)."""
    x_0, times = studio.images_at("photo"), studio.thirds()
    return x_0, times, [studio.noised(x_0, t) for t in times]


def forward(out, studio):
    """The test photo, noised."""
    x_0, times, noisy = _noisy(studio)
    yield studio.save(out / "forward.png", torch.cat([x_0, *noisy]), "the test photo, noised", 4,
                      column_labels=["t=0", *(f"t={t}" for t in times)])


def blur(out, studio):
    """The same, blurred."""
    _, times, noisy = _noisy(studio)
    blurred = [blur.gaussian_blur(x) for x in noisy]
    yield studio.save(out / "blur.png", torch.cat([*noisy, *blurred]), "window 5, σ = 2", 3,
                      row_labels=("noisy", "blurred"), column_labels=[f"t={t}" for t in times])


def one_step(out, studio):
    """The same, denoised in one step."""
    _, times, noisy = _noisy(studio)
    eps_fn = studio.eps_fn([PHOTO], gamma=1.0)
    clean = [image_to_image.one_step(eps_fn, studio.schedule, x, t) for x, t in zip(noisy, times)]
    yield studio.save(out / "one_step.png", torch.cat([*noisy, *clean]), f"prompt '{PHOTO}'", 3,
                      row_labels=("noisy", "x̂₀"), column_labels=[f"t={t}" for t in times])


def iterative(out, studio):
    """Every fifth step of the way back from i_start = 10, and the ways side by side."""
    x_0, levels, options = studio.images_at("photo"), studio.levels[10:], studio.options()
    eps_fn = studio.eps_fn([PHOTO], gamma=1.0)
    x_t = image_to_image.noised(studio.schedule, x_0, levels[0], options["generator"])
    path = list(trajectory(eps_fn, studio.schedule, x_t, levels, **options))
    states = [*path[:-1:5], path[-1]]
    yield studio.save(out / "iterative-frames.png", torch.cat([s.x_t for s in states]),
                      "every fifth step", len(states), column_labels=[f"t={s.t}" for s in states])
    ways = {"photo": x_0, "noisy": x_t, "steps": path[-1].x_t,
            "blur": blur.gaussian_blur(x_t),
            "one step": image_to_image.one_step(eps_fn, studio.schedule, x_t, levels[0])}
    yield studio.save(out / "iterative-compared.png", torch.cat([*ways.values()]),
                      f"ways back from t = {levels[0]}", len(ways), column_labels=[*ways])


def sampling(out, studio):
    """Five samples, not guided."""
    x = studio.along(studio.eps_fn([PHOTO] * 5, gamma=1.0), 5)
    yield studio.save(out / "sampling.png", x, f"prompt '{PHOTO}', γ = 1", 5)


def guidance(out, studio):
    """Five samples, guided, and upsampled."""
    x = studio.along(studio.eps_fn([PHOTO] * 5), 5)
    yield studio.save(out / "guidance.png", x, f"prompt '{PHOTO}', γ = 7", 5)
    yield studio.save(out / "guidance-upsampled.png", studio.large(x, [PHOTO] * 5), "the same", 5)


def _rows(studio, x_0, prompts):
    """Return each picture at every i_start and then itself, a row each, and the labels."""
    rows = [torch.cat([*(studio.edited(x, p, k) for k in STARTS), x])
            for x, p in zip(x_0.split(1), prompts)]
    return torch.cat(rows), [*(f"{k}\nt={studio.levels[k]}" for k in STARTS), "picture"]


def sdedit(out, studio):
    """The test photo and two web pictures at every i_start."""
    names = ("photo", "web", "sunset")
    x, labels = _rows(studio, studio.images_at(*names), [PHOTO] * 3)
    yield studio.save(out / "sdedit.png", x, f"prompt '{PHOTO}', γ = 7", len(labels),
                      row_labels=names, column_labels=labels)


def drawn(out, studio):
    """One web picture and two drawn: noised, drawn anew, upsampled."""
    for name in ("sunset", "house", "fish"):
        x_0 = studio.images_at(name)
        x, labels = _rows(studio, x_0, [PHOTO])
        n = len(labels)
        noisy = [studio.noised(x_0, studio.levels[k]) for k in STARTS]
        yield studio.save(out / f"drawn-{name}.png", torch.cat([*noisy, x_0, x]), name, n,
                          row_labels=("noised", "result"), column_labels=labels)
        yield studio.save(out / f"drawn-{name}-upsampled.png", studio.large(x, [PHOTO] * n),
                          name, n, column_labels=labels)


def inpaint(out, studio):
    """Three pictures with the course's hole."""
    names, model = ("photo", "web", "house"), studio.model
    x_0, options = studio.images_at(*names), studio.options()
    mask = photos.load_mask(HOLE, (3, 64, 64)).float()
    mask = interpolate(mask, model.image_shape[1:]).bool().to(x_0.device)
    x_T = torch.randn(x_0.shape, generator=options["generator"]).to(x_0.device)
    *_, last = inpainting.inpaint(
        studio.eps_fn([PHOTO] * 3), studio.schedule, x_0, mask, x_T, studio.levels, **options
    )
    shown = [x_0, (2.0 * mask - 1).expand_as(x_0), x_0.masked_fill(mask, 0), last.x_t]
    yield studio.save(out / "inpaint.png", torch.stack(shown, 1).flatten(0, 1), HOLE, 4,
                      row_labels=names, column_labels=("picture", "mask", "hole", "result"))
    yield studio.save(out / "inpaint-upsampled.png", studio.large(last.x_t, [PHOTO] * 3),
                      "the results", 3, column_labels=names)


def prompted(out, studio):
    """Three pictures, each asked to become something else."""
    names = ("photo", "web", "house")
    x, labels = _rows(studio, studio.images_at(*names), EDITS)
    yield studio.save(out / "prompted.png", x, f"prompts: {'; '.join(EDITS)}; γ = 7", len(labels),
                      row_labels=names, column_labels=labels)


def anagram(out, studio):
    """Three pictures that are something else upside down, and upsampled."""
    flip = views.VIEWS["vflip"]
    for k, (a, b) in enumerate(ANAGRAMS, 1):
        fns = [studio.eps_fn([p]) for p in (a, b)]
        x = studio.along(illusions.anagram(fns, [views.VIEWS["identity"], flip]), 1)
        for name, y in (("", x), ("-upsampled", studio.large(x, [a]))):
            yield studio.save(out / f"anagram-{k}{name}.png", torch.cat([y, flip.see(y)]),
                              f"{a}; upside down: {b}", 2)


def _hybrid(out, studio, name, low, high):
    filters = illusions.split(blur.blur(2.0))
    x = studio.along(illusions.hybrid([studio.eps_fn([p]) for p in (low, high)], filters), 1)
    for more, y in (("", x), ("-upsampled", studio.large(x, [high]))):
        sigma = y.shape[3] / 16
        afar = blur.gaussian_blur(y, 2 * round(3 * sigma) + 1, sigma)
        yield studio.save(out / f"{name}{more}.png", torch.cat([y, afar]),
                          f"near: {high}; afar: {low}", 2, column_labels=("near", "afar"))


def hybrid(out, studio):
    """Three pictures that are something else from afar, and upsampled."""
    for k, (low, high) in enumerate(HYBRIDS, 1):
        yield from _hybrid(out, studio, f"hybrid-{k}", low, high)


def logo(out, studio):
    """The course's logo: an eye from afar, a chip from near."""
    yield from _hybrid(out, studio, "logo", *LOGO)
