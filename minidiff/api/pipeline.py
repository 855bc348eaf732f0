"""Models from Python: load one, sample from it, look at the result, save it.

    import minidiff
    model = minidiff.load("class")                               # or a run's folder, or a file
    images = model.sample(["3", "8"], steps=20, gamma=2, seed=0) # (2,1,28,28) in [0, 1]
    minidiff.show(images)                                        # a notebook shows it
    model.save("mine.pt")

The options are those of the sampling scripts, with the same defaults: the same seed gives the same
pixels. Images may be edited (edits.py), and a model trained on tensors (training.py).
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from tqdm import tqdm

from minidiff.evaluation.judge import check_data
from minidiff.evaluation.metrics import check_finite
from minidiff.files import checkpoint
from minidiff.models import upsampler, zoo
from minidiff.models.generate import generate
from minidiff.models.model import UNGUIDED
from minidiff.models.options import LARGE, SampleOptions, options_for
from minidiff.system import hardware

OPTIONS = ("steps", "gamma", "guide_until", "negative", "sampler", "variance", "eta", "clip",
           "seed")


class States:
    """The States of a sampling, one after the other, with images in [0, 1], a little outside on the
    way. Its length is how many there are in all."""

    def __init__(self, model, states, count):
        self.model, self.states, self.count = model, states, count

    def __len__(self):
        return self.count

    def __iter__(self):
        return self

    def __next__(self):
        t, *found = state = next(self.states)
        return type(state)(t, *(x if x is None else self.model.to_unit(x) for x in found))


class Pipeline:
    """A model together with how it is sampled. It can be used wherever a model (models/model.py)
    can: what is not here is the model's.

    model: under the contract. content: a function that returns what `save` writes. settled: the
    options that hold where none are given; default: those that suit the model.
    """

    def __init__(self, model, content: Callable[[], dict], settled: SampleOptions | None = None):
        self.model, self._content, self._settled, self._second = model, content, settled, None

    def __getattr__(self, name):
        if name in ("model", "_content", "_settled", "_second"):  # while it is copied
            raise AttributeError(name)
        return getattr(self.model, name)

    def __call__(self, *inputs):
        return self.model(*inputs)

    def __repr__(self):
        return f"<minidiff model: {self.model.summary}>"

    def options(self, suited=None, **given) -> SampleOptions:
        """Return all options of sampling: the given ones, else the settled ones, else those that
        suit the task (suited, a dict) or the model, else the defaults. Raises ValueError for one
        that does not exist, or that this model has no use for."""
        unused = {*self.model.ignored, *(() if self.model.conditional else (*UNGUIDED, "negative"))}
        if wrong := sorted(given.keys() - {*OPTIONS} | given.keys() & unused):
            left = ", ".join(name for name in OPTIONS if name not in unused)
            raise ValueError(f"this model has no option {', '.join(wrong)}; there are {left}")
        if self._settled:
            return replace(self._settled, **given)
        return options_for(self.model, suited, **given)

    def prompts(self, prompts=None) -> list[str]:
        """Return a list of prompts. prompts: a list, one, or a number of images without prompt;
        default: one of each word that the model knows."""
        if prompts is None:
            prompts = list(self.model.vocabulary.words) or 1
        if isinstance(prompts, int):
            return [""] * prompts
        return [prompts] if isinstance(prompts, str) else list(prompts)

    def states(self, prompts=None, **options) -> States:
        """Return every State of sampling an image for each prompt, steps + 1 of them, with images
        float32 (N,C,H,W). prompts, options: of `sample`."""
        prompts, options = self.prompts(prompts), self.options(**options)
        found = generate(self.model, prompts, steps=options.steps, seed=options.seed,
                         **options.guidance, **options.sampling(self.model))
        return States(self.model, found, options.steps + 1)

    def sample(self, prompts=None, *, progress=True, callback=None, **options) -> torch.Tensor:
        """Return an image for each prompt, float32 (N,C,H,W) in [0, 1], on the CPU.

        prompts: a list of str, "" for none; one str; or how many images without a prompt. progress:
        show a bar. callback: a function that gets each State. options: steps, gamma, guide_until,
        negative, sampler, variance, eta, clip, seed. Raises ValueError for values that do not fit
        the model.
        """
        return last(self.states(prompts, **options), progress, callback)

    def second(self):
        """Return the second stage, the model that enlarges this one's images, loaded once: the
        newest run or, if there is none, the shipped one. Raises ValueError if there is none."""
        if self._second is None and self.model.kind == "deepfloyd":
            large = {name: getattr(self.options(), name) for name in LARGE}
            self._second = zoo.load_model("deepfloyd", self.model.device, stage=2, **large,
                                          texts=self.model.texts, half=self.model.half)
        elif self._second is None:
            kind = zoo.SECOND.get(self.model.dataset, "upsampler")
            precision = "bfloat16" if self.model.bfloat16 else "float32"
            found = zoo.load_model("", self.model.device, precision, (kind,))
            check_data("the second stage", found.dataset, self.model.dataset,
                       "train one on the same data, or leave the images as they are")
            self._second = found
        return self._second

    def upsample(self, images, prompts=None, *, seed=0, **options) -> torch.Tensor:
        """Return images, float (N,C,H,W) in [0, 1], enlarged by the second stage, on the CPU.

        prompts: of the images, the default none. options: steps, level, gamma, held, of `upsample`
        in models/upsampler.py. Raises ValueError where there is no second stage for this model.
        """
        model = self.second()
        prompts = self.prompts(len(images) if prompts is None else prompts)
        if model.kind == "deepfloyd":
            options |= self.options().sampling(model)
        large = model.to_unit(upsampler.upsample(
            model, model.from_unit(images.clamp(0, 1)), prompts, seed=seed, **options))
        check_finite(large)
        return large.cpu()

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


def last(states: States, progress=True, callback=None) -> torch.Tensor:
    """Go through all states; return the images of the last one, clipped to [0, 1], on the CPU."""
    for state in tqdm(states, unit="step", disable=not progress):
        if callback:
            callback(state)
    check_finite(state.x_t)
    return state.x_t.clamp(0, 1).cpu()
