"""What the second stage is worth: against interpolation, and against what it was shown."""

import torch
import torch.nn.functional as F

from minidiff import checkpoint, data, models, strokes, upsampler
from minidiff.editing import gaussian_denoise

N = 500  # digits of each kind
TOLD = {
    "psnr_ours": "dB, to the true 56x56 strokes; the same for other ways",
    "psnr_ours_softened": "ours, blurred until it is as soft as bicubic",
    "perceptual_ours": "distance of the judge's features to those of the true ones",
    "sharpness_ours": "neighbouring pixels' differences, over those of the true ones",
    "consistency_samples": "dB, shrunk back, to what was shown",
    "agreement_samples": "shrunk back, read as the same digit",
    "sharper_samples": "neighbouring pixels' differences, over bicubic's",
}


def psnr(x, y):
    """Return the peak signal-to-noise ratio of x to y in dB; both in [0, 1]."""
    return (-10 * F.mse_loss(x, y).log10()).item()


def sharpness(x):
    """Return the root mean square of neighbouring pixels' differences."""
    across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    return ((across.square().mean() + down.square().mean()) / 2).sqrt().item()


def softened(x, target):
    """Return x blurred until its sharpness is `target`, as nearly as steps of 0.05 pixels do."""
    blurred = [x, *(gaussian_denoise(x, 9, k / 20) for k in range(5, 40))]
    return min(blurred, key=lambda b: abs(sharpness(b) - target))


@torch.no_grad()
def perceptual(judge, x, y):
    """Return how differently a judge sees x and y: the squared distance of its features, each
    position's vector of length 1, averaged over positions and layers, as LPIPS does."""
    found = []
    for layer in judge.body[:-2]:  # up to the mean over all positions
        x, y = layer(x), layer(y)
        found.append((F.normalize(x) - F.normalize(y)).square().sum(1).mean().item())
    return sum(found) / len(found)


def ways_of(model, low):
    """Return {name: pictures}, the ways to enlarge pictures `low`. free: not held to them."""
    ways = {m: F.interpolate(low, scale_factor=2, mode=m).clamp(0, 1)
            for m in ("bilinear", "bicubic")}
    return {**ways, "free": upsampler.upsample(model, low, held=False),
            "ours": upsampler.upsample(model, low)}


@torch.no_grad()
def measure(file, flags, device):
    """Return what is measured of the upsampler in `file`: see the README for the table."""
    model = upsampler.load(str(file), device)
    judge = checkpoint.rebuild(models.load_kind("classifier", flags.judge)).to(device)
    x_0 = strokes.dataset(N, 2, model.image_shape[2])[0].to(device).float() / 255  # unseen
    low = F.avg_pool2d(x_0, 2)
    ways, found = ways_of(model, low), {"n": N}
    target = sharpness(ways["bicubic"])
    for name, x in ways.items():
        found[f"psnr_{name}"] = psnr(x, x_0)
        found[f"perceptual_{name}"] = perceptual(judge, x, x_0)
        found[f"sharpness_{name}"] = sharpness(x) / sharpness(x_0)
    found["psnr_ours_softened"] = psnr(softened(ways["ours"], target), x_0)
    sets = {"strokes": low, "mnist": _mnist(flags, device), "samples": _samples(device)}
    for name, small in sets.items():
        if small is None:
            continue
        large = ways["ours"] if name == "strokes" else upsampler.upsample(model, small)
        back = F.avg_pool2d(large, 2)
        same = judge(back).argmax(1) == judge(small).argmax(1)
        found[f"consistency_{name}"] = psnr(back, small)
        found[f"agreement_{name}"] = same.float().mean().item()
        bicubic = F.interpolate(small, scale_factor=2, mode="bicubic")
        found[f"sharper_{name}"] = sharpness(large) / sharpness(bicubic)
    return found


def _mnist(flags, device):
    """Return MNIST's first test digits, None where there is no MNIST."""
    try:
        return data.load("mnist", "test", flags.data_dir).to(device).pictures(slice(0, N))
    except ValueError:
        return None


def _samples(device):
    """Return the first stage's own digits, None where there is none."""
    try:
        model = models.load_model("class", device)
    except ValueError:
        return None
    prompts = [str(k % 10) for k in range(N)]
    steps = min(20, model.schedule.T)
    *_, last = models.walk(model, prompts, steps, 0, kind="beta_tilde", **model.guidance)
    return last.x_t.clamp(0, 1)
