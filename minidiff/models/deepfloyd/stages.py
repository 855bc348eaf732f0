"""DeepFloyd IF, a large text-to-image model, under this project's contract. Optional.

DeepFloyd IF does for any sentence, in colour, what the digit model does for ten digits. It, too, is
a UNet that predicts noise, so samplers, guidance and editing work with it as they are. This folder
loads it and adds only what the digit models lack (learned.py).

    eps_hat = model(x_t, t, cond)     x_t (B,3,64,64) float32 in -1..1; t (B,) in 1..1000

Four things are special:

1. Prompts are sentences. A language model, T5, maps each to 77 vectors (pipelines.py).
2. It predicts its variance too: eps_hat.v, see learned.py.
3. It counts timesteps from 0: its timestep is our t - 1.
4. On a GPU it computes in half precision, unless --precision float32 is typed. The schedule never
   does: alpha_bar falls below 10⁻⁸, which half precision rounds to 0. So images and steps are
   float32; only the network is not.

The second stage is the idea of models/upsampler.py at another size: the network is given the small
image in addition to the noise, enlarged, and noised to a level that it is given too. How to run it:
docs/deepfloyd.md.

Sources: DeepFloyd IF, github.com/deep-floyd/IF; Imagen, arXiv:2205.11487 (T5 as text encoder:
section 2.1; noise conditioning augmentation: section 2.4).

Exercises
1. Pass t instead of t - 1. Which test fails? (make test-deepfloyd)
   test_against_deepfloyd.py: test_our_images_equal_those_of_the_pipelines
2. Noise the second stage's input to alpha_bar[level] instead of alpha_bar[level + 1].
   test_against_deepfloyd.py: test_our_images_equal_those_of_the_pipelines
"""

import copy
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F

from minidiff.models.deepfloyd import learned, pipelines
from minidiff.models.deepfloyd.defaults import DEFAULTS
from minidiff.models.deepfloyd.embeddings import Embeddings
from minidiff.models.deepfloyd.hub import HUB, identity, stage_folder
from minidiff.models.model import NoiseModel
from minidiff.system import errors
from minidiff.theory.diffusion import noise_like, q_sample
from minidiff.theory.samplers import VARIANCES
from minidiff.theory.schedule import Schedule


class DeepFloyd(NoiseModel):
    """Stage I under the contract (models/model.py).

    config: the network's. schedulers: diffusers'. texts: prompts -> embeddings. unet: () -> the
    network, called when it is first needed, after T5 was freed. name: for captions.
    """

    kind, stage, file, data_range = "deepfloyd", 1, Path("deepfloyd"), (-1.0, 1.0)
    conditional, bfloat16, half, defaults = True, False, True, DEFAULTS
    variances = (*VARIANCES, "learned")
    image_shape = None  # set in __init__, in place of the property
    step, join = staticmethod(learned.ddpm_step), staticmethod(learned.join)
    combine = staticmethod(learned.combine)

    def __init__(self, config, schedulers, texts, unet, name, device="cpu"):
        self.texts, self.summary, self.device = texts, name, torch.device(device)
        self._load, C, rule = cache(unet), 3, schedulers[0].config
        channels = config["in_channels"], config["out_channels"]
        if channels != (C * self.stage, 2 * C):
            raise ValueError(f"{name} has {channels[0]} channels in and {channels[1]} out; stage "
                             f"{self.stage} has {C * self.stage} and {2 * C}")
        self.width = config["encoder_hid_dim"]
        self.image_shape = (C, config["sample_size"], config["sample_size"])
        self.schedule, *noising = (_schedule(s).to(self.device) for s in schedulers)
        self.noising = noising[0] if noising else None
        ratio, most = rule.dynamic_thresholding_ratio, rule.sample_max_value
        self.threshold = learned.dynamic_threshold(ratio, most)

    @property
    def clips(self):
        """What may be done with x_0_hat at each step, by name."""
        return {**super().clips, "dynamic": self.threshold}

    def embed(self, prompts):
        """Return the embeddings of sentences, float32 (len(prompts), 77, channels). Raises
        ValueError for those of another text encoder."""
        found = self.texts(prompts)
        if found.shape[2] != self.width:
            raise ValueError(f"{self.summary} needs embeddings of {self.width} channels, got "
                             f"{found.shape[2]}: they are another text encoder's")
        return found.to(self.device)

    def __call__(self, x_t, t, cond):
        """Return eps_hat, like x_t (B,C,H,W) float32, with v. t: (B,) int64 in 1..T. cond: from
        `embed`. Raises ValueError if the GPU's memory is too small."""
        return self._predict(x_t, t, cond)

    @property
    def unet(self):
        """The network itself, loaded when it is first needed."""
        return self._load()

    @torch.no_grad()
    def _predict(self, x, t, texts, **more):
        unet, inside = self.unet, self.unet.dtype
        try:
            output = unet(
                x.to(inside), t - 1, encoder_hidden_states=texts.to(inside), return_dict=False,
                **more,
            )[0]
        except (MemoryError, RuntimeError) as e:
            if not errors.out_of_memory(e):
                raise
            batch, offload = f"a batch of {len(x)}", hasattr(unet, "_hf_hook")
            raise ValueError(pipelines.too_small(batch, e, offload)) from e
        return learned.carrying(*output.to(x.dtype).chunk(2, 1))


