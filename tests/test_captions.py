"""What a caption says is what was sampled: each image is made again from its caption alone."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from minidiff.editing import illusions, inpainting
from minidiff.editing.blur import best_blur, gaussian_blur
from minidiff.editing.image_to_image import noised, one_step
from minidiff.editing.views import VIEWS
from minidiff.evaluation.metrics import from_afar
from minidiff.files import images
from minidiff.files.photos import load_image, load_mask
from minidiff.models import zoo
from minidiff.models.upsampler import upsample
from minidiff.theory import samplers, schedule
from tests import replay
from tests.replay import T, close, models, shown

__all__ = ["models"]  # a fixture

DRAWN = Path(__file__).parent.parent / "figures" / "inputs" / "drawn-3.png"
SETTINGS = {  # name: flags, none of them a default
    "ddpm": ["--steps", "7", "--seed", "3", "--variance", "beta", "--clip", "none"],
    "ddim": ["--steps", "6", "--seed", "11", "--sampler", "ddim", "--eta", "0.6"],
    "exact": ["--steps", "5", "--seed", "4", "--sampler", "ddim", "--eta", "0"],
    "heun": ["--steps", "4", "--seed", "2", "--sampler", "heun"],
    "dpm2m": ["--steps", "6", "--seed", "2", "--sampler", "dpm2m", "--clip", "none"],
    "default": ["--steps", "8"],
}
GUIDANCE = {"ddpm": ["--gamma", "2.5", "--guide-until", "0.4"],
            "ddim": ["--gamma", "4", "--guide-until", "0"], "exact": ["--gamma", "0"],
            "heun": ["--gamma", "3"], "dpm2m": ["--gamma", "2"], "default": []}
EULER = {"few": ["--steps", "5", "--seed", "6", "--gamma", "3", "--guide-until", "0.25"],
         "plain": ["--steps", "4", "--gamma", "1"], "default": []}


@pytest.fixture
def made(models, monkeypatch):
    """Call a script; return (caption of its PNG, images of its npz, images of its PNG, labels)."""
    monkeypatch.chdir(models)
    grids, save_grid = [], images.save_grid

    def keep(path, x, caption, *args, **kwargs):
        grids.append(x)
        save_grid(path, x, caption, *args, **kwargs)

    monkeypatch.setattr(images, "save_grid", keep)

    def run(script, *words):
        import_module(f"sample.{script}").main(
            [*words, "--device", "cpu", "--out", "o.png", "--npz", "o.npz"])
        found = np.load("o.npz")
        caption = images.caption_of("o.png")
        return caption, torch.from_numpy(found["images"]), grids[-1], found.get("labels")

    return run


def said(caption, model):
    """Return the options that a caption names; the words of its model have to be the model's."""
    assert model.summary in caption
    return replay.options_of(caption)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_digits_is_enough_to_sample_them_again(made, name):
    """Sampler, variance or eta, clip, steps, seed, gamma and the share of guidance; the columns are
    the digits in their order, and so are the labels."""
    words = ["--digits", "305", "--per-digit", "2", *SETTINGS[name], *GUIDANCE[name]]
    caption, x, grid, labels = made("class_cond", *words)
    model = zoo.load_model("class")
    *_, last = replay.sampled(model, said(caption, model), "305305")
    assert close(x, shown(last)) and torch.equal(grid, x)
    assert labels.tolist() == [3, 0, 5, 3, 0, 5]


def test_another_number_in_the_caption_would_be_another_image(made):
    """The comparison sees each of them: a little more of eta, gamma or the share, another seed."""
    caption, x, *_ = made("class_cond", "--digits", "35", "--per-digit", "1", *SETTINGS["ddim"],
                          "--gamma", "4", "--guide-until", "0.4")
    model = zoo.load_model("class")
    true = said(caption, model)
    for wrong in ({"eta": 0.55}, {"gamma": 3.9}, {"share": 0.6}, {"seed": 12}, {"steps": 7},
                  {"clip": False}, {"sampler": "ddpm", "kind": "beta_tilde"}):
        *_, last = replay.sampled(model, {**true, **wrong}, "35")
        assert not close(x, shown(last)), wrong


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_without_prompts_is_enough_too(made, name):
    """sample.uncond: no guidance is named, since there is none."""
    caption, x, grid, _ = made("uncond", "--n", "3", *SETTINGS[name])
    model = zoo.load_model("uncond")
    *_, last = replay.sampled(model, said(caption, model), [""] * 3)
    assert "gamma" not in caption and close(x, shown(last)) and torch.equal(grid, x)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_sentences_is_enough_too(made, name):
    """Colour, in a data range of -1..1; the sentences in the order in which they were typed."""
    prompts = ["a red rocket ship", "a dog"]
    caption, x, *_ = made("doodles", "--prompts", *prompts, "--per-prompt", "1", *SETTINGS[name],
                          *GUIDANCE[name])
    model = zoo.load_model("doodles")
    *_, last = replay.sampled(model, said(caption, model), prompts)
    off = (torch.as_tensor(x) - shown((last + 1) / 2)).abs().max()
    assert model.data_range == (-1, 1) and off < 1e-2  # Heun enlarges rounding where t is large


