"""What can be done on the way from noise to picture.

Nothing here trains anything. A network that can tell the noise in a picture is enough to restore
pictures, to vary them, to fill holes, and to draw two things in one. The sampler stays as it is.

Restoring. Three ways back from x_t, from bad to good: blur it (`gaussian_denoise`; picture and
noise suffer alike); jump with DDPM (15) to the mean of all clean pictures that could lie underneath
(`one_step`); or walk down in many small steps, which settles on one of them.

SDEdit (`sdedit`). Noise a picture to level t, then walk down. The noise drowns detail before it
drowns shape, so what comes out is a picture the model would draw, with the shape of the one given.
t is the knob: small t returns the input, large t forgets it.

Inpainting (`inpaint`). Where the mask m is 1 there is a hole, and the rest is known. After each
step from t to s the known part is put back, noised to s, the level just reached:

    x_s ← m x_s + (1 − m) q_sample(x_0, s)                     RePaint (8), its m is our 1 − m

The two parts were drawn without regard to each other, and a step does not suffice to agree. RePaint
steps back up to t, x_t = sqrt(alpha) x_s + sqrt(1 − alpha) z, and down again, some times over (its
algorithm 1): `resample`, at the price of as many network calls.

Anagrams (`anagram`). One picture that shows a prompt p_1, such as a digit, seen one way, and p_2
seen another. eps_i is the eps_fn asked for p_i. Each is told the picture as its view sees it; the
answers, turned back, are averaged:

    eps_hat = mean over i of view_i⁻¹( eps_i(view_i(x_t), t) )     visual anagrams, section 3

Hybrids (`hybrid`). One picture that shows p_1 from afar and p_2 from near. The low frequencies of
the noise are told by eps_1, the high by eps_2; any filters will do that sum to the identity:

    eps_hat = sum over i of filter_i( eps_i(x_t, t) )              factorized diffusion, section 3

Choices. Guidance comes before these mixtures, once for each prompt. A learned variance v, where
there is one, is averaged by an anagram, turned back; a hybrid takes that of p_1, unfiltered.

Sources: SDEdit, arXiv:2108.01073; RePaint, arXiv:2201.09865; visual anagrams, arXiv:2311.17919;
factorized diffusion, arXiv:2404.11615.

Exercises
1. Put the known part back clean, not noised to s. Which test fails? Look at what is drawn then.
   test_inpainting.py: test_the_known_part_lies_at_the_level_just_reached
2. Start SDEdit at 0, then at the last index. What do you get, before you run it?
   test_editing.py: test_sdedit_from_the_last_level_is_the_picture_and_from_the_first_is_sampling
Next: flow.py, another way from noise to data
"""

import torch
import torch.nn.functional as F

from minidiff.diffusion import noise_like, predict_x_0, q_sample
from minidiff.samplers import State, check_walk, sample_path, take_step
from minidiff.torchvision_ops import torchvision_functional
from minidiff.views import VIEWS

__all__ = [
    "VIEWS", "anagram", "best_gaussian", "blur", "gaussian_denoise", "grey", "hybrid", "inpaint",
    "inpaint_calls", "motion", "noised", "one_step", "sdedit", "split",
]


def noised(schedule, x_0, t, generator=None):
    """Return pictures x_0 (B,C,H,W) noised to step t, an int in 0..T. DDPM (4). Raises ValueError
    for another t."""
    if not 0 <= t <= schedule.T:
        raise ValueError(f"t must lie in 0..{schedule.T}, got {t}")
    at = torch.full((len(x_0),), t, device=x_0.device)
    return q_sample(schedule, x_0, at, noise_like(x_0, generator))


@torch.no_grad()
def one_step(eps_fn, schedule, x_t, t):
    """Jump from x_t (B,C,H,W) at step t, an int in 1..T, to x_0_hat, like x_t. DDPM (15)."""
    at = torch.full((len(x_t),), t, device=x_t.device)
    eps_hat = eps_fn(x_t, at)
    return predict_x_0(schedule, x_t, at, eps_hat[0] if isinstance(eps_hat, tuple) else eps_hat)


