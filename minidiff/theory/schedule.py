"""2. How much of the image is left at step t.

The forward process turns an image x_0 into noise in T small steps. Nothing in it is learned. Step t
scales the image down a little and adds a little Gaussian noise, independent for each pixel:

    x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) noise,   noise ~ N(0, I)     DDPM (2)

beta_t is the share of the variance that step t replaces with noise. The steps collapse into one, as
is derived at `Schedule`. With alpha_t = 1 - beta_t and

    alpha_bar_t = alpha_1 alpha_2 ... alpha_t              the one array that is stored

we get x_t for any t directly:

    x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps,   eps ~ N(0, I)   DDPM (4)

alpha_bar falls from 1 (a clean image) to nearly 0 (pure noise). Its square root, the factor of x_0,
is the *signal* that is left. For any two levels s < t, alpha is alpha_bar_t / alpha_bar_s, and beta
is 1 - alpha; for s = t - 1 these are alpha_t and beta_t.

Of the `SCHEDULES`, `linear` is DDPM's; `cosine`, from improved DDPM (section 3.2), adds noise
more evenly. Of the timesteps, sampling takes every n-th (`strided`) or a given number (`evenly`).
`alpha_bar` has T + 1 entries, so index t is the paper's t, and alpha_bar[0] = 1 means "no
noise yet": no off-by-one, no `alpha_bar[-1]` that silently reads the wrong end. The product is
computed in float64, because 1000 factors close to 1 lose digits in float32.

With T = 300 and the linear betas below, x_300 still has sqrt(alpha_bar_300) = 22% of the image,
yet sampling starts from noise: no harm with prompts, some without. DDPM's T = 1000 leaves 0.6%.

Remember: x_t is sqrt(alpha_bar_t) of the image and sqrt(1 - alpha_bar_t) of noise, whatever steps
led to it. So a step between any two levels is as easy as one between neighbours.

Sources: DDPM, arXiv:2006.11239 (betas: section 4); improved DDPM, arXiv:2102.09672 (cosine: 17).

Exercises
1. Make the digits' schedule cosine (--schedule cosine). What happens to alpha_bar_T?
   test_exercises.py: test_a_cosine_schedule_leaves_no_signal
2. Take half as many steps, T = 150, with the same betas. Estimate alpha_bar_T, then print it.
   test_exercises.py: test_half_the_steps_leave_the_square_root
3. Store alpha_bar in float16. Which of the two schedules breaks, and where?
   test_schedule.py: test_alpha_bar_is_float32_and_never_zero
Next: theory/diffusion.py
"""

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Schedule:
    """A noise schedule: alpha_bar, float32 (T+1,), strictly decreasing from 1, all > 0.

    Raises ValueError if alpha_bar violates one of these.

    Derivation: two steps are one. Step from x_r to x_s and on to x_t, with independent noises z_1
    and z_2, and insert the first line into the second:

        x_s = sqrt(a) x_r + sqrt(1 - a) z_1
        x_t = sqrt(b) x_s + sqrt(1 - b) z_2
            = sqrt(a b) x_r + sqrt(b - a b) z_1 + sqrt(1 - b) z_2

    A sum of independent Gaussians is Gaussian, and the variances add up to 1 - a b. So both steps
    together are one step, and the factors multiply:

        x_t = sqrt(a b) x_r + sqrt(1 - a b) z

    From s on the factors are alpha_{s+1}, ..., alpha_t, so for any s < t

        x_t = sqrt(alpha) x_s + sqrt(1 - alpha) z,   alpha = alpha_bar_t / alpha_bar_s

       test_derivations.py: test_two_steps_are_one
    """

    alpha_bar: torch.Tensor

    def __post_init__(self):
        a = self.alpha_bar
        if a.dim() != 1 or len(a) < 2 or a.dtype != torch.float32:
            raise ValueError(
                f"alpha_bar must be float32 of shape (T+1,), got {a.dtype} {tuple(a.shape)}"
            )
        if a[0] != 1 or a[-1] <= 0 or (a.diff() >= 0).any():
            raise ValueError("alpha_bar must start at 1, decrease strictly and stay above 0")

    @property
    def T(self) -> int:
        """The number of noising steps; t runs over 1..T, and 0 is the clean image."""
        return len(self.alpha_bar) - 1

    def to(self, device) -> "Schedule":
        """Return the same schedule with alpha_bar on `device` (saves a GPU one copy per step)."""
        return Schedule(self.alpha_bar.to(device))

    def at(self, t: torch.Tensor) -> torch.Tensor:
        """Return alpha_bar_t for each t of a batch, shaped to multiply images.

        t: int64 (B,), each in 0..T. Returns float32 (B, 1, 1, 1) on t's device.
        Raises ValueError for another dtype or shape.
        """
        if t.dtype != torch.int64 or t.dim() != 1:
            raise ValueError(f"t must be int64 of shape (B,), got {t.dtype} {tuple(t.shape)}")
        return self.alpha_bar.to(t.device)[t].view(-1, 1, 1, 1)