class SecondStage(DeepFloyd):
    """Stage II: it enlarges the images passed to `given`. schedulers: the second is that of the
    noise on them."""

    stage, low = 2, None

    def given(self, low, level=DEFAULTS["upsample_level"], generator=None):
        """Return this model with small images (N,C,h,w) in -1..1 to enlarge. level: of the noise
        on them, a share of T."""
        made = copy.copy(self)
        made.level = round(level * self.noising.T)  # counted from 0
        large = F.interpolate(low, self.image_shape[1:], mode="bilinear", align_corners=True)
        at = torch.full((len(low),), made.level + 1, device=low.device)
        made.low = q_sample(self.noising, large, at, noise_like(large, generator))
        return made

    def embed(self, prompts):
        """Return a row for each prompt: its embedding, the level, and the image it is given."""
        if self.low is None or len(prompts) != len(self.low):
            count = 0 if self.low is None else len(self.low)
            raise ValueError(f"{len(prompts)} prompts for {count} images; pass them to `given`")
        texts = super().embed(prompts).flatten(1)
        level = texts.new_full((len(prompts), 1), self.level)
        return torch.cat([texts, level, self.low.flatten(1)], 1)

    def __call__(self, x_t, t, cond):
        """Return eps_hat, like x_t, with v; see DeepFloyd."""
        pixels = x_t[0].numel()
        texts, level, low = cond.split([cond.shape[1] - 1 - pixels, 1, pixels], 1)
        texts = texts.view(len(x_t), pipelines.TOKENS, -1)
        both = torch.cat([x_t, low.view_as(x_t)], 1)
        return self._predict(both, t, texts, class_labels=level[:, 0])


def _schedule(scheduler):
    """Return a Schedule with a scheduler's alpha_bar, after alpha_bar[0] = 1, which it lacks."""
    return Schedule(torch.cat([torch.ones(1), scheduler.alphas_cumprod.float()]))


def load(
    model_dir="", stage=1, *, embeddings="", offload=False, download=False, device="cpu",
    texts=None, half=True,
):
    """Load a stage of DeepFloyd IF as a model that can be prompted.

    model_dir: a folder or hub name, see `hub.stage_folder`. stage: 1 or 2. embeddings: a .pth
    dictionary, prompt -> (1,77,4096), in place of T5. offload: for a GPU too small to hold it.
    download: fetch what is not on this machine. texts: of a stage that is already loaded. half:
    compute in half precision on cuda. Raises ValueError for whatever is missing.
    """
    diffusers = pipelines.import_diffusers()  # before anything is downloaded for it
    folder, device = stage_folder(model_dir, stage, "unet", download), torch.device(device)
    if texts is None:
        encode = partial(pipelines.encode, place=model_dir, download=download, device=device,
                         offload=offload, half=half)
        texts = Embeddings(encode, identity(model_dir), embeddings)
    local = model_dir and Path(model_dir).is_dir()
    name = f"DeepFloyd {folder.name if local else (model_dir or HUB).split('/')[1]}"
    unet = partial(pipelines.load_unet, stage, folder, device, offload, half)
    try:
        config = diffusers.UNet2DConditionModel.load_config(folder, subfolder="unet")
        kinds = ("scheduler", "image_noising_scheduler")[:stage]
        schedulers = [diffusers.DDPMScheduler.from_pretrained(folder, subfolder=k) for k in kinds]
        kind = (DeepFloyd, SecondStage)[stage - 1]
        model = kind(config, schedulers, texts, unet, name, device)
    except (OSError, KeyError, TypeError) as e:
        raise ValueError(pipelines.foreign(folder, e)) from e
    model.half = half
    return model
