"""What the second stage is worth: against interpolation, and against what it was shown."""

import torch
import torch.nn.functional as F

from minidiff import checkpoint, data, machine, models, strokes, upsampler
from minidiff.editing import gaussian_denoise

N = 500  # digits of each kind, at most
CONTRAST, ROUNDS = 2.0, 5  # of a rival without a network; chosen on the digits measured here
TOLD = {
    "psnr_ours": "dB, to the true 56x56 strokes; the same for other ways",
    "psnr_contrast_held": "bicubic, contrast stretched as suits these digits, held; no network",
    "psnr_ours_softened": "ours, blurred until it is as soft as bicubic",
    "perceptual_ours": "distance of the judge's features to those of the true ones",
    "sharpness_ours": "neighbouring pixels' differences, over those of the true ones",
    "consistency_ours_samples": "dB, shrunk back, to what was shown",
    "agreement_ours_samples": "shrunk back, read as the same digit",
    "sharper_ours_samples": "neighbouring pixels' differences, over bicubic's",
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
        if not isinstance(layer, torch.nn.MaxPool2d):
            found.append((F.normalize(x) - F.normalize(y)).square().sum(1).mean().item())
    return sum(found) / len(found)


def ways_of(model, low, **how):
    """Return {name: pictures}, the ways to enlarge pictures `low`. held: to them. contrast: of
    bicubic, its levels pulled apart. free: ours, not held. how: of `upsampler.upsample`."""
    ways = {m: F.interpolate(low, scale_factor=2, mode=m).clamp(0, 1)
            for m in ("bilinear", "bicubic")}
    hold = upsampler.faithful(low, model.data_range)
    stretched = ((ways["bicubic"] - 0.5) * CONTRAST + 0.5).clamp(0, 1)
    for _ in range(ROUNDS):
        stretched = hold(stretched)
    return {**ways, "bicubic_held": hold(ways["bicubic"]), "contrast_held": stretched,
            "free": upsampler.upsample(model, low, held=False, **how),
            "ours": upsampler.upsample(model, low, **how)}


@torch.no_grad()
def measure(file, how, flags):
    """Return what is measured of the upsampler in `file`, see the README for the table, and what
    led to it. how: WalkFlags, of which steps (at most T) and seed count. flags: MeasureFlags."""
    device = machine.pick_device(how.device)
    model, judged = upsampler.load(str(file), device), models.find("classifier", flags.judge)
    judge = checkpoint.rebuild(models.load_kind("classifier", judged)).to(device)
    x_0 = strokes.dataset(min(flags.n, N), 2, model.image_shape[2])[0]  # seed 2: never trained on
    x_0, n, steps = x_0.to(device).float() / 255, len(x_0), min(how.steps, model.schedule.T)
    about = {"n": n, "steps": steps, "level": upsampler.LEVEL, "seed": how.seed,
             "summary": model.summary, "judge": models.origin(judged)}
    sets = {"strokes": F.avg_pool2d(x_0, 2), "mnist": _mnist(n, flags, device)}
    sets["samples"], about["first_stage"] = _samples(n, how, device)
    found = {}
    for name, low in sets.items():
        if low is None:
            continue
        print(f"{name}: {n} pictures, enlarged in every way", flush=True)
        ways = ways_of(model, low, steps=steps, seed=how.seed)
        found.update(against_shown(judge, ways, low, name))
        if name == "strokes":
            found.update(against_truth(judge, ways, x_0))
    return {**about, "measures": found}


def against_truth(judge, ways, x_0):
    """Return the measures of `ways_of` that want the true large pictures x_0."""
    found = {}
    for name, x in ways.items():
        found[f"psnr_{name}"] = psnr(x, x_0)
        found[f"perceptual_{name}"] = perceptual(judge, x, x_0)
        found[f"sharpness_{name}"] = sharpness(x) / sharpness(x_0)
    soft = softened(ways["ours"], sharpness(ways["bicubic"]))
    return {**found, "psnr_ours_softened": psnr(soft, x_0)}


def against_shown(judge, ways, low, kind):
    """Return the measures of `ways_of` that want only the small pictures `low`, of a kind."""
    found = {}
    for name in ("contrast_held", "free", "ours"):
        back = F.avg_pool2d(ways[name], 2)
        same = judge(back).argmax(1) == judge(low).argmax(1)
        found[f"consistency_{name}_{kind}"] = psnr(back, low)
        found[f"agreement_{name}_{kind}"] = same.float().mean().item()
        found[f"sharper_{name}_{kind}"] = sharpness(ways[name]) / sharpness(ways["bicubic"])
    return found


def _mnist(n, flags, device):
    """Return MNIST's first n test digits, None where there is no MNIST."""
    try:
        return data.load("mnist", "test", flags.data_dir).to(device).pictures(slice(0, n))
    except ValueError:
        return None


def _samples(n, how, device):
    """Return n of the first stage's own digits, and which that is; None where there is none."""
    try:
        model = models.load_model("class", device)
    except ValueError:
        return None, None
    prompts = [str(k % 10) for k in range(n)]
    steps = min(how.steps, model.schedule.T)
    *_, last = models.walk(model, prompts, steps, how.seed, kind="beta_tilde", **model.guidance)
    return last.x_t.clamp(0, 1), f"{models.origin(model.file)} ({model.summary}), {steps} steps"
