"""Diffusion on points in the plane instead of images. A good file to read first.

    python -m sample.toy         trains for a few seconds, writes toy.gif and toy.png

The data are points on two arms of a spiral; each arm is a class. A point is an image with two
channels and a single pixel, (2,1,1), so all of the theory is imported unchanged. Only the data, a
network of ten lines and two figures are new. What happens:

    1. add noise to the points            x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps
    2. train a network to predict it      loss = mean of | eps_hat(x_t, t, cond) - eps |²
    3. start from pure noise, and remove  eps_hat = eps_u + gamma (eps_c - eps_u), then one step
       the predicted noise step by step   from t to the next s < t

toy.gif shows step 3 at several strengths of guidance. toy.png shows what the network has learned,
as a field of arrows that point away from the noise, towards the data. In the plane the best
possible prediction can be computed (`exact_eps`), and is drawn below the network's.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from tqdm import tqdm

from minidiff.files import images
from minidiff.system import cli
from minidiff.theory.diffusion import noise_loss, predict_eps, q_sample
from minidiff.theory.guidance import drop_condition, guided
from minidiff.theory.samplers import ddpm_step, trajectory
from minidiff.theory.schedule import evenly, linear

T, STEPS = 1000, 100       # noising steps; sampling steps
POINTS, BATCH = 4000, 512  # in the data; in a batch
COLORS = ("tab:blue", "tab:orange")


@dataclass(frozen=True)
class ToyOptions:
    """What to generate, and where to write it. Raises ValueError for values out of range."""

    out: str = cli.flag("toy.gif", "GIF of the points, from noise to data")
    field: str = cli.flag("toy.png", "PNG of the predicted noise at several t, as arrows")
    steps: int = cli.flag(3000, "batches to train on", least=1, most=10_000_000)
    gamma: float = cli.flag(3.0, "the strongest guidance in the GIF", least=-1000, most=1000)
    seed: int = cli.flag(0, "seed of everything random", least=0, most=cli.SEED)

    def __post_init__(self):
        cli.check(self)


def spiral(n, generator=None):
    """Return n random points on two arms of a spiral, float (n,2,1,1), and the arm of each, int64
    (n,)."""
    arm = torch.randint(2, (n,), generator=generator)
    place = torch.rand(n, generator=generator).sqrt()  # along the arm, 0 .. 1
    angle = 1.7 * math.pi * place + math.pi * arm
    points = torch.stack([angle.cos(), angle.sin()], 1) * (0.2 + 1.5 * place[:, None])
    points = points + 0.03 * torch.randn(n, 2, generator=generator)
    return points.view(n, 2, 1, 1), arm


class Network(nn.Sequential):
    """Predict the noise in points x_t (B,2,1,1), given t (B,) and the arm (B,2), zeros for none."""

    def __init__(self, width=128):
        inner = [layer for _ in range(2) for layer in (nn.Linear(width, width), nn.GELU())]
        super().__init__(nn.Linear(3 * 7 + 2, width), nn.GELU(), *inner, nn.Linear(width, 2))

    def forward(self, x_t, t, cond):
        """Return eps_hat, like x_t. Waves of three lengths represent fine and coarse detail."""
        where = torch.cat([x_t.flatten(1), t[:, None].log()], 1)
        waves = [wave(k * where) for k in (1, 2, 4) for wave in (torch.sin, torch.cos)]
        return super().forward(torch.cat([where, *waves, cond], 1)).view_as(x_t)


def train(network, schedule, points, arms, steps, generator):
    """Train the network to predict the noise; yield the loss of each batch."""
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, steps)
    for _ in range(steps):
        some = torch.randint(len(points), (BATCH,), generator=generator)
        cond = drop_condition(torch.eye(2)[arms[some]], 0.5, generator)  # cond = 0, half the time
        # x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps;  loss = mean of |eps_hat(x_t, t, cond) - eps|²
        loss = noise_loss(schedule, network, points[some], cond, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        yield loss.item()


def generate(network, schedule, arms, gamma, seed):
    """Return the States from noise to a point on each of the arms, int64 (N,)."""
    generator = torch.Generator().manual_seed(seed)
    x_T = torch.randn(len(arms), 2, 1, 1, generator=generator)
    cond = torch.eye(2)[arms]
    # eps_hat = eps_u + gamma (eps_c - eps_u), the predictions without and with the condition
    eps_fn = guided(network, cond, torch.zeros_like(cond), gamma)
    # x_s = (sqrt(ab_s) beta x_0_hat + sqrt(alpha) (1 - ab_s) x_t) / (1 - ab_t) + sqrt(beta_tilde) z
    options = {"step": ddpm_step, "kind": "beta_tilde", "generator": generator}
    return trajectory(eps_fn, schedule, x_T, evenly(schedule.T, STEPS), **options)


def exact_eps(schedule, points):
    """Return the best possible eps_fn(x_t, t) for data that are just these points (N,2,1,1).

    Any of them may be the x_0 of x_t, with weight exp(-|x_t - sqrt(ab) x_0|² / (2 - 2 ab)); the
    prediction x_0_hat = E[x_0 | x_t] is their weighted mean.
    """

    def eps_fn(x_t, t):
        ab = schedule.at(t).flatten(1)
        off = torch.cdist(x_t.flatten(1), points.flatten(1) * ab[0].sqrt())  # one t for all
        weights = (-(off**2) / (2 * (1 - ab))).softmax(1)
        return predict_eps(schedule, x_t, t, (weights @ points.flatten(1)).view_as(x_t))

    return eps_fn


@images.own_style()
def draw_film(path, films, arms, points, caption):
    """Draw trajectories side by side. films: {name: list of States}. arms: the class of each."""
    pages, colors = [], [COLORS[k] for k in arms]
    for states in tqdm(images.frames_of(list(zip(*films.values())), 51), unit="frame"):
        figure = Figure((9.6, 3.7), dpi=75, layout="constrained")
        FigureCanvasAgg(figure)
        for axes, name, state in zip(figure.subplots(1, len(films)), films, states):
            _scatter(axes, points[:1000], "0.85", f"{name}, t = {state.t}")
            _scatter(axes, state.x_t, colors)
        figure.supxlabel(caption, fontsize=8)
        figure.canvas.draw()
        pages.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]))
    images.save_film(path, pages, caption, milliseconds=80)


@torch.no_grad()
@images.own_style()
def draw_field(path, network, schedule, points, caption):
    """Draw -eps_hat as arrows at four t, over the points noised to that t: the network's above, the
    exact ones below."""
    side = torch.linspace(-2.2, 2.2, 19)
    grid = torch.cartesian_prod(side, side).view(-1, 2, 1, 1)
    generator, exact = torch.Generator().manual_seed(0), exact_eps(schedule, points)
    figure = Figure((12.8, 7), dpi=100, layout="constrained")
    for column, level in zip(figure.subplots(2, 4).T, (300, 120, 50, 15)):
        t = torch.full((len(grid),), level)
        eps = torch.randn(1000, 2, 1, 1, generator=generator)
        # sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps
        noised = q_sample(schedule, points[:1000], torch.full((1000,), level), eps)
        predictions = network(grid, t, torch.zeros(len(grid), 2)), exact(grid, t)
        for axes, name, eps_hat in zip(column, ("the network", "exact"), predictions):
            _scatter(axes, noised, "0.75", f"{name}, t = {level}")
            arrows = -eps_hat.flatten(1) / (1 + eps_hat.flatten(1).norm(dim=1, keepdim=True))
            axes.quiver(*grid.flatten(1).T, *arrows.T, color="tab:red", scale=20, width=0.004)
    figure.supxlabel(caption, fontsize=9)
    images.save_figure(figure, path, caption)


def _scatter(axes, points, color, title=None):
    axes.scatter(*points.flatten(1).T, 3, color, linewidths=0)
    axes.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), xticks=[], yticks=[], aspect="equal")
    if title:
        axes.set_title(title, fontsize=9)


def main(argv=None):
    """Train, sample, and draw both figures."""
    about = "diffusion on points in the plane"
    (options,), _ = cli.parse([ToyOptions], argv, "python -m sample.toy", about)
    out, field = cli.writable(options.out, ".gif"), cli.writable(options.field, ".png")
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    schedule, network = linear(T), Network()
    points, arms = spiral(POINTS, generator)
    losses = []
    for loss in (bar := tqdm(train(network, schedule, points, arms, options.steps, generator),
                             total=options.steps, unit="step")):
        losses = [*losses[-99:], loss]
        bar.set_postfix_str(f"loss {sum(losses) / len(losses):.3f}", refresh=False)
    classes = torch.arange(1000) % 2
    films = {f"γ = {gamma:g}": list(generate(network, schedule, classes, gamma, options.seed))
             for gamma in (0, 1, options.gamma)}
    caption = f"{options.steps} batches of {BATCH} points, seed {options.seed}"
    draw_film(out, films, classes, points, "blue and orange: prompted with one arm each; the same "
              f"noise in each panel, {STEPS} steps; {caption}")
    draw_field(field, network, schedule, points, "arrows: away from the noise, towards the data, "
               f"shortened to less than 1; grey: points noised to level t of {T}; {caption}")
    print(f"wrote {out} and {field}")


if __name__ == "__main__":
    with cli.program():
        main()
