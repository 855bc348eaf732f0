"""Both stages of DeepFloyd IF at full size, with random weights, on the CPU: time and memory.

    make test-deepfloyd-full

Tiny pipelines (tiny_deepfloyd.py) show that the loader is right; this shows that its network code
runs at the real size, in half precision (bfloat16), through our sampler: two steps of each stage.

Where the sizes come from. Stage I: diffusers' scripts/convert_if.py says how a configuration turns
into a network, and the published configuration of IF-I-XL has channels 704 x (1, 2, 3, 4) and 3
layers a block; that is 4.30 billion weights. 320 in place of 704 gives 0.94 billion, IF-I-L's 0.9,
and 192 gives IF-I-M's 0.4. Stage II: the same script names the parts (a level of noise, cross
attention at the lowest resolution only, layers that differ from block to block); its widths are in
no file that can be read without the licence. So Imagen's super-resolution network is taken
(arXiv:2205.11487; not checked against its text), channels x (1, 2, 4, 8) with 2, 4, 8 and 8 layers,
as wide as it needs to be for the 1.2 billion weights of IF-II-L's card.
"""

import resource
import time

import torch

from minidiff.models import upsampler
from minidiff.models.deepfloyd.stages import DeepFloyd, SecondStage
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.system.torchvision_ops import torchvision_functional
from tests.models.tiny_deepfloyd import SCHEDULER

STEPS, PROMPT = 2, "a rocket ship"
PARTS = {
    "out_channels": 6, "attention_head_dim": 64, "encoder_hid_dim": 4096, "act_fn": "gelu",
    "encoder_hid_dim_type": "text_proj", "resnet_time_scale_shift": "scale_shift",
    "addition_embed_type": "text", "addition_embed_type_num_heads": 64,
    "cross_attention_norm": "group_norm", "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
}
STAGES = {
    "IF-I-L": {"sample_size": 64, "in_channels": 3, "layers_per_block": 3,
               "block_out_channels": (320, 640, 960, 1280), "cross_attention_dim": 1280},
    "IF-II-L": {"sample_size": 256, "in_channels": 6, "layers_per_block": (2, 4, 8, 8),
                "block_out_channels": (160, 320, 640, 1280), "cross_attention_dim": 1280,
                "class_embed_type": "timestep", "time_embedding_act_fn": "gelu",
                "resnet_skip_time_act": True, "resnet_out_scale_factor": 1 / 0.7071,
                "mid_block_scale_factor": 1 / 0.7071, "only_cross_attention": True},
}
ATTENTION = {"IF-I-L": (1, 2, 3), "IF-II-L": (3,)}  # blocks with cross attention


def config(name):
    """Return a stage's configuration, as diffusers reads it."""
    kinds = ["SimpleCrossAttn" if k in ATTENTION[name] else "Resnet" for k in range(4)]
    down = [kind + ("DownBlock2D" if "Cross" in kind else "DownsampleBlock2D") for kind in kinds]
    up = [kind + ("UpBlock2D" if "Cross" in kind else "UpsampleBlock2D") for kind in kinds[::-1]]
    return {**PARTS, **STAGES[name], "down_block_types": down, "up_block_types": up}


def network(name, dtype=torch.bfloat16):
    """Return a stage's network with random weights that keep its activations finite."""
    torchvision_functional()
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config(name))
    unet = unet.to(dtype).to_empty(device="cpu").eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for key, p in unet.named_parameters():
            if p.dim() > 1:
                p.normal_(std=p[0].numel() ** -0.5)
            else:
                p.fill_(float(key.endswith("weight")))
    return unet


def stage(kind, name, unet):
    """Return a stage under the contract, with random embeddings in place of T5's."""
    from diffusers import DDPMScheduler

    def texts(prompts):
        return torch.randn(len(prompts), 77, 4096, generator=torch.Generator().manual_seed(0))

    noising = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2")
    return kind(config(name), [DDPMScheduler(**SCHEDULER), noising][: kind.stage], texts,
                lambda: unet, f"DeepFloyd {name}, random weights")


def report(name, unet, x, start):
    """Check the images of a stage and print its size, its time and the memory so far."""
    assert torch.isfinite(x).all() and x.abs().max() <= 1 and x.std() > 0.01
    count = sum(p.numel() for p in unet.parameters()) / 1e9
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: {count:.2f} billion weights in {unet.dtype}, {STEPS} guided steps of "
          f"{tuple(x.shape)} in {wall:.0f} s ({cpu:.0f} s of CPU time); peak memory so far "
          f"{memory:.1f} GiB", flush=True)


def now():
    """Return wall-clock time and CPU time, in seconds."""
    return time.perf_counter(), time.process_time()


def run():
    """Sample an image in two steps and enlarge it in two."""
    unet = network("IF-I-L")
    model, start = stage(DeepFloyd, "IF-I-L", unet), now()
    options = options_for(model, steps=STEPS)
    *_, last = generate(model, [PROMPT], steps=STEPS, **options.guidance, **options.sampling(model))
    report("IF-I-L", unet, last.x_t.clamp(-1, 1), start)
    del unet, model
    unet = network("IF-II-L")
    model, start = stage(SecondStage, "IF-II-L", unet), now()
    x = upsampler.upsample(model, last.x_t.clamp(-1, 1), [PROMPT], steps=STEPS, gamma=4.0,
                           held=False, **options_for(model, steps=STEPS).sampling(model))
    assert x.shape == (1, 3, 256, 256)
    report("IF-II-L", unet, x, start)


if __name__ == "__main__":
    run()
