"""models/deepfloyd/stages.py: what is loaded, the errors, and that every command takes it.

That our samples are those of the pipelines is in test_against_deepfloyd.py.
"""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import sample.anagram
import sample.class_cond
import sample.denoise
import sample.hybrid
import sample.inpaint
import sample.measure.evaluate
import sample.sdedit
import sample.uncond
from minidiff.models.deepfloyd import stages
from minidiff.theory.schedule import cosine
from tests.models import tiny_deepfloyd

PACKAGES = ("diffusers", "transformers", "accelerate", "sentencepiece", "google.protobuf")
installed = all(name.split(".")[0] in sys.modules or importlib.util.find_spec(name.split(".")[0])
                for name in PACKAGES)
needs_it = pytest.mark.skipif(not installed, reason="not installed; run: make test-deepfloyd")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both stages, tiny, 32 and 64 pixels."""
    place = tmp_path_factory.mktemp("deepfloyd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDIFF_CACHE", str(place / "cache"))
        yield tiny_deepfloyd.build(place / "tiny", (32, 64))


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """An empty current folder; the words that name the tiny model."""
    monkeypatch.chdir(tmp_path)
    return ["--model", "deepfloyd", "--model-dir", str(folder), "--steps", "3"]


class Unet:
    """A substitute for the network: it records its input, and predicts 1 for eps and 2 for v."""

    dtype = torch.float16

    def __call__(self, x, t, encoder_hidden_states, return_dict, **more):
        self.input = (x, t, encoder_hidden_states, more)
        return (torch.cat([torch.ones_like(x[:, :3]), 2 * torch.ones_like(x[:, :3])], 1),)


def texts(prompts):
    return torch.stack([torch.full((77, 4), float(len(p))) for p in prompts])


def stage(unet, number, texts=texts, channels=None):
    """Return a stage around a network."""
    rule = SimpleNamespace(dynamic_thresholding_ratio=0.9, sample_max_value=1.5)
    schedulers = [SimpleNamespace(alphas_cumprod=cosine().alpha_bar[1:], config=rule)] * number
    config = {"in_channels": channels or 3 * number, "out_channels": 6, "sample_size": 8,
              "encoder_hid_dim": 4}
    kind = (stages.DeepFloyd, stages.SecondStage)[number - 1]
    return kind(config, schedulers, texts, lambda: unet, "some stage")


def test_the_network_computes_in_half_precision_and_all_else_in_float32():
    """The network gets its own number format and its own timestep; eps_hat and v are float32."""
    unet = Unet()
    model = stage(unet, 1)
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([1000, 1])
    eps_hat = model(x, t, model.embed(["", "a dog"]))
    assert eps_hat.dtype == eps_hat.v.dtype == torch.float32
    assert eps_hat.shape == eps_hat.v.shape == x.shape
    assert (eps_hat == 1).all() and (eps_hat.v == 2).all()
    given, timestep, text, _ = unet.input
    assert given.dtype == text.dtype == torch.float16 and timestep.tolist() == [999, 0]
    assert model.schedule.alpha_bar.dtype == torch.float32
    assert 0 < model.schedule.alpha_bar[-1] < 6e-8  # half precision's smallest


def test_the_second_stage_is_given_image_and_level():
    """The network's input is x_t next to the image, each with its own row of cond; the level is
    counted as they count it."""
    unet = Unet()
    model = stage(unet, 2)
    low = torch.rand(2, 3, 2, 2) * 2 - 1
    given = model.given(low, 0.0)
    cond = given.embed(["a", "bc"])
    x = torch.randn(2, 3, 8, 8)
    given(x.flip(0), torch.tensor([5, 5]), cond.flip(0))  # rows may be reordered
    inside, _, text, more = unet.input
    assert torch.equal(inside[:, :3], x.flip(0).half()) and text[:, 0, 0].tolist() == [2, 1]
    corner = inside[:, 3:, 0, 0].float()  # align_corners: corners are the small image's own
    assert (corner - low.flip(0)[:, :, 0, 0]).abs().max() < 0.05  # level 0 is a little noise
    assert more["class_labels"].tolist() == [0, 0]
    assert model.given(low, 0.25).level == 250
    with pytest.raises(ValueError, match="1 prompts for 0 images"):
        model.embed([""])


def test_another_network_is_refused():
    """Stage II instead of stage I."""
    with pytest.raises(ValueError, match="has 6 channels in and 6 out; stage 1 has 3 and 6"):
        stage(Unet(), 1, channels=6)


def test_embeddings_of_another_model_are_refused():
    """Before the network would fail on them."""
    wide = stage(Unet(), 1, lambda prompts: torch.zeros(len(prompts), 77, 8))
    with pytest.raises(ValueError, match="needs embeddings of 4 channels, got 8"):
        wide.embed(["a dog"])


def test_a_full_gpu_is_an_error_that_names_the_flag():
    """Out of memory inside the network: --offload."""
    class Full(Unet):
        def __call__(self, *args, **more):
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = stage(Full(), 1)
    with pytest.raises(ValueError, match="too small for a batch of 2; add --offload"):
        model(torch.zeros(2, 3, 8, 8), torch.tensor([1, 1]), model.embed(["", ""]))


@needs_it
def test_the_text_encoder_is_loaded_once_and_alone(here, monkeypatch, capsys):
    """T5 encodes all new prompts and the null prompt at once, before any UNet is in memory; the
    next time it is not loaded at all."""
    import diffusers

    loaded, whole = [], diffusers.DiffusionPipeline.from_pretrained.__func__

    def recorded(kind, *args, **more):
        found = whole(kind, *args, **more)
        loaded.append({name for name in ("unet", "text_encoder") if getattr(found, name)})
        return found

    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", classmethod(recorded))
    words = [*here, "--n", "1", "--low", "a rocket", "--high", "a hut", "--upsample",
             "--upsample-steps", "1"]
    sample.hybrid.main(words)
    assert loaded == [{"text_encoder"}, {"unet"}, {"unet"}]
    assert "T5 encodes: 'a rocket', 'a hut', ''" in capsys.readouterr().out
    sample.hybrid.main(words)
    assert loaded[3:] == [{"unet"}, {"unet"}]


@needs_it
@pytest.mark.parametrize(("script", "words", "size"), [
    (sample.class_cond, ["--prompts", "a dog", "a pencil"], 2),
    (sample.uncond, ["--n", "2"], 2),
    (sample.sdedit, ["--n", "2", "--prompt", "a pencil"], 2),
    (sample.inpaint, ["--n", "2", "--mask", "rows 0:8", "--resample", "1"], 2),
    (sample.denoise, ["--n", "2", "--prompt", "a dog"], 2),
    (sample.anagram, ["--n", "2"], 2),
    (sample.hybrid, ["--n", "2"], 2),
])
def test_every_sampling_command_takes_it(here, script, words, size):
    """Images in colour, in [0, 1], enlarged by the second stage; the caption names both."""
    more = ["--upsample", "--upsample-steps", "2"]
    script.main([*here, *words, *more, "--out", "a.png", "--npz", "a.npz"])
    x = np.load("a.npz")["images"]
    assert x.shape == (size, 3, 64, 64) and 0 <= x.min() < x.max() <= 1
    caption = Image.open("a.png").info["Description"]
    assert "DeepFloyd IF-I-tiny; ddpm (learned, thresholded), 3 steps" in caption
    assert "DeepFloyd IF-II-tiny, 2 steps, level 0.25, gamma 4, free" in caption


@needs_it
def test_its_own_defaults_are_used_where_nothing_is_typed(here):
    """Two paintings, one of each; a typed variance and clip come before the learned ones."""
    sample.class_cond.main([*here, "--variance", "beta", "--clip", "range", "--out", "a.png",
                            "--npz", "a.npz"])
    assert np.load("a.npz")["images"].shape == (2, 3, 32, 32)
    caption = Image.open("a.png").info["Description"]
    assert caption == "DeepFloyd IF-I-tiny; ddpm (beta), 3 steps, seed 0, gamma 7"


@needs_it
def test_the_second_stage_is_given_what_the_first_generated(here, monkeypatch):
    """In the second stage's own range, -1..1, not in that of an image file."""
    inputs, given = [], stages.SecondStage.given
    monkeypatch.setattr(stages.SecondStage, "given",
                        lambda self, low, *more: inputs.append(low) or given(self, low, *more))
    words = [*here, "--prompts", "a dog", "--npz", "a.npz"]
    sample.class_cond.main(words)
    small = torch.from_numpy(np.load("a.npz")["images"])
    sample.class_cond.main([*words, "--upsample", "--upsample-steps", "1"])
    assert torch.allclose(inputs[0], 2 * small - 1, atol=1e-6)


@needs_it
def test_a_dictionary_without_the_prompt_lists_its_prompts(here, folder):
    """The command ends in that sentence."""
    torch.save({"": torch.zeros(1, 77, 16)}, "known.pth")
    with pytest.raises(ValueError, match="'a dog' is not in known.pth, which has: ''"):
        sample.class_cond.main([*here, "--prompts", "a dog", "--embeddings", "known.pth"])


@pytest.mark.parametrize(("words", "message"), [
    (["--digits", "3", "--prompts", "4"], "--prompts replace them"),
    (["--model-dir", "somewhere"], "no effect without --model deepfloyd"),
])
def test_flags_that_do_not_go_together_are_refused(workplace, words, message):
    """None of them is ignored silently."""
    with pytest.raises(ValueError, match=message):
        sample.class_cond.main(words)


def test_it_cannot_be_measured(workplace):
    """The judge reads digits."""
    with pytest.raises(ValueError, match="cannot measure deepfloyd"):
        sample.measure.evaluate.main(["--model", "deepfloyd"])
