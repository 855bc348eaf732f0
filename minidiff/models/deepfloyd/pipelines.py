"""Load DeepFloyd's parts with diffusers' pipelines: the text encoder T5, and each stage's UNet.

T5 is five times as large as the UNet, so it is loaded first, alone, and freed before the UNet is
loaded (embeddings.py caches its outputs). Every failure is a ValueError that says what to do.
"""

import gc
import sys

import torch

from minidiff.models.deepfloyd.hub import stage_folder
from minidiff.system.torchvision_ops import torchvision_functional

TOKENS = 77  # of a prompt, the most that T5 is given
PIPELINES = ("IFPipeline", "IFSuperResolutionPipeline")  # of stage I, II


def import_diffusers():
    """Import diffusers, its messages switched off. Raises ValueError if it is not installed."""
    torchvision_functional()  # makes the import work with any build of torch
    try:
        import accelerate, diffusers, google.protobuf, sentencepiece, transformers  # noqa
    except ImportError as e:
        raise ValueError(f"DeepFloyd needs {e.name}, which is not installed; run `make "
                         "setup-deepfloyd`, or pip install 'minidiff[deepfloyd]'") from e
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    return diffusers


def load_pipeline(kind, folder, device, offload, **left_out):
    """Load a pipeline without the parts in `left_out`. offload: each layer is on the GPU only while
    it computes. Raises ValueError, in one sentence, for any failure."""
    diffusers = import_diffusers()
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
        raise ValueError(too_small(f"all of {folder.name}", offload)) from e
    except Exception as e:  # a folder that holds something else can raise any error
        raise ValueError(foreign(folder, e)) from e


def load_unet(stage, folder, device, offload):
    """Return the UNet of stage 1 or 2; arguments and errors as `load_pipeline`."""
    kind = PIPELINES[stage - 1]
    return load_pipeline(kind, folder, device, offload, text_encoder=None, tokenizer=None).unet


def foreign(folder, e):
    """Return the message for a folder that cannot be loaded; e: the library's error."""
    return (f"{folder} cannot be loaded as a stage of DeepFloyd: a file is truncated or belongs to "
            f"another model; download it again ({str(e).strip().splitlines()[0][:200]})")


def too_small(what, offload):
    """Return the message for too little GPU memory; offload: whether it is on already."""
    cure = "" if offload else "add --offload, which keeps only the layers in use on it, or "
    return f"the GPU's memory is too small for {what}; {cure}ask for less (--n, --per-digit)"


@torch.no_grad()
def encode(prompts, *, place, download, device, offload):
    """Load T5, encode the prompts, free it; return (len(prompts), 77, channels) on the CPU."""
    folder = stage_folder(place, 1, "text_encoder", download)
    print(f"T5 encodes: {', '.join(map(repr, prompts))}", flush=True)
    pipe = load_pipeline(PIPELINES[0], folder, device, offload, unet=None)
    for prompt in prompts:
        if len(pipe.tokenizer(prompt).input_ids) > TOKENS:
            print(f"note: of {prompt[:40]!r}... only {TOKENS} tokens are used", file=sys.stderr)
    try:
        return pipe.encode_prompt(prompts, do_classifier_free_guidance=False)[0].cpu()
    except torch.OutOfMemoryError as e:
        raise ValueError(too_small("the text encoder", offload)) from e
    finally:
        del pipe
        gc.collect()
        torch.cuda.empty_cache()
