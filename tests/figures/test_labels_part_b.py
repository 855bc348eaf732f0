"""Part B of the page: what captions and labels say is what was drawn, and from which snapshot."""

import re
from collections import defaultdict

import pytest
import torch
import torch.nn.functional as F

from figures.build import PART_B, module
from figures.part_b import pure_noise, snapshots, sweep, upsampler
from minidiff.data import catalog
from minidiff.evaluation import gallery
from minidiff.files import checkpoint
from minidiff.models import zoo
from minidiff.network import registry
from minidiff.theory.diffusion import q_sample
from tests import replay
from tests.conftest import small
from tests.figures.drawing import Grid, Studio
from tests.replay import close, models

__all__ = ["models"]  # a fixture
DIGITS = tuple("0123456789")


@pytest.fixture
def drawn(models, monkeypatch):
    """Draw a section; return its studio, its grids {name: Grid} and its curves {name: (panels,
    caption)}."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(models)
    grids, curves = {}, {}

    def grid(path, x, caption, columns=None, rows=(), labels=(), **more):
        rows, labels = more.get("row_labels", rows), more.get("column_labels", labels)
        grids[path.name] = Grid(path.name, x, caption, columns, tuple(rows), tuple(labels))

    def one(path, found, caption, *labels):
        curves[path.name] = [found], caption

    def panels(path, found, caption):
        curves[path.name] = [panel.curves for panel in found], caption

    made = {"save_grid": grid, "save_curves": one, "save_panels": panels}
    places = [gallery, snapshots, *(module(name) for name in PART_B), pure_noise]
    for place in places:
        for name, fake in made.items():
            if hasattr(place, name):
                monkeypatch.setattr(place, name, fake)

    def draw(name):
        studio = Studio("none")
        studio.test = catalog.load("strokes", "test")
        list(module(name).draw(models, studio))
        return studio, grids, curves

    return draw


def snapshot(kind, epoch):
    """Return a snapshot's checkpoint."""
    return checkpoint.load(f"runs/{kind}/001/weights-epoch-{epoch:02d}.pt")


def log_of(kind):
    """Return the losses that replay.attentive_models logs: each record, and the epochs' means."""
    each = [ord(kind[0]) / 100 / k for k in (1, 2, 3, 4)]
    return [round(loss, 9) for loss in each], [sum(each[:2]) / 2, sum(each[2:]) / 2]


def check_loss(curves, kind):
    """The curve of a run is that run's, and the caption names its last snapshot."""
    (found,), caption = curves[f"{kind}-loss.png"]
    assert found["mean of the epoch"][1] == pytest.approx(log_of(kind)[1])
    assert found["every record"][1] == pytest.approx(log_of(kind)[0])
    assert f"{kind} (D=4), strokes, epoch 2" in caption


def test_the_denoisers_figures(drawn):
    """Each row is what its label says, by the network of the snapshot that the caption names."""
    studio, grids, curves = drawn("denoiser")
    x_0 = studio.test.images_at(slice(0, 10))
    check_loss(curves, "denoiser")
    for epoch in (1, 2):
        denoised, levels = (grids[f"denoiser-{name}-epoch-0{epoch}.png"]
                            for name in ("denoised", "levels"))
        network = registry.rebuild(snapshot("denoiser", epoch))
        g = torch.Generator().manual_seed(int(denoised.number(r"seed (\d+)")))
        noise = torch.randn(x_0.shape, generator=g)
        noisy = x_0 + float(denoised.rows[1].removeprefix("σ=")) * noise
        with torch.no_grad():
            expected = [x_0, noisy, network(noisy)]
        assert denoised.rows == ("clean", "σ=0.5", "denoised") and denoised.columns == 10
        assert all(close(denoised.row(k), x) for k, x in enumerate(expected))
        assert "trained at σ=0.5" in levels.caption and levels.rows == ("noisy", "denoised")
        g = torch.Generator().manual_seed(int(levels.number(r"seed (\d+)")))
        noise = torch.randn(1, 1, 28, 28, generator=g)
        noisy = torch.cat([x_0[:1] + float(s.removeprefix("σ=")) * noise for s in levels.labels])
        assert close(levels.row(0), noisy)
        with torch.no_grad():
            assert close(levels.row(1), network(noisy))
        for figure in (denoised, levels):
            assert f"epoch {epoch}" in figure.caption
    noising = grids["denoiser-noising.png"]
    g = torch.Generator().manual_seed(int(noising.number(r"seed (\d+)")))
    noise = torch.randn(5, 1, 28, 28, generator=g)
    for k, label in enumerate(noising.labels):
        assert close(noising.column(k), x_0[:5] + float(label.removeprefix("σ=")) * noise)


