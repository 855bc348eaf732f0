"""How good the second stage is: against interpolation, and against the image it is given."""

import torch
import torch.nn.functional as F

from minidiff.data import catalog
from minidiff.data.doodles.scenes import SUBJECTS
from minidiff.editing.blur import gaussian_blur
from minidiff.evaluation import judge as judging
from minidiff.evaluation.metrics import check_finite
from minidiff.files import checkpoint
from minidiff.models import upsampler, zoo
from minidiff.models.generate import generate
from minidiff.models.options import options_for
from minidiff.network.registry import rebuild
from minidiff.system import hardware

UPSAMPLERS = ("upsampler", "doodles-upsampler")
N = 500  # images of each kind, at most
CONTRAST, ROUNDS = 2.0, 5  # of a baseline without a network; chosen on the digits measured here
DESCRIPTIONS = {
    "psnr_ours": "dB, to the true large images; the same for other methods",
    "psnr_contrast_held": "bicubic, contrast stretched, made consistent; no network",
    "psnr_ours_softened": "ours, blurred until it is as soft as bicubic",
    "perceptual_ours": "distance of the judge's features to those of the true ones",
    "sharpness_ours": "neighbouring pixels' differences, over those of the true ones",
    "consistency_ours_samples": "dB, shrunk back, to the input",
    "agreement_ours_samples": "shrunk back, read as the same digit or subject",
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
    blurred = [x, *(gaussian_blur(x, 9, k / 20) for k in range(5, 40))]
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


def enlarge_by_all(model, low, **options):
    """Return images `low`, in [0, 1], enlarged by every method, {name: images}.

    held: made consistent with low. contrast: bicubic, with stretched contrast. ours, free: the
    network's, made consistent or not. options: of `upsample`.
    """
    found = {m: F.interpolate(low, scale_factor=2, mode=m).clamp(0, 1)
             for m in ("bilinear", "bicubic")}
    held = upsampler.consistent(low, (0.0, 1.0))
    stretched = ((found["bicubic"] - 0.5) * CONTRAST + 0.5).clamp(0, 1)
    for _ in range(ROUNDS):
        stretched = held(stretched)
    for name, own in (("free", {"held": False}), ("ours", {})):
        large = upsampler.upsample(model, model.from_unit(low), **own, **options)
        found[name] = model.to_unit(large)
        check_finite(large)
    return {**found, "bicubic_held": held(found["bicubic"]), "contrast_held": stretched}


@torch.no_grad()
def measure(file, data, options, flags):
    """Return the measures of the upsampler in `file`, and a dict of what produced them.

    data: the set it was trained on. options: SampleOptions, of which device, steps (at most T) and
    seed are used. flags: MeasureOptions.
    """
    device = hardware.pick_device(options.device)
    model = zoo.load_model(str(file), device, kinds=UPSAMPLERS)
    found, judged = judging.find(flags.judge, data)
    judge = rebuild(found).to(device)
    test = catalog.load(data, "test", flags.data_dir, model.image_shape[2])
    x_0 = test.images_at(slice(0, min(flags.n, N))).to(device)
    n, steps = len(x_0), min(options.steps, model.schedule.T)
    about = {"n": n, "steps": steps, "level": upsampler.LEVEL, "seed": options.seed,
             "summary": model.summary, "judge": judged}
    sets = {data: F.avg_pool2d(x_0, 2)}
    if data == "strokes":
        sets["mnist"] = _mnist(n, flags, device)
    sets["samples"], about["first_stage"] = _samples(n, data, options, device)
    found = {}
    for name, low in sets.items():
        if low is None:
            continue
        print(f"{name}: {n} images, enlarged by every method", flush=True)
        large = enlarge_by_all(model, low, steps=steps, seed=options.seed)
        found.update(against_input(judge, large, low, name))
        if name == data:
            found.update(against_truth(judge, large, x_0))
    return {**about, "measures": found}


def against_truth(judge, large, x_0):
    """Return the measures of `enlarge_by_all` that need the true large images x_0."""
    found = {}
    for name, x in large.items():
        found[f"psnr_{name}"] = psnr(x, x_0)
        found[f"perceptual_{name}"] = perceptual(judge, x, x_0)
        found[f"sharpness_{name}"] = sharpness(x) / sharpness(x_0)
    soft = softened(large["ours"], sharpness(large["bicubic"]))
    return {**found, "psnr_ours_softened": psnr(soft, x_0)}


def against_input(judge, large, low, kind):
    """Return the measures of `enlarge_by_all` that need only the small images `low`. kind: the name
    of their set."""
    found = {}
    for name in ("contrast_held", "free", "ours"):
        back = F.avg_pool2d(large[name], 2)
        same = judging.read(judge, back)[:, 0] == judging.read(judge, low)[:, 0]
        found[f"consistency_{name}_{kind}"] = psnr(back, low)
        found[f"agreement_{name}_{kind}"] = same.float().mean().item()
        found[f"sharper_{name}_{kind}"] = sharpness(large[name]) / sharpness(large["bicubic"])
    return found


def _mnist(n, flags, device):
    """Return MNIST's first n test digits, None where there is no MNIST."""
    try:
        return catalog.load("mnist", "test", flags.data_dir).to(device).images_at(slice(0, n))
    except ValueError:
        return None


def _samples(n, data, options, device):
    """Return n samples of the first stage, and its description; None where there is none that fits
    an upsampler of `data`."""
    try:
        model = zoo.load_model("doodles" if data == "doodles" else "class", device)
        judging.check_data("the upsampler", data, checkpoint.load(model.file)["dataset"],
                           "samples are left out")
    except ValueError as e:
        print(f"no samples are enlarged: {e}", flush=True)
        return None, None
    steps = min(options.steps, model.schedule.T)
    how = options_for(model, steps=steps, seed=options.seed)
    names = SUBJECTS if data == "doodles" else model.vocabulary.words
    *_, last = generate(model, [names[k % len(names)] for k in range(n)], steps=steps,
                        seed=how.seed, **how.guidance, **how.sampling(model))
    check_finite(last.x_t)
    x = model.to_unit(last.x_t).clamp(0, 1)
    return x, f"{zoo.origin(model.file)} ({model.summary}), {steps} steps"
