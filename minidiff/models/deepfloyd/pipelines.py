"""Load DeepFloyd's parts with diffusers' pipelines: the text encoder T5, and each stage's UNet.

T5 is five times as large as the UNet, so it is loaded first, alone, and freed before the UNet is
loaded (embeddings.py caches its outputs). Every failure is a ValueError that says what to do.
"""

import gc
import sys

import torch

from minidiff.models.deepfloyd.hub import stage_folder
from minidiff.system import errors
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


def number_format(device, half):
    """Return the dtype of the networks: half precision on cuda, unless `half` is False."""
    return torch.float16 if half and device.type == "cuda" else torch.float32


def load_pipeline(kind, folder, device, offload, half=True, **left_out):
    """Load a pipeline without the parts in `left_out`. offload: each layer is on the GPU only while
    it computes. half: see `number_format`. Raises ValueError, in one sentence, for any failure."""
    diffusers = import_diffusers()
    try:
        pipe = getattr(diffusers, kind).from_pretrained(
            folder, dtype=number_format(device, half),
            variant="fp16" if any(folder.glob("*/*fp16*")) else None, local_files_only=True,
            safety_checker=None, feature_extractor=None, watermarker=None,
            requires_safety_checker=False, **left_out,
        )
        if offload and device.type == "cuda":
            pipe.enable_sequential_cpu_offload(device=device)
            return pipe
        return pipe.to(device)
    except Exception as e:  # a folder that holds something else can raise any error
        if errors.out_of_memory(e):
            raise ValueError(too_small(f"all of {folder.name}", e, offload)) from e
        raise ValueError(foreign(folder, e)) from e


def load_unet(stage, folder, device, offload, half=True):
    """Return the UNet of stage 1 or 2; arguments and errors as `load_pipeline`."""
    kind = PIPELINES[stage - 1]
    return load_pipeline(
        kind, folder, device, offload, half, text_encoder=None, tokenizer=None
    ).unet


def foreign(folder, e):
    """Return the message for a folder that cannot be loaded; e: the library's error."""
    reason = (str(e).strip() or repr(e)).splitlines()[0][:200]
    return (f"{folder} cannot be loaded as a stage of DeepFloyd: a file is truncated or belongs to "
            f"another model; download it again ({reason})")


def too_small(what, e, offload):
    """Return the message for too little memory. e: the error. offload: whether it is on already."""
    if not errors.on_gpu(e):
        return f"the memory is too small for {what}; {errors.smaller()}"
    cure = "" if offload else "add --offload, which keeps only the layers in use on it, or "
    return f"the GPU's memory is too small for {what}; {cure}{errors.smaller()}"


@torch.no_grad()
def encode(prompts, *, place, download, device, offload, half=True):
    """Load T5, encode the prompts, free it; return (len(prompts), 77, channels) on the CPU."""
    folder = stage_folder(place, 1, "text_encoder", download)
    print(f"T5 encodes: {', '.join(map(repr, prompts))}", flush=True)
    pipe = load_pipeline(PIPELINES[0], folder, device, offload, half, unet=None)
    for prompt in prompts:
        if len(pipe.tokenizer(prompt).input_ids) > TOKENS:
            print(f"note: of {prompt[:40]!r}... only {TOKENS} tokens are used", file=sys.stderr)
    try:
        return pipe.encode_prompt(prompts, do_classifier_free_guidance=False)[0].cpu()
    except (MemoryError, RuntimeError) as e:
        if not errors.out_of_memory(e):
            raise
        raise ValueError(too_small("the text encoder", e, offload)) from e
    finally:
        del pipe
        gc.collect()
        torch.cuda.empty_cache()