@pytest.mark.parametrize("kind", ["uncond", "class", "flow"])
def test_samples_and_frames_of_each_snapshot(drawn, kind, monkeypatch):
    """Samples are made again from the caption with the weights of the snapshot in the file's name;
    the frames are the states at the t of their labels, x_t above its prediction."""
    monkeypatch.setattr(module("flow"), "draw_pure_noise", lambda out, studio: [])
    monkeypatch.setattr(module("flow"), "STEPS", (2,))
    _, grids, curves = drawn(kind)
    check_loss(curves, kind)
    for epoch in (1, 2):
        model = zoo.from_checkpoint(snapshot(kind, epoch))
        samples, frames = (grids[f"{kind}-{n}-epoch-0{epoch}.png"] for n in ("samples", "frames"))
        said = replay.options_of(samples.caption)
        prompts = [str(k % 10) if model.conditional else "" for k in range(40)]
        states = replay.sampled(model, said, prompts)
        assert close(samples.x, states[-1]) and samples.columns == 10
        assert model.summary in samples.caption and f"epoch {epoch};" in samples.caption
        assert replay.options_of(frames.caption) == said
        upper, lower = frames.rows[:2]
        assert frames.rows == (upper, lower) * 4 and upper == "x_t" and lower[-4:] == "_hat"
        steps = len(states) - 1
        for k, label in enumerate(frames.labels):
            t = float(label.removeprefix("t="))
            at = round(t * steps) if kind == "flow" else round((1 - t / replay.T) * steps)
            assert close(frames.column(k)[::2], states[at][:4])
        assert close(frames.row(1)[-1], frames.row(0)[-1])  # the last prediction is the image


def test_rows_of_guidance(drawn):
    """Each row is guided by the γ of its label, from the noise of the caption's seed."""
    _, grids, _ = drawn("class")
    figure, model = grids["class-guidance.png"], zoo.from_checkpoint(snapshot("class", 2))
    said = replay.options_of(figure.caption)
    assert figure.labels == DIGITS and len(set(figure.rows)) == 5 and said["gamma"] is None
    for k, label in enumerate(figure.rows):
        guided = {**said, "gamma": float(label.removeprefix("γ=")), "share": 0}
        assert close(figure.row(k), replay.sampled(model, guided, DIGITS)[-1])


def test_the_health_check(drawn):
    """Loss by epoch of each training; loss by t and samples of each snapshot."""
    studio, grids, curves = drawn("health")
    (found,), _ = curves["health-loss.png"]
    for kind in ("denoiser", "uncond", "class"):
        assert found[f"{kind}, D = 4"][1] == pytest.approx(log_of(kind)[1])
    (losses, gain), caption = curves["health-loss-per-timestep.png"]
    few = slice(0, int(re.search(r"(\d+) test digits", caption).group(1)))
    x_0, prompts = studio.test.images_at(few), list(map(str, studio.test.labels[few].tolist()))
    g = torch.Generator().manual_seed(int(re.search(r"seed (\d+)", caption).group(1)))
    eps, figure = torch.randn(x_0.shape, generator=g), grids["health-samples.png"]
    assert list(losses) == list(figure.rows) == ["epoch 1", "epoch 2"]
    ratio = defaultdict(list)
    for k, (name, (times, found)) in enumerate(losses.items()):
        model = zoo.from_checkpoint(snapshot("class", int(name.split()[1])))
        fn = replay.eps_fn(model, prompts, 1)
        for t, loss in zip(times, found):
            at = torch.full((len(x_0),), t)
            eps_hat = fn(q_sample(model.schedule, x_0, at, eps), at)
            assert loss == pytest.approx(F.mse_loss(eps_hat, eps).item(), rel=1e-3)
            ratio[t].append(loss)
        said = {"sampler": "ddpm", "kind": "beta_tilde", "clip": True,
                "steps": int(figure.number(r"(\d+) steps")),
                "seed": int(figure.number(r"seed (\d+)")),
                "gamma": figure.number(r"gamma ([\d.]+)"),
                "share": figure.number(r"until (\d+)%") / 100}
        assert close(figure.row(k), replay.sampled(model, said, DIGITS)[-1])
    (name, (times, found)), = gain.items()
    assert name == "epoch 1 / epoch 2" and figure.labels == DIGITS
    assert found == pytest.approx([ratio[t][0] / ratio[t][1] for t in times])