def gaussian_denoise(x_t, kernel=5, sigma=2.0):
    """Blur pictures x_t (B,C,H,W): what one did before there were networks.

    kernel: side of the Gaussian's window in pixels, odd. sigma: its deviation in pixels. Edges are
    mirrored. Raises ValueError for a kernel that is even or reaches across the whole picture.
    """
    if kernel % 2 == 0 or not 0 < kernel < 2 * min(x_t.shape[2:]) or not sigma > 0:
        raise ValueError(
            f"wanted an odd kernel below {2 * min(x_t.shape[2:])} pixels and sigma > 0, got "
            f"{kernel} and {sigma}"
        )
    return torchvision_functional().gaussian_blur(x_t, [kernel, kernel], [sigma, sigma])


def best_gaussian(x_t, x_0, sigmas=(0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)):
    """Find the sigma, in pixels, whose blur of x_t lies nearest to x_0 in squared error.

    x_t, x_0: (B,C,H,W). It looks at the answer, so no blur can do better. Returns (sigma, blurred).
    """
    widest = 2 * min(x_t.shape[2:]) - 1
    blurred = {s: gaussian_denoise(x_t, min(2 * round(3 * s) + 1, widest), s) for s in sigmas}
    return min(blurred.items(), key=lambda found: F.mse_loss(found[1], x_0).item())


def sdedit(eps_fn, schedule, x_0, timesteps, start, *, generator=None, **options):
    """Noise x_0 (B,C,H,W) to timesteps[start], then walk down. SDEdit, section 3.

    timesteps: as in `sample_path`. start: index into them; 0 keeps least of x_0, the last returns
    it. options: of `sample_path`. Returns the generator of States. Raises ValueError for a start
    that is none of theirs.
    """
    if not 0 <= start < len(timesteps):
        raise ValueError(
            f"start must lie in 0..{len(timesteps) - 1}, from noise to picture; got {start}"
        )
    x_t = noised(schedule, x_0, timesteps[start], generator)
    return sample_path(
        eps_fn, schedule, x_t, timesteps[start:], generator=generator, **options
    )


def inpaint(
    eps_fn, schedule, x_0, mask, x, timesteps, *, resample=1, generator=None, **options
):
    """Fill the hole in pictures x_0, yielding every State. RePaint, algorithm 1.

    x_0: (B,C,H,W). mask: bool, broadcastable to x_0, True = hole. x: noise to start from, like x_0.
    timesteps, options: of `sample_path`. resample: how often each step is taken, 1 = no way back.
    What is known ends exactly as in x_0. The known part's noise comes from a second generator made
    of the first, so that with a hole everywhere this is plain sampling, bit for bit (without a
    generator: in law). Raises ValueError for what does not fit and for resample below 1.
    """
    check_walk(schedule, timesteps)
    if x.shape != x_0.shape:
        raise ValueError(f"x and x_0 must be alike, got {tuple(x.shape)} and {tuple(x_0.shape)}")
    fits = mask.dim() == 4 and all(m in (1, n) for m, n in zip(mask.shape, x_0.shape))
    if mask.dtype != torch.bool or not fits:
        raise ValueError(
            f"mask must be bool, True for the hole, and fit {tuple(x_0.shape)}; got {mask.dtype} "
            f"{tuple(mask.shape)}"
        )
    if resample < 1:
        raise ValueError(f"resample must be at least 1, got {resample}")
    beside = _beside(generator)
    yield State(timesteps[0], x, None)
    for t, s in zip(timesteps, timesteps[1:]):
        for left in reversed(range(resample if s > 0 else 1)):
            x, x_0_hat = take_step(
                eps_fn, schedule, x, t, s, generator=generator, **options
            )
            x = torch.where(mask, x, noised(schedule, x_0, s, beside))
            if left:
                x = _step_back(schedule, x, s, t, beside)
        yield State(s, x, x_0_hat)


