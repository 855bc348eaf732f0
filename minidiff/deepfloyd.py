"""DeepFloyd IF, a large model of sentences, under the contract of this project. Optional.

DeepFloyd IF does for any sentence, in colour, what the digit model does for ten digits. It, too, is
a UNet that tells the noise; so samplers.py, guidance.py and editing.py work with it as they are.
This file loads it and does nothing else: no loop, no step, no guidance.

    (eps_hat, v) = model(x_t, t, cond)     x_t (B,3,64,64) float32 in -1..1; t (B,) in 1..1000

Four things set it apart.

  It reads sentences. A language model, T5, turns each into 77 vectors. T5 is five times as large
  as the UNet; so it is loaded first, alone, and let go, and what it said is kept (embeddings.py).
  The UNet comes when it is first asked.
  It tells its variance: v is the v of "learned" in samplers.py.
  It counts timesteps from 0: theirs is our t - 1.
  On a GPU it computes in half precision. The schedule never does: alpha_bar falls below 10⁻⁸, which
  half precision calls 0. So pictures and steps are float32, and only the network's inside is not.

The second stage is the idea of upsampler.py at another size: it is shown the small picture beside
the noise, enlarged, and noised to a level that it is told. How to run it: docs/deepfloyd.md.

Sources: DeepFloyd IF, github.com/deep-floyd/IF; Imagen, arXiv:2205.11487 (T5 as text encoder:
section 2.1; noise conditioning augmentation: section 2.4).

Exercises
1. Forget that they count from 0: hand them t in place of t - 1. Who notices? (make test-deepfloyd)
   test_against_deepfloyd.py: test_ours_is_theirs
2. Noise what the second stage is shown to alpha_bar[level] in place of alpha_bar[level + 1].
   test_against_deepfloyd.py: test_ours_is_theirs

This is the last lecture. The scripts in train/, sample/ and figures/ put it all to use.
"""

import copy
import gc
import sys
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F

from minidiff.diffusion import noise_like, q_sample
from minidiff.embeddings import Embeddings
from minidiff.hub import HUB, identity, stage_folder
from minidiff.photos import sample_picture
from minidiff.samplers import Diffusion, dynamic_threshold
from minidiff.schedule import Schedule
from minidiff.torchvision_ops import torchvision_functional

TOKENS = 77  # of a prompt that T5 reads
PIPELINES = ("IFPipeline", "IFSuperResolutionPipeline")  # of stage I, II
HABITS = {  # flags' values that suit it, where they are not the digit model's
    "steps": 100, "variance": "learned", "clip": "dynamic", "gamma": 7.0, "guide_until": 0.0,
    "upsample_steps": 50, "upsample_level": 0.25, "upsample_gamma": 4.0, "upsample_held": False,
    "prompts": ("an oil painting of people around a campfire", "an oil painting of an old man"),
    "view": ("vflip",), "low": "a lithograph of a skull", "high": "a lithograph of waterfalls",
    "sigma": 2.0, "mask": "rows 2:20 columns 24:42", "n": 4, "per_digit": 1,
    "image": sample_picture(),
}


def _diffusers():
    """Import diffusers, told to be quiet. Raises ValueError where the extra is not installed."""
    torchvision_functional()  # lets it import beside any torch
    try:
        import accelerate, diffusers, google.protobuf, sentencepiece, transformers  # noqa
    except ImportError as e:
        raise ValueError(f"DeepFloyd needs {e.name}, which is not installed; run `make "
                         "setup-deepfloyd`, or pip install 'minidiff[deepfloyd]'") from e
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    return diffusers


