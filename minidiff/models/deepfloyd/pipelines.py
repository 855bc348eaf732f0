"""DeepFloyd's parts, loaded with diffusers' pipelines: the text encoder T5, and the UNet of a stage.

T5 is five times as large as the UNet, so it is loaded first, alone, and freed before the UNet is
loaded (embeddings.py keeps its outputs). Whatever goes wrong is a ValueError with its cure.
"""

import gc
import sys

import torch

from minidiff.models.deepfloyd.hub import stage_folder
from minidiff.system.torchvision_ops import torchvision_functional

TOKENS = 77  # of a prompt, the most that T5 is given
PIPELINES = ("IFPipeline", "IFSuperResolutionPipeline")  # of stage I, II


def import_diffusers():
    """Import diffusers, with its messages off. Raises ValueError where the extra is not installed."""
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


def load_pipeline(kind, folder, device, offload, **left_out):
    """Load a pipeline but for what is left out. offload: each layer is on the GPU only while it
    computes. Raises ValueError, in one sentence, for whatever goes wrong."""
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
    except Exception as e:  # a folder that holds something else fails in any way
        raise ValueError(foreign(folder, e)) from e


def foreign(folder, e):
    return (f"{folder} cannot be loaded as a stage of DeepFloyd, a file is cut short or another "
            f"model's; fetch it again ({str(e).strip().splitlines()[0][:200]})")


def too_small(what, offload):
    cure = "" if offload else "add --offload, which keeps only the layers in use on it, or "
    return f"the GPU's memory is too small for {what}; {cure}ask for less (--n, --per-digit)"


@torch.no_grad()
def encode(prompts, *, place, download, device, offload):
    """Load T5, encode the prompts, and free it. Returns (len(prompts), 77, channels), on the CPU."""
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