def inpaint_calls(steps, resample):
    """Return how many network calls `inpaint` takes: its last step is never repeated."""
    return resample * (steps - 1) + 1


def _step_back(schedule, x_s, s, t, generator):
    """Noise x_s on, from level s to t: DDPM (2) for any two levels; RePaint, line 10."""
    alpha = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    return alpha.sqrt() * x_s + (1 - alpha).sqrt() * noise_like(x_s, generator)


def _beside(generator):
    """Return a generator seeded by the state of another, which stays as it is."""
    if generator is None:
        return None
    twin = generator.clone_state()
    seed = torch.randint(2**62, (), generator=twin, device=twin.device)
    return twin.manual_seed(seed.item())


def _parts(answer):
    """Return an eps_fn's answer as (eps_hat, v), v None where it tells none."""
    return answer if isinstance(answer, tuple) else (answer, None)


def anagram(eps_fns, views):
    """Return the eps_fn of a picture that is each eps_fn's as seen by its view. Visual anagrams,
    section 3.

    eps_fns: list, each guided for itself. views: as many of VIEWS' values. Raises ValueError for
    lists of unequal length.
    """
    _check_pairs(eps_fns, views, "views")

    def eps_fn(x_t, t):
        seen = [_parts(fn(view.see(x_t), t)) for fn, view in zip(eps_fns, views)]
        eps_hat = torch.stack([view.back(e) for view, (e, _) in zip(views, seen)]).mean(0)
        if seen[0][1] is None:
            return eps_hat
        return eps_hat, torch.stack([view.back_v(v) for view, (_, v) in zip(views, seen)]).mean(0)

    return eps_fn


def hybrid(eps_fns, filters):
    """Return the eps_fn whose noise is each eps_fn's as its filter lets through. Factorized
    diffusion, section 3.

    eps_fns: list, each guided for itself. filters: as many linear functions of pictures that sum to
    the identity, see `split`. Raises ValueError for lists of unequal length.
    """
    _check_pairs(eps_fns, filters, "filters")

    def eps_fn(x_t, t):
        told = [_parts(fn(x_t, t)) for fn in eps_fns]
        eps_hat = sum(keep(e) for keep, (e, _) in zip(filters, told))
        v = told[0][1]
        return eps_hat if v is None else (eps_hat, v)

    return eps_fn


def _check_pairs(eps_fns, others, name):
    if not eps_fns or len(eps_fns) != len(others):
        raise ValueError(f"wanted as many {name} as prompts, got {len(others)} for {len(eps_fns)}")


def split(*coarse):
    """Return one filter more than `coarse` has; together they sum to the identity.

    coarse: linear functions of pictures, the coarsest first: `blur`, `motion`, `grey`. The first
    band is what the coarsest keeps, each next what the next keeps besides, the last all the rest.
    """
    whole = (*coarse, lambda x: x)
    between = [lambda x, a=a, b=b: b(x) - a(x) for a, b in zip(whole, whole[1:])]
    return [whole[0], *between]


def blur(sigma=2.0, kernel=33):
    """Return the low pass by a Gaussian. Arguments: of `gaussian_denoise`."""
    return lambda x: gaussian_denoise(x, kernel, sigma)


def motion(length):
    """Return the blur of a camera that moves sideways. length: pixels, odd; less than twice the
    picture's width. Raises ValueError for an even one."""
    if length < 1 or length % 2 == 0:
        raise ValueError(f"wanted an odd length, got {length} pixels")
    ends = (length // 2, length // 2, 0, 0)
    return lambda x: F.avg_pool2d(F.pad(x, ends, mode="reflect"), (1, length), stride=1)


def grey(x):
    """Take the colours out of pictures (B,C,H,W): each channel becomes their mean."""
    return x.mean(1, keepdim=True).expand_as(x)