@pytest.mark.parametrize("name", EULER)
def test_the_caption_of_a_flow_is_enough_to_sample_it_again(made, name):
    """Euler steps, seed, gamma and when guidance ends; without labels no guidance."""
    caption, x, *_ = made("flow", "--digits", "71", "--per-digit", "1", *EULER[name])
    model = zoo.load_model("flow")
    assert close(x, shown(replay.sampled(model, said(caption, model), "71")[-1]))
    words = EULER[name][: EULER[name].index("--gamma") if "--gamma" in EULER[name] else None]
    caption, x, *_ = made("flow", "--model", "flow-uncond", "--per-digit", "1", *words)
    model = zoo.load_model("flow-uncond")
    assert close(x, shown(replay.sampled(model, said(caption, model), [""] * 10)[-1]))


@pytest.mark.parametrize("words", [
    [], ["--upsample-steps", "5", "--upsample-level", "0.3", "--upsample-gamma", "2.5"],
    ["--upsample-steps", "4", "--no-upsample-held", "--seed", "5"]])
def test_the_caption_names_what_the_second_stage_did(made, words):
    """Its model, steps, noise level, guidance, whether it is kept consistent; and the seed."""
    caption, x, *_ = made("class_cond", "--digits", "39", "--per-digit", "1", "--steps", "4",
                          "--upsample", *words)
    first, second = zoo.load_model("class"), zoo.load_model("", kinds=("upsampler",))
    about, _, enlarged = caption.partition("upsampled by ")
    said_first, low = said(about, first), None
    low = shown(replay.sampled(first, said_first, "39")[-1])
    number = {name: re.search(rf"{name} ([\d.]+)", enlarged) for name in ("level", "gamma")}
    steps = int(re.search(r"(\d+) steps", enlarged).group(1))
    gamma = float(number["gamma"].group(1)) if number["gamma"] else 1.0
    for held in (True, False):
        expected = upsample(second, low, list("39"), steps=steps, seed=said_first["seed"],
                            level=float(number["level"].group(1)), gamma=gamma, held=held)
        assert close(x, expected) == (held == ("free" not in enlarged))
    assert second.summary in enlarged


def edit(made, script, name, *words):
    """Call an editing script; return its caption, the options in it, results, PNG and labels."""
    own = ["--image", str(DRAWN)] if script in ("sdedit", "denoise", "inpaint") else []
    caption, x, grid, labels = made(script, *own, "--n", "2", *SETTINGS[name], *GUIDANCE[name],
                                    *words)
    return caption, said(caption, zoo.load_model("class")), x, grid, labels


