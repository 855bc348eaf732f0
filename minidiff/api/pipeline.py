"""Models from Python: load one, sample from it, look at the result, save it.

    import minidiff
    model = minidiff.load("class")                               # or a run's folder, or a file
    images = model.sample(["3", "8"], steps=20, gamma=2, seed=0) # (2,1,28,28) in [0, 1]
    minidiff.show(images)                                        # a notebook shows it
    model.save("mine.pt")

The options are those of the sampling scripts, with the same defaults: the same seed gives the same
pixels. Images may be edited (edits.py), and a model trained on tensors (training.py).
"""

from collections.abc import Callable, Iterator

import torch
from tqdm import tqdm

from minidiff.evaluation.metrics import check_finite
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.models.generate import generate
from minidiff.models.model import UNGUIDED
from minidiff.models.options import SampleOptions, options_for
from minidiff.system import hardware

OPTIONS = ("steps", "gamma", "guide_until", "negative", "sampler", "variance", "eta", "clip",
           "seed")


class Pipeline:
    """A model together with how it is sampled. It can be used wherever a model (models/model.py)
    can: what is not here is the model's.

    model: under the contract. content: a function that returns what `save` writes.
    """

    def __init__(self, model, content: Callable[[], dict]):
        self.model, self._content = model, content

    def __getattr__(self, name):
        if name in ("model", "_content"):  # while it is copied
            raise AttributeError(name)
        return getattr(self.model, name)

    def __call__(self, *inputs):
        return self.model(*inputs)

    def __repr__(self):
        return f"<minidiff model: {self.model.summary}>"

    def options(self, **given) -> SampleOptions:
        """Return all options of sampling: the given ones, else the model's, else the defaults.
        Raises ValueError for one that does not exist, or that this model has no use for."""
        unused = {*self.model.ignored, *(() if self.model.conditional else (*UNGUIDED, "negative"))}
        if wrong := sorted(given.keys() - {*OPTIONS} | given.keys() & unused):
            left = ", ".join(name for name in OPTIONS if name not in unused)
            raise ValueError(f"this model has no option {', '.join(wrong)}; there are {left}")
        return options_for(self.model, **given)

    def prompts(self, prompts=None) -> list[str]:
        """Return a list of prompts. prompts: a list, one, or a number of images without prompt;
        default: one of each word that the model knows."""
        if prompts is None:
            prompts = list(self.model.vocabulary.words) or 1
        if isinstance(prompts, int):
            return [""] * prompts
        return [prompts] if isinstance(prompts, str) else list(prompts)

    def states(self, prompts=None, **options) -> Iterator:
        """Yield every State of sampling an image for each prompt, steps + 1 of them, with images
        float32 (N,C,H,W) in [0, 1], a little outside on the way. prompts, options: of `sample`."""
        prompts, options = self.prompts(prompts), self.options(**options)
        found = generate(self.model, prompts, steps=options.steps, seed=options.seed,
                         **options.guidance, **options.sampling(self.model))
        return (in_unit(self.model, state) for state in found)

    def sample(self, prompts=None, *, progress=True, callback=None, **options) -> torch.Tensor:
        """Return an image for each prompt, float32 (N,C,H,W) in [0, 1], on the CPU.

        prompts: a list of str, "" for none; one str; or how many images without a prompt. progress:
        show a bar. callback: a function that gets each State. options: steps, gamma, guide_until,
        negative, sampler, variance, eta, clip, seed. Raises ValueError for values that do not fit
        the model.
        """
        steps = self.options(**options).steps
        return last(self.states(prompts, **options), steps + 1, progress, callback)

    def save(self, path) -> None:
        """Write the model as one file, which `load` and the scripts read: --model PATH."""
        checkpoint.save(path, self._content())


def load(place="class", device="auto", precision="float32") -> Pipeline:
    """Return a model, ready to sample from.

    place: a kind, "class", "uncond", "doodles", "flow" ..., of which it is the newest run or the
    shipped weights; a run's folder; or a file. device: "auto", "cpu", "cuda", "mps". precision:
    "float32", "bfloat16" or "auto". Raises ValueError if there is no such model.
    """
    device = hardware.pick_device(str(device))
    if str(place) == "deepfloyd":
        return Pipeline(zoo.load_model("deepfloyd", device), _nothing)
    kinds = zoo.DIFFUSIONS + zoo.FLOWS
    file = zoo.find(kinds[0], str(place))
    found = checkpoint.load(file)
    precision = hardware.pick_precision(precision, device)
    model = zoo.from_checkpoint(found, file, device, precision, kinds)
    model.file = file
    return Pipeline(model, lambda: {k: v for k, v in found.items() if k != "training"})


def _nothing():
    raise ValueError("deepfloyd is not saved here; its files are those of its hub")


def show(images, columns=None, scale=None):
    """Return images as one Pillow image, in rows; a notebook shows it.

    images: float (N,C,H,W) or (C,H,W) in [0, 1], C 1 or 3. columns: images in a row. scale: screen
    pixels per image pixel; default: 2, or 1 for images above 28 pixels.
    """
    from minidiff.files.images import sheet  # it imports matplotlib

    images = images if images.dim() == 4 else images[None]
    return sheet(images, columns, scale or (2 if images.shape[3] <= 28 else 1))


def in_unit(model, state):
    """Return a state of a trajectory with its images in [0, 1]."""
    t, x_t, prediction = state
    return type(state)(t, *(x if x is None else model.to_unit(x) for x in (x_t, prediction)))


def last(states, total, progress, callback) -> torch.Tensor:
    """Go through all states; return the images of the last one, clipped to [0, 1], on the CPU."""
    for state in tqdm(states, total=total, unit="step", disable=not progress):
        if callback:
            callback(state)
    check_finite(state.x_t)
    return state.x_t.clamp(0, 1).cpu()
