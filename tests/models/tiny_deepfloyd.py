"""A tiny DeepFloyd IF: pipelines of the real diffusers classes with random weights.

    python -m tests.models.tiny_deepfloyd FOLDER        64 and 256 pixels, as the real ones

The folder has the hub's layout, fp16 variant included, so that everything but the weights is real:
make figures MODEL=deepfloyd MODEL_DIR=FOLDER draws part A of the page with it.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import torch

from minidiff.system.torchvision_ops import torchvision_functional

STAGES = ("IF-I-tiny", "IF-II-tiny")
LINES = [
    "a man wearing a hat and a woman with a rocket ship in the snow",
    "an oil painting of a snowy mountain village, people around a campfire, an old man",
    "a lithograph of waterfalls and of a skull; a photo of an eye, a dog, a cpu and the coast",
    "a pencil, a hipster barista, high quality photo of the quick brown fox over the lazy dog",
]
SCHEDULER = {
    "num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "thresholding": True,
    "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5, "variance_type": "learned_range",
    "prediction_type": "epsilon",
}


def _text(folder):
    """Return a tokenizer trained on LINES, and a T5 encoder with random weights."""
    import sentencepiece
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20), model_prefix=str(folder / "spiece"), vocab_size=60,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )
    tokenizer = T5Tokenizer.from_pretrained(folder)
    torch.manual_seed(1)
    encoder = T5EncoderModel(T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu",
    ))
    return tokenizer, encoder.eval()


def _unet(stage, side):
    """Return a UNet of the real class: it predicts eps and variance, and takes a noise level in
    stage II. It attends to the text at 16 pixels or fewer, as attention among more is slow."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(stage + 1)
    depth = max(2, side.bit_length() - 4)  # 16 -> 2 resolutions, 64 -> 3, 256 -> 5
    down = ("ResnetDownsampleBlock2D",) * (depth - 1) + ("SimpleCrossAttnDownBlock2D",)
    more = {} if stage == 1 else {"class_embed_type": "timestep"}
    return UNet2DConditionModel(
        sample_size=side, in_channels=3 * stage, out_channels=6, layers_per_block=1,
        block_out_channels=(8,) * depth, norm_num_groups=4, attention_head_dim=4,
        down_block_types=down, mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=tuple(d.replace("Down", "Up").replace("downs", "ups")
                             for d in reversed(down)),
        cross_attention_dim=8, encoder_hid_dim=16, encoder_hid_dim_type="text_proj",
        resnet_time_scale_shift="scale_shift", addition_embed_type="text",
        addition_embed_type_num_heads=2, act_fn="gelu", only_cross_attention=False, **more,
    ).eval()


def build(folder, sides=(64, 256)) -> Path:
    """Write both stages into a folder in the hub's layout, in half precision; return it."""
    torchvision_functional()
    with tempfile.TemporaryDirectory() as place:
        tokenizer, encoder = _text(Path(place))
        return _build(Path(folder), Path(place) / "spiece.model", tokenizer, encoder, sides)


def _build(folder, spiece, tokenizer, encoder, sides):
    from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline

    none = dict.fromkeys(("safety_checker", "feature_extractor", "watermarker"))
    kinds = (IFPipeline, IFSuperResolutionPipeline)
    for stage, (kind, side, name) in enumerate(zip(kinds, sides, STAGES), 1):
        unet = _unet(stage, side)
        with torch.no_grad():  # with random weights its output would be nearly 0
            unet.conv_out.weight.mul_(4)
        more = {} if stage == 1 else {
            "image_noising_scheduler": DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2")}
        pipe = kind(tokenizer=tokenizer, text_encoder=encoder, unet=unet,
                    scheduler=DDPMScheduler(**SCHEDULER), requires_safety_checker=False,
                    **none, **more)
        pipe.to(torch.float16).save_pretrained(folder / name, variant="fp16")
        encoder.float()
        (folder / name / "tokenizer" / "tokenizer.json").unlink()  # the hub has sentencepiece's
        shutil.copy(spiece, folder / name / "tokenizer")
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected one folder: python -m tests.models.tiny_deepfloyd FOLDER")
    print(f"wrote {build(sys.argv[1])}")
