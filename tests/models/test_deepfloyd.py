"""deepfloyd.py: what loads, what is said when it does not, and that the commands take it.

That our walk is the pipelines' own is in test_against_deepfloyd.py.
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
from minidiff.models.deepfloyd.learned import dynamic_threshold
from minidiff.theory.schedule import cosine
from tests import tiny_deepfloyd

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
    """Stands for the network: remembers what it is fed, tells 1 for eps and 2 for v."""

    dtype = torch.float16

    def __call__(self, x, t, encoder_hidden_states, return_dict, **more):
        self.fed = (x, t, encoder_hidden_states, more)
        told = torch.cat([torch.ones_like(x[:, :3]), 2 * torch.ones_like(x[:, :3])], 1)
        return (told,)


def texts(prompts):
    return torch.stack([torch.full((77, 4), float(len(p))) for p in prompts])


def stage(unet, number, said=texts, channels=None):
    """Return a stage around a network."""
    rule = SimpleNamespace(dynamic_thresholding_ratio=0.9, sample_max_value=1.5)
    schedulers = [SimpleNamespace(alphas_cumprod=cosine().alpha_bar[1:], config=rule)] * number
    config = {"in_channels": channels or 3 * number, "out_channels": 6, "sample_size": 8,
              "encoder_hid_dim": 4}
    kind = (stages.DeepFloyd, stages.SecondStage)[number - 1]
    return kind(config, schedulers, said, lambda: unet, "some stage")


def test_inside_it_is_half_precision_and_outside_float32():
    """The network is fed what it is made of, with their timestep; what it tells is float32."""
    unet = Unet()
    model = stage(unet, 1)
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([1000, 1])
    eps_hat, v = model(x, t, model.embed(["", "a dog"]))
    assert eps_hat.dtype == v.dtype == torch.float32 and eps_hat.shape == v.shape == x.shape
    assert (eps_hat == 1).all() and (v == 2).all()
    fed, timestep, said, _ = unet.fed
    assert fed.dtype == said.dtype == torch.float16 and timestep.tolist() == [999, 0]
    assert model.schedule.alpha_bar.dtype == torch.float32
    assert 0 < model.schedule.alpha_bar[-1] < 6e-8  # half precision's smallest


def test_the_second_stage_is_shown_picture_and_level():
    """The network is fed x_t and the picture side by side, each with its own row of cond; the level
    as they count it."""
    unet = Unet()
    model = stage(unet, 2)
    low = torch.rand(2, 3, 2, 2) * 2 - 1
    shown = model.given(low, 0.0)
    cond = shown.embed(["a", "bc"])
    x = torch.randn(2, 3, 8, 8)
    shown(x.flip(0), torch.tensor([5, 5]), cond.flip(0))  # as anyone may reorder rows
    fed, _, said, more = unet.fed
    assert torch.equal(fed[:, :3], x.flip(0).half()) and said[:, 0, 0].tolist() == [2, 1]
    corner = fed[:, 3:, 0, 0].float()  # align_corners: corners are the small picture's own
    assert (corner - low.flip(0)[:, :, 0, 0]).abs().max() < 0.05  # level 0 is a little noise
    assert more["class_labels"].tolist() == [0, 0]
    assert model.given(low, 0.25).level == 250
    with pytest.raises(ValueError, match="1 prompts for 0 pictures"):
        model.embed([""])


def test_another_network_is_refused():
    """Stage II where stage I is wanted, and a network without a variance."""
    with pytest.raises(ValueError, match="takes 6 channels and tells 6; stage 1 takes 3"):
        stage(Unet(), 1, channels=6)


def test_embeddings_of_another_model_are_refused():
    """Before the network would fail on them."""
    wide = stage(Unet(), 1, lambda prompts: torch.zeros(len(prompts), 77, 8))
    with pytest.raises(ValueError, match="wants embeddings of 4 channels, got 8"):
        wide.embed(["a dog"])


def test_a_full_gpu_is_told_what_to_switch_on():
    """Out of memory inside the network names the flag that helps."""
    class Full(Unet):
        def __call__(self, *args, **more):
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = stage(Full(), 1)
    with pytest.raises(ValueError, match="too small for a batch of 2; add --offload"):
        model(torch.zeros(2, 3, 8, 8), torch.tensor([1, 1]), model.embed(["", ""]))


def test_a_missing_package_is_named(monkeypatch):
    """With the command that installs it, before anything is fetched."""
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match="needs accelerate.*make setup-deepfloyd"):
        stages.load("DeepFloyd/IF-I-L-v1.0", download=True)


@needs_it
def test_the_text_encoder_is_loaded_once_and_alone(here, monkeypatch, capsys):
    """T5 reads all new prompts and the null prompt at once, before any UNet is in memory; the next
    time it is not loaded at all."""
    import diffusers

    loaded, whole = [], diffusers.DiffusionPipeline.from_pretrained.__func__

    def watched(kind, *args, **more):
        found = whole(kind, *args, **more)
        loaded.append({name for name in ("unet", "text_encoder") if getattr(found, name)})
        return found

    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", classmethod(watched))
    words = [*here, "--n", "1", "--low", "a rocket", "--high", "a hut", "--upsample",
             "--upsample-steps", "1"]
    sample.hybrid.main(words)
    assert loaded == [{"text_encoder"}, {"unet"}, {"unet"}]
    assert "T5 reads: 'a rocket', 'a hut', ''" in capsys.readouterr().out
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
    """In colour, in [0, 1], and upsampled by the second stage."""
    more = ["--upsample", "--upsample-steps", "2"]
    script.main([*here, *words, *more, "--out", "a.png", "--npz", "a.npz"])
    x = np.load("a.npz")["images"]
    assert x.shape == (size, 3, 64, 64) and 0 <= x.min() < x.max() <= 1
    assert "DeepFloyd IF-II-tiny" in Image.open("a.png").info["Description"]


@needs_it
def test_the_second_stage_is_shown_what_the_first_drew(here, monkeypatch):
    """In the second stage's own range, -1..1, and not in that of a picture file."""
    shown, given = [], stages.SecondStage.given
    monkeypatch.setattr(stages.SecondStage, "given",
                        lambda self, low, *more: shown.append(low) or given(self, low, *more))
    words = [*here, "--prompts", "a dog", "--npz", "a.npz"]
    sample.class_cond.main(words)
    small = torch.from_numpy(np.load("a.npz")["images"])
    sample.class_cond.main([*words, "--upsample", "--upsample-steps", "1"])
    assert torch.allclose(shown[0], 2 * small - 1, atol=1e-6)