def _from_betas(beta: torch.Tensor) -> Schedule:
    """Return the Schedule with these betas, float64 (T,): the cumulative product of 1 - beta."""
    one = torch.ones(1, dtype=torch.float64)
    return Schedule(torch.cat([one, (1 - beta).cumprod(0)]).float())


def linear(T: int = 300, beta_1: float = 1e-4, beta_T: float = 0.02) -> Schedule:
    """Return the schedule whose beta_t grows linearly from beta_1 to beta_T. DDPM, section 4.

    T: steps, >= 2 (DDPM uses 1000, the digits here 300). beta_1, beta_T: variances in (0, 1).
    Raises ValueError outside these ranges.
    """
    if T < 2 or not (0 < beta_1 < 1 and 0 < beta_T < 1):
        raise ValueError(
            f"linear needs T >= 2 and betas between 0 and 1, got {T}, {beta_1}, {beta_T}"
        )
    return _from_betas(torch.linspace(beta_1, beta_T, T, dtype=torch.float64))


def cosine(T: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """Return the schedule whose alpha_bar falls like a squared cosine. Improved DDPM (17).

        alpha_bar_t = f(t) / f(0),   f(t) = cos²((t/T + offset) / (1 + offset) · π/2)

    beta_t = 1 - alpha_bar_t / alpha_bar_{t-1} is capped at max_beta, since f(T) = 0 would give
    beta_T = 1. T: steps, >= 2. Raises ValueError below that.
    """
    if T < 2:
        raise ValueError(f"cosine needs T >= 2, got {T}")
    u = (torch.arange(T + 1, dtype=torch.float64) / T + offset) / (1 + offset)
    f = (u * math.pi / 2).cos() ** 2
    return _from_betas((1 - f[1:] / f[:-1]).clamp(max=max_beta))


SCHEDULES = {"linear": linear, "cosine": cosine}  # a checkpoint stores the name


def strided(T: int, stride: int) -> list[int]:
    """Return the multiples of stride from the largest one <= T down to 0.

    strided(1000, 30) = [990, 960, ..., 30, 0]. The last entry is always 0, the clean image.
    Raises ValueError unless 1 <= stride <= T.
    """
    if not 1 <= stride <= T:
        raise ValueError(f"stride must lie in 1..{T}, the steps of the schedule; got {stride}")
    return list(range(T // stride * stride, -1, -stride))


def evenly(T: int, steps: int) -> list[int]:
    """Return steps + 1 timesteps from T down to 0, as evenly spaced as integers allow.

    evenly(300, 4) = [300, 225, 150, 75, 0]: four steps. evenly(T, T) visits every timestep.
    Raises ValueError unless 1 <= steps <= T.
    """
    if not 1 <= steps <= T:
        raise ValueError(f"steps must lie in 1..{T}, the steps of the schedule; got {steps}")
    return [round(T * (steps - i) / steps) for i in range(steps + 1)]