def _pipeline(kind, folder, device, offload, **left_out):
    """Load a pipeline but for what is left out. offload: each layer is on the GPU only while it
    computes. Raises ValueError, in one sentence, for whatever goes wrong."""
    diffusers = _diffusers()
    try:
        pipe = getattr(diffusers, kind).from_pretrained(
            folder, dtype=torch.float16 if device.type == "cuda" else torch.float32,
            variant="fp16" if any(folder.glob("*/*fp16*")) else None, local_files_only=True,
            safety_checker=None, feature_extractor=None, watermarker=None,
            requires_safety_checker=False, **left_out,
        )
        if offload and device.type == "cuda":
            pipe.enable_sequential_cpu_offload(device=device)
            return pipe
        return pipe.to(device)
    except torch.OutOfMemoryError as e:
        raise ValueError(_too_small(f"all of {folder.name}", offload)) from e
    except Exception as e:  # a folder that holds something else fails in any way
        raise ValueError(_foreign(folder, e)) from e


def _foreign(folder, e):
    return (f"{folder} cannot be loaded as a stage of DeepFloyd, a file is cut short or another "
            f"model's; fetch it again ({str(e).strip().splitlines()[0][:200]})")


def _too_small(what, offload):
    cure = "" if offload else "add --offload, which keeps on it only what computes just now, or "
    return f"the GPU's memory is too small for {what}; {cure}ask for less (--n, --per-digit)"


@torch.no_grad()
def _read(prompts, *, place, download, device, offload):
    """Let T5 come, read the prompts, and go. Returns (len(prompts), 77, channels), on the CPU."""
    folder = stage_folder(place, 1, "text_encoder", download)
    print(f"T5 reads: {', '.join(map(repr, prompts))}", flush=True)
    pipe = _pipeline(PIPELINES[0], folder, device, offload, unet=None)
    for prompt in prompts:
        if len(pipe.tokenizer(prompt).input_ids) > TOKENS:
            print(f"note: of {prompt[:40]!r}... {TOKENS} tokens are read", file=sys.stderr)
    try:
        return pipe.encode_prompt(prompts, do_classifier_free_guidance=False)[0].cpu()
    except torch.OutOfMemoryError as e:
        raise ValueError(_too_small("the text encoder", offload)) from e
    finally:
        del pipe
        gc.collect()
        torch.cuda.empty_cache()


class DeepFloyd(Diffusion):
    """Stage I under the contract (models.py).

    config: the network's. schedulers: of diffusers. texts: prompts -> embeddings. unet: () -> the
    network, called at the first question, when T5 has long gone. name: for captions.
    """

    kind, stage, file, data_range = "deepfloyd", 1, Path("deepfloyd"), (-1.0, 1.0)
    conditional, habits = True, HABITS
    guidance = {name: HABITS[name] for name in ("gamma", "guide_until")}

    def __init__(self, config, schedulers, texts, unet, name, device="cpu"):
        self.texts, self.summary, self.device = texts, name, torch.device(device)
        self._load, C, rule = cache(unet), 3, schedulers[0].config
        channels = config["in_channels"], config["out_channels"]
        if channels != (C * self.stage, 2 * C):
            raise ValueError(f"{name} takes {channels[0]} channels and tells {channels[1]}; stage "
                             f"{self.stage} takes {C * self.stage} and tells {2 * C}")
        self.width = config["encoder_hid_dim"]
        self.image_shape = (C, config["sample_size"], config["sample_size"])
        self.schedule, *noising = (_schedule(s).to(self.device) for s in schedulers)
        self.noising = noising[0] if noising else None
        threshold = dynamic_threshold(rule.dynamic_thresholding_ratio, rule.sample_max_value)
        self.clips = {"range": self.data_range, "dynamic": threshold, "none": None}

    def embed(self, prompts):
        """Turn sentences into float32 (len(prompts), 77, channels); see embeddings.py. Raises
        ValueError for embeddings of another model."""
        found = self.texts(prompts)
        if found.shape[2] != self.width:
            raise ValueError(f"{self.summary} wants embeddings of {self.width} channels, got "
                             f"{found.shape[2]}: they are another text encoder's")
        return found.to(self.device)

    def __call__(self, x_t, t, cond):
        """Return (eps_hat, v), each like x_t (B,C,H,W) float32. t: (B,) int64 in 1..T. cond: from
        `embed`. Raises ValueError where the GPU's memory does not suffice."""
        return self._ask(x_t, t, cond)

    @property
    def unet(self):
        """The network itself, loaded when it is first asked for."""
        return self._load()

    @torch.no_grad()
    def _ask(self, x, t, texts, **more):
        unet, inside = self.unet, self.unet.dtype
        try:
            told = unet(
                x.to(inside), t - 1, encoder_hidden_states=texts.to(inside), return_dict=False,
                **more,
            )[0]
        except torch.OutOfMemoryError as e:
            raise ValueError(_too_small(f"a batch of {len(x)}", hasattr(unet, "_hf_hook"))) from e
        return told.to(x.dtype).chunk(2, 1)