def test_rows_of_a_flow_with_few_steps(drawn, monkeypatch):
    """Each row is sampled by the method, and in the number of steps, of its label."""
    monkeypatch.setattr(module("flow"), "STEPS", (1, 3))
    monkeypatch.setattr(pure_noise, "STEPS", 3)
    studio, grids, curves = drawn("flow")
    figure, flow = grids["flow-few-steps.png"], zoo.load_model("flow")
    assert len(figure.rows) == 6 and figure.labels == DIGITS
    about = dict(zip(("flow", "class"), re.findall(r"gamma ([\d.]+) until (\d+)%", figure.caption)))
    for k, (name, steps) in enumerate(row.split(", ") for row in figure.rows):
        gamma, share = about["flow" if name == "flow" else "class"]
        said = {"sampler": "Euler" if name == "flow" else name, "kind": "beta_tilde", "eta": 0.0,
                "clip": True, "steps": int(steps), "seed": int(figure.number(r"seed (\d+)")),
                "gamma": float(gamma), "share": float(share) / 100}
        model = flow if name == "flow" else studio.model
        assert close(figure.row(k), replay.sampled(model, said, DIGITS)[-1])
    blind, train = grids["flow-blind.png"], catalog.load("strokes", "train")
    mean = (train.images.double().mean(0) / 255).float()
    assert blind.rows == ("noise", "predicted", "mean") and f"{len(train):,} training digits" in (
        blind.caption)
    assert close(blind.row(2), mean.expand(blind.columns, 1, 28, 28))
    off = (blind.row(1) - mean).square().mean().sqrt().item()
    assert blind.number(r"miss by ([\d.]+) ") == pytest.approx(off, abs=6e-4)
    assert torch.equal(blind.row(0), torch.randn(blind.row(0).shape, generator=torch.Generator()
                                                 .manual_seed(1)))
    (found,), caption = curves["flow-blind-loss.png"]
    assert found["variance of the digits"][1] == pytest.approx(
        [(train.images_at(slice(0, 5000)) - mean).square().mean().item()] * 3)
    assert len(found["loss"][1]) == int(re.search(r"(\d+) steps", caption).group(1)) == 3


def test_rows_of_the_second_stage(drawn, monkeypatch):
    """Small, interpolated, ours, free at each level, true: each row by its label."""
    def stamped(model, low, prompts=None, *, steps=20, level=0.1, held=True, seed=0):
        large = F.interpolate(low, scale_factor=2)
        large[..., 0, 0], large[..., 0, 1], large[..., 0, 2] = level, held, steps
        return large

    monkeypatch.setattr(upsampler, "upsample", stamped)
    studio, grids, curves = drawn("upsampler")
    check_loss(curves, "upsampler")
    figure = grids["upsampler-strokes.png"]  # both sets are called strokes here: the later one
    low = studio.test.images_at(slice(0, 10))
    steps = int(figure.number(r"(\d+) steps"))
    for k, label in enumerate(figure.rows):
        if label in ("small", "bicubic"):
            mode = {"small": "nearest", "bicubic": "bicubic"}[label]
            assert close(figure.row(k), F.interpolate(low, scale_factor=2, mode=mode))
        elif label == "true":
            assert figure.row(k).shape[2:] == (56, 56)
        else:
            level = float(label.split()[-2]) if label.startswith("free, s = ") else 0.1
            stamp = torch.tensor([level, label == "ours", steps])
            assert close(figure.row(k)[:, 0, 0, :3], stamp.expand(10, 3))
    assert figure.rows[:3] == ("small", "bicubic", "ours") and figure.rows[3].startswith("free")


def test_curves_of_a_sweep():
    """Misread samples in %, and distance over its floor, of each curve of a group, by its axis."""
    points = [{"group": "steps", "curve": c, "steps": s, "accuracy": a, "ratio": r}
              for c, s, a, r in (("x", 20, 0.9, 3), ("x", 5, 0.6, 8), ("y", 5, 1.0, 2))]
    points.append({"group": "gamma", "curve": "x", "steps": 5, "accuracy": 0, "ratio": 0})
    wrong, ratio = sweep.panels(points, "steps", "steps")
    assert wrong.curves["x"][0] == [5, 20] == ratio.curves["x"][0]
    assert wrong.curves["x"][1] == pytest.approx([40, 10]) and ratio.curves["x"][1] == [8, 3]
    assert wrong.curves["y"] == ([5], [0.05]) and ratio.curves["y"] == ([5], [2])
