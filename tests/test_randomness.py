"""Where randomness comes from: every function that takes a generator uses it and nothing else."""

import importlib
import inspect
import itertools
import pkgutil

import pytest
import torch

import minidiff
import train
from minidiff.models.flow_model import FlowModel
from minidiff.models.model import Model, NoiseModel
from minidiff.models.upsampler import Upsampler
from minidiff.network.classifier import Classifier
from minidiff.network.unet import UNet
from minidiff.theory import samplers
from minidiff.theory.schedule import linear
from minidiff.training.recipe import Recipe

SCHEDULE, X = linear(20), torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3))
LARGE = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(4))
MNIST = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(5))
LABELS, T = torch.arange(6), torch.full((6,), 9)


def eps_fn(x_t, t, cond=None):
    """A model that needs no network: a fifth of what it is given."""
    return x_t / 5


def last(states):
    """Return the last image of a trajectory."""
    return [*states][-1].x_t


def network(kind=UNet, **options):
    """Return a network with fixed weights; torch's global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(2, **options).eval()


def upsampler():
    """Return an Upsampler with fixed weights."""
    return Upsampler(network(time=2, classes=10, size=16, channels=(2, 1)), 20)


def training(model, labels=LABELS, **options):
    """Return how a training script's loss is called. model: the class of its model. options: of
    `network`."""
    made = model(network(**options), 20)
    return lambda f, g: f(made, MNIST, labels, g, Recipe(p_uncond=0.5)).detach()


def small_set():
    """Return a Dataset of six images."""
    from minidiff.data.dataset import Dataset

    return Dataset("noise", (255 * X).byte(), LABELS)


HOLE = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
HOLE[..., :4] = True
STEPS = [20, 10, 5, 0]
CALLS = {  # function: how it is called with a generator; what it returns is a tensor, or several
    "theory.diffusion.noise_like": lambda f, g: f(X, g),
    "theory.diffusion.stratified": lambda f, g: f(6, g),
    "theory.diffusion.stratified_timesteps": lambda f, g: f(6, 1000, g),
    "theory.diffusion.noise_loss": lambda f, g: f(SCHEDULE, eps_fn, X, None, g),
    "theory.diffusion.denoising_loss": lambda f, g: f(lambda x: x / 2, X, 0.5, g),
    "theory.flow.flow_loss": lambda f, g: f(eps_fn, X, None, g),
    "theory.flow.pure_noise_loss": lambda f, g: f(lambda x: x / 2, X, g),
    "theory.guidance.drop_condition": lambda f, g: f(torch.ones(200, 3), 0.5, g),
    "theory.samplers.ddpm_step": lambda f, g: f(SCHEDULE, X, 9, 4, X / 5, generator=g)[0],
    "theory.samplers.ddim_step": lambda f, g: f(SCHEDULE, X, 9, 4, X / 5, eta=0.5, generator=g)[0],
    "theory.samplers.take_step": lambda f, g: f(
        eps_fn, SCHEDULE, X, 9, 4, memory={}, generator=g)[0],
    "models.deepfloyd.learned.ddpm_step": lambda f, g: f(
        SCHEDULE, X, 9, 4, X / 5, kind="beta", generator=g)[0],
    "editing.image_to_image.noised": lambda f, g: f(SCHEDULE, X, 9, g),
    "editing.image_to_image.sdedit": lambda f, g: last(
        f(eps_fn, SCHEDULE, X, STEPS, 1, generator=g)),
    "editing.inpainting.inpaint": lambda f, g: last(
        f(eps_fn, SCHEDULE, X, HOLE, X, STEPS, generator=g)),
    "models.upsampler.shrunk": lambda f, g: f(LARGE, g),
    "models.upsampler.Upsampler.given": lambda f, g: f(upsampler(), X, 0.3, g).low,
    "models.upsampler.Upsampler.noised": lambda f, g: f(upsampler(), X, T, g),
    "evaluation.judge.jitter": lambda f, g: f(MNIST, g),
    "evaluation.judge.blurred": lambda f, g: f(MNIST, g),
    "evaluation.judge.classification_loss": lambda f, g: f(
        network(Classifier), MNIST, LABELS[:, None], g),
    "data.dataset.batches": lambda f, g: torch.cat([y for _, y in f(small_set(), 2, g)]),
    "data.prompts.drop_words": lambda f, g: f(torch.ones(50, 4), 0.5, g),
    "data.strokes.draw": lambda f, g: f(LABELS, 28, g),
    "train.classifier.loss": training(Model, labels=LABELS[:, None], kind=Classifier),
    "training.kinds.class_loss": training(NoiseModel, time=1, classes=10),
    "training.kinds.clean_loss": training(Model),
    "training.kinds.hidden": lambda f, g: f(
        NoiseModel(network(time=1, classes=10)), torch.ones(60, 10), g, Recipe(p_uncond=0.5)),
    "training.kinds.uncond_loss": training(NoiseModel, time=1),
    "training.kinds.uncond_velocity_loss": training(FlowModel, time=1),
    "training.kinds.velocity_loss": training(FlowModel, time=1, classes=10),
    "train.upsampler.loss": lambda f, g: f(upsampler(), LARGE, LABELS, g, Recipe()).detach(),
}
ELSEWHERE = {  # tested with the real networks of diffusers, or random only in what they pass on
    "models.deepfloyd.stages.SecondStage.given",
    "models.flow_model.FlowModel.trajectory",  # adds no noise
}


def functions():
    """Yield (dotted name, function) of every public function and method with a `generator`."""
    rooms = (pkgutil.walk_packages(p.__path__, f"{p.__name__}.") for p in (minidiff, train))
    for found in itertools.chain(*rooms):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, made in vars(module).items():
            if getattr(made, "__module__", "") != found.name or name.startswith("_"):
                continue
            members = {name: made} if inspect.isfunction(made) else {
                f"{name}.{m}": v for m, v in vars(made).items() if inspect.isfunction(v)
            } if inspect.isclass(made) else {}
            for dotted, function in members.items():
                if "generator" in inspect.signature(function).parameters:
                    yield f"{found.name.removeprefix('minidiff.')}.{dotted}", function


FOUND = dict(functions())


def test_every_function_with_a_generator_is_here():
    """A new one is entered into CALLS, or no test would see where its randomness comes from."""
    assert FOUND.keys() == CALLS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", CALLS)
def test_all_randomness_comes_from_the_generator(name):
    """The same state of the generator gives the same result, whatever torch's global state is; the
    global state is not touched; another seed gives another result."""
    def result(seed, state):
        torch.manual_seed(state)
        before = torch.random.get_rng_state()
        made = CALLS[name](FOUND[name], torch.Generator().manual_seed(seed))
        assert torch.equal(before, torch.random.get_rng_state())
        return made

    assert torch.equal(result(0, 1), result(0, 2))
    assert not torch.equal(result(0, 1), result(1, 1))


@pytest.mark.parametrize("step", [samplers.ddpm_step, samplers.ddim_step])
def test_a_trajectory_uses_one_generator_for_all_its_steps(step):
    """Each step continues the generator's sequence: two steps never add the same noise."""
    options = {"eta": 1.0} if step is samplers.ddim_step else {"kind": "beta"}
    g = torch.Generator().manual_seed(0)
    states = [*samplers.trajectory(eps_fn, SCHEDULE, X, STEPS, step=step, generator=g, **options)]
    replay, x, noises = torch.Generator().manual_seed(0), X, []
    for t, s, state in zip(STEPS, STEPS[1:], states[1:]):
        before = replay.get_state().clone()
        x, _ = step(SCHEDULE, x, t, s, x / 5, generator=replay, **options)
        noises.append(torch.randn(X.shape, generator=torch.Generator().set_state(before)))
        assert torch.equal(x, state.x_t)
    assert not torch.equal(noises[0], noises[1])