class SecondStage(DeepFloyd):
    """Stage II: it is shown a small picture and draws it larger. schedulers: the second is that of
    the noise on what it is shown."""

    stage, low = 2, None

    def given(self, low, level=HABITS["upsample_level"], generator=None):
        """Return this model, shown small pictures (N,C,h,w) in -1..1 to draw. level: of the noise
        on them, a share of T."""
        shown = copy.copy(self)
        shown.level = round(level * self.noising.T)  # as they count, from 0
        large = F.interpolate(low, self.image_shape[1:], mode="bilinear", align_corners=True)
        at = torch.full((len(low),), shown.level + 1, device=low.device)
        shown.low = q_sample(self.noising, large, at, noise_like(large, generator))
        return shown

    def embed(self, prompts):
        """Return a row for each prompt: its embedding, the level, and the picture it is shown."""
        if self.low is None or len(prompts) != len(self.low):
            shown = 0 if self.low is None else len(self.low)
            raise ValueError(f"{len(prompts)} prompts for {shown} pictures; show them with `given`")
        texts = super().embed(prompts).flatten(1)
        level = texts.new_full((len(prompts), 1), self.level)
        return torch.cat([texts, level, self.low.flatten(1)], 1)

    def __call__(self, x_t, t, cond):
        """Return (eps_hat, v), each like x_t; see DeepFloyd."""
        pixels = x_t[0].numel()
        texts, level, low = cond.split([cond.shape[1] - 1 - pixels, 1, pixels], 1)
        texts = texts.view(len(x_t), TOKENS, -1)
        return self._ask(torch.cat([x_t, low.view_as(x_t)], 1), t, texts, class_labels=level[:, 0])


def _schedule(scheduler):
    """Return a scheduler's alpha_bar, with the 1 in front that theirs lacks."""
    return Schedule(torch.cat([torch.ones(1), scheduler.alphas_cumprod.float()]))


def load(
    model_dir="", stage=1, *, embeddings="", offload=False, download=False, device="cpu", texts=None
):
    """Load a stage of DeepFloyd IF as a model that can be prompted.

    model_dir: a folder or hub name, see `hub.stage_folder`. stage: 1 or 2. embeddings: a .pth
    dictionary, prompt -> (1,77,4096), in place of T5. offload: for a GPU that cannot hold it.
    download: fetch what is not on this machine. texts: those of a stage that is loaded already.
    Raises ValueError for whatever is missing.
    """
    diffusers = _diffusers()  # before anything is fetched for it
    folder, device = stage_folder(model_dir, stage, "unet", download), torch.device(device)
    if texts is None:
        encode = partial(_read, place=model_dir, download=download, device=device, offload=offload)
        texts = Embeddings(encode, identity(model_dir), embeddings)
    local = model_dir and Path(model_dir).is_dir()
    name = f"DeepFloyd {folder.name if local else (model_dir or HUB).split('/')[1]}"

    def unet():
        kind = PIPELINES[stage - 1]
        return _pipeline(kind, folder, device, offload, text_encoder=None, tokenizer=None).unet

    try:
        config = diffusers.UNet2DConditionModel.load_config(folder, subfolder="unet")
        kinds = ("scheduler", "image_noising_scheduler")[:stage]
        schedulers = [diffusers.DDPMScheduler.from_pretrained(folder, subfolder=k) for k in kinds]
        return (DeepFloyd, SecondStage)[stage - 1](config, schedulers, texts, unet, name, device)
    except (OSError, KeyError, TypeError) as e:
        raise ValueError(_foreign(folder, e)) from e