def named_image(caption):
    """Return the image that a caption names, as the digit models see it."""
    name = re.search(r"\S+\.png", caption).group()
    return 1 - load_image(name)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_sdedit_is_enough_to_edit_again(made, name):
    """The image, t and the index of the start, the prompt; the first image is the input."""
    caption, how, x, grid, labels = edit(made, "sdedit", name, "--prompt", "8", "--start", "2")
    model, x_0 = zoo.load_model("class"), named_image(caption)
    t, start = map(int, re.search(r"t = (\d+) \(start (\d+)\)", caption).groups())
    prompt = re.search(r"'(\d?)'", caption).group(1)
    timesteps = schedule.evenly(T, how["steps"])
    assert (t, start, prompt) == (timesteps[2], 2, "8") and labels.tolist() == [8, 8]
    generator = replay.sources(how["seed"], 2)
    x_t = noised(model.schedule, x_0.expand(2, -1, -1, -1), t, generator)
    fn = replay.eps_fn(model, [prompt] * 2, how["gamma"], how["share"])
    last = samplers.sample(fn, model.schedule, x_t, timesteps[start:], generator=generator,
                           **replay.step_options(model, how))
    assert close(x, shown(last)) and close(grid, torch.cat([x_0, x]))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_denoising_describes_each_image(made, name):
    """From left to right: input, noised, two blurs, one step, many steps; how many, and from t."""
    caption, how, x, grid, _ = edit(made, "denoise", name, "--start", "1", "--prompt", "3")
    model, x_0 = zoo.load_model("class"), named_image(caption)
    t, sigma, steps = (re.search(p, caption).group(1) for p in
                       (r"t = (\d+)", r"best σ, ([\d.]+)", r"in (\d+) steps"))
    timesteps = schedule.evenly(T, how["steps"])
    rest = timesteps[timesteps.index(int(t)):]
    assert int(t) == timesteps[1] and len(rest) - 1 == int(steps)
    generator = replay.sources(how["seed"], 2)
    x_t = noised(model.schedule, x_0, int(t), generator[:1])
    fn = replay.eps_fn(model, "3", how["gamma"], how["share"])
    pair = replay.eps_fn(model, "33", how["gamma"], how["share"])
    best = best_blur(x_t, x_0)
    assert float(sigma) == best[0]
    last = samplers.sample(pair, model.schedule, x_t.expand(2, -1, -1, -1), rest,
                           generator=generator, **replay.step_options(model, how))
    jump = one_step(fn, model.schedule, x_t, int(t))
    row = [x_0, x_t, gaussian_blur(x_t, 5, 2.0), best[1], jump, last]
    assert close(grid, shown(torch.cat(row))) and close(x, shown(last))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_inpainting_is_enough_to_fill_again(made, name):
    """The image, its hole, the prompt and how often each step is taken."""
    hole = "rows 3:20 columns 9:25"
    caption, how, x, grid, labels = edit(made, "inpaint", name, "--mask", hole, "--prompt", "5",
                                         "--resample", "3")
    model, x_0 = zoo.load_model("class"), named_image(caption)
    mask = load_mask(re.search(r"rows \S+ columns \d+:\d+", caption).group(), (1, 28, 28))
    prompt, times = re.search(r"'(\d)'.* (\d+) times", caption).groups()
    assert (prompt, times) == ("5", "3") and labels.tolist() == [5, 5]
    x_T, generator = replay.noise(model, 2, how["seed"])
    fn = replay.eps_fn(model, prompt * 2, how["gamma"], how["share"])
    *_, last = inpainting.inpaint(
        fn, model.schedule, x_0.expand(2, -1, -1, -1), mask, x_T,
        schedule.evenly(T, how["steps"]), resample=int(times), generator=generator,
        **replay.step_options(model, how))
    assert close(x, shown(last.x_t))
    assert close(grid, torch.cat([x_0, x_0.masked_fill(mask, 0.5), x]))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_an_anagram_is_enough_to_make_it_again(made, name):
    """Each prompt with its own view; a row for each."""
    caption, how, x, grid, _ = edit(made, "anagram", name, "--prompts", "6", "2", "7", "--view",
                                    "rotate90", "vflip")
    pairs = re.findall(r"'(\d)' by (\w+)", caption)
    assert pairs == [("6", "identity"), ("2", "rotate90"), ("7", "vflip")]
    model, views = zoo.load_model("class"), [VIEWS[view] for _, view in pairs]
    gamma, share = how["gamma"], how["share"]
    fns = [replay.eps_fn(model, prompt * 2, gamma, share) for prompt, _ in pairs]
    *_, last = replay.sampled(model, how, ["", ""], illusions.anagram(fns, views))
    assert close(x, shown(last)) and close(grid, torch.cat([view.see(x) for view in views]))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_caption_of_a_hybrid_is_enough_to_make_it_again(made, name):
    """Which prompt is near and which is afar, the filter with its width, the far view's blur."""
    typed = {"ddpm": "--sigma 1.7 --far 3", "ddim": "--by motion --length 5"}.get(name, "")
    caption, how, x, grid, _ = edit(made, "hybrid", name, *f"--low 9 --high 4 {typed}".split())
    high, low = re.findall(r"'(\d)'", caption)
    by, width = re.search(r"split by (\w+), \D*([\d.]+) pixels", caption).groups()
    coarse = illusions.blur(float(width)) if by == "blur" else illusions.motion(int(width))
    assert (low, high) == ("9", "4") and by == ("motion" if name == "ddim" else "blur")
    model, gamma, share = zoo.load_model("class"), how["gamma"], how["share"]
    fns = [replay.eps_fn(model, prompt * 2, gamma, share) for prompt in (low, high)]
    fn = illusions.hybrid(fns, illusions.split(coarse))
    *_, last = replay.sampled(model, how, ["", ""], fn)
    assert f"from a distance (σ = {(far := 3 if name == 'ddpm' else 2)} pixels)" in caption
    assert close(x, shown(last)) and close(grid, shown(torch.cat([last, from_afar(last, far)])))
