"""What the sampling scripts start from when nothing is typed: prompts, images, masks, views, and
the guidance that suits each task. A value here comes before the model's defaults."""

from pathlib import Path

from minidiff.files.photos import sample_photo
from minidiff.models.model import UNGUIDED
from minidiff.models.options import BETWEEN, MIXED

INPUTS = Path(__file__).resolve().parent.parent / "figures" / "inputs"
DRAWN, PHOTO = str(INPUTS / "drawn-3.png"), sample_photo()
PAINTINGS = ("an oil painting of people around a campfire", "an oil painting of an old man")
SKULL = {"low": "a lithograph of a skull", "high": "a lithograph of waterfalls"}

EXAMPLES = {  # (script, kind of model) -> values of its flags
    ("denoise", "digits"): {"image": DRAWN, "n": 4},
    ("sdedit", "digits"): {"image": DRAWN, "n": 8},
    ("inpaint", "digits"): {"image": DRAWN, "n": 8, "mask": "rows 14:28"},
    ("interpolate", "digits"): {**BETWEEN, "image": DRAWN, "to": str(INPUTS / "web-5.png")},
    ("anagram", "digits"): {**MIXED, "prompts": ("6", "9"), "view": ("rotate180",), "n": 10},
    ("hybrid", "digits"): {**MIXED, "low": "1", "high": "4", "sigma": 1.4, "n": 10},
    ("denoise", "doodles"): {"image": PHOTO, "n": 4},
    ("sdedit", "doodles"): {"image": PHOTO, "prompt": "an oil painting of an old man", "n": 8},
    ("inpaint", "doodles"): {"image": PHOTO, "n": 8, "prompt": "a man wearing a red hat",
                             "mask": "rows 0:12"},
    ("interpolate", "doodles"): {**BETWEEN, "image": PHOTO, "to": str(INPUTS / "sunset.png")},
    ("anagram", "doodles"): {**MIXED, "prompts": PAINTINGS, "view": ("vflip",), "n": 8},
    ("hybrid", "doodles"): {**MIXED, **SKULL, "sigma": 1.5, "far": 1.5, "n": 8},
    ("class_cond", "deepfloyd"): {"prompts": PAINTINGS, "per_digit": 1},
    ("uncond", "deepfloyd"): {**UNGUIDED, "n": 4},
    ("denoise", "deepfloyd"): {"image": PHOTO, "n": 4},
    ("sdedit", "deepfloyd"): {"image": PHOTO, "n": 4},
    ("inpaint", "deepfloyd"): {"image": PHOTO, "n": 4, "mask": "rows 2:20 columns 24:42"},
    ("anagram", "deepfloyd"): {"prompts": PAINTINGS, "view": ("vflip",), "n": 4},
    ("hybrid", "deepfloyd"): {**SKULL, "sigma": 2.0, "far": 4.0, "n": 4},
}