@needs_it
def test_what_is_no_pipeline_is_refused(tmp_path):
    """A folder with the right names and other content: one sentence."""
    for file in ("unet/config.json", "unet/a.safetensors", "scheduler/a.json"):
        (tmp_path / "IF-I-x" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "IF-I-x" / file).write_text("{}")
    with pytest.raises(ValueError, match="IF-I-x cannot be loaded as a stage of DeepFloyd"):
        stages.load(str(tmp_path))


@needs_it
def test_a_dictionary_without_the_prompt_says_which_it_has(here, folder):
    """The command ends in that sentence."""
    torch.save({"": torch.zeros(1, 77, 16)}, "known.pth")
    with pytest.raises(ValueError, match="'a dog' is not in known.pth, which knows: ''"):
        sample.class_cond.main([*here, "--prompts", "a dog", "--embeddings", "known.pth"])


@pytest.mark.parametrize(("words", "told"), [
    (["--digits", "3", "--prompts", "4"], "--prompts take their place"),
    (["--model-dir", "somewhere"], "go with --model deepfloyd"),
])
def test_flags_that_do_not_go_together_are_refused(workplace, words, told):
    """Rather than one of them being passed over."""
    with pytest.raises(ValueError, match=told):
        sample.class_cond.main(words)


def test_the_judge_is_not_asked_about_it(workplace):
    """It reads digits."""
    with pytest.raises(ValueError, match="cannot measure deepfloyd"):
        sample.measure.evaluate.main(["--model", "deepfloyd"])


def test_dynamic_thresholding_keeps_what_lies_inside():
    """A picture in the range stays; one whose share beyond it is large is divided by what bounds
    that share, at most 1.5, and then clipped. Each picture for itself."""
    clip = dynamic_threshold(0.75, 1.5)
    x = torch.tensor([-0.5, 0.1, 0.9, 1.0, -1.2]).view(1, 1, 1, 5)
    assert torch.equal(clip(x), x.clamp(-1, 1))  # three quarters lie below 1
    assert torch.allclose(clip(1.4 * x), (x / 1.0).clamp(-1, 1))
    assert torch.allclose(clip(4 * x), (4 * x / 1.5).clamp(-1, 1))
    both = torch.cat([x, 4 * x])
    assert torch.equal(clip(both), torch.cat([clip(x), clip(4 * x)]))
