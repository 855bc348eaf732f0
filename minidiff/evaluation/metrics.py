"""How good are the digits? Numbers that a picture of forty samples cannot give.

A loss does not tell. Most of its mean is made at small t: there x_t is nearly clean, and the noise
in it too faint to be told from the pen's own edges. Which digit it becomes, and whether its strokes
join, is decided at large t, where the loss is a hundred times smaller. A model whose loss there is
a third lower draws better, and its mean is lower by a few percent at most. `loss_at` shows it.

So a judge, the classifier, looks at many samples, and four things are asked:

    accuracy     does it predict the digit that was asked for?
    distance     do its features of samples spread as those of real digits do?
    copying      are samples nearer to training digits than unseen real digits are?
    score        can one learn to predict real digits from samples alone?

The distance is Fréchet's between two Gaussians, one with the mean m and covariance C of either set
of features; Heusel et al. (6), where the features are Inception's and it is called FID:

    d² = |m_1 - m_2|² + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

Accuracy alone can be had by drawing one perfect picture of each digit again and again; the distance
sees that. It is never 0 for a finite set: n real digits too lie a little off. So beside it stands
the *floor*, what n real training digits get, and only the ratio says something. It holds for one
judge and one n.

Copying is the mean distance from a sample to the nearest training digit, pixel by pixel, divided by
the same for test digits: far below 1 means that the model recites. A thousand of either are looked
at.

The score trains a fresh classifier on samples alone and tests it on real digits; beside it, one
trained on as many real ones. Classification accuracy score: Ravuri & Vinyals.

Sources: FID, arXiv:1706.08500; classification accuracy score, arXiv:1905.10887.

Exercises
1. Draw one perfect digit of each kind a hundred times. How do accuracy and distance take it?
   test_evaluate.py: test_one_perfect_digit_again_and_again_is_accurate_but_far
2. Measure training digits with a little noise on them. Which of the four finds them out?
   test_evaluate.py: test_copies_of_training_digits_are_found_out
3. Measure four times as many samples. What does the floor do?
   test_evaluate.py: test_the_floor_falls_with_n
Next: gallery.py
"""

import torch

from minidiff.data.dataset import Dataset
from minidiff.editing.blur import gaussian_blur
from minidiff.network.classifier import Classifier, classification_loss, predict
from minidiff.theory.diffusion import noise_like, q_sample
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe

CHUNK = 500  # pictures per call
COPIES = 1000  # pictures whose nearest training digit is looked for


@torch.no_grad()
def features(judge, x):
    """Return the judge's features of pictures x (N,1,28,28) in [0, 1], float64 (N, F) on the CPU,
    since not every device has float64."""
    return torch.cat([judge.features(part).cpu().double() for part in x.split(CHUNK)])


def statistics(found):
    """Return mean (F,) and covariance (F, F) of features (N, F). Raises ValueError if N < 2."""
    if found.dim() != 2 or len(found) < 2:
        raise ValueError(f"statistics want features (N, F), N >= 2; got {tuple(found.shape)}")
    return found.mean(0), found.T.cov()


def frechet(a, b) -> float:
    """Return the Fréchet distance d² of two (mean, covariance). FID (6).

    The root's trace is that of (C_1^{1/2} C_2 C_1^{1/2})^{1/2}, which is symmetric: no complex
    numbers, whatever rounding does. a, b: as `statistics` returns them.
    """
    (m_1, c_1), (m_2, c_2) = a, b
    values, vectors = torch.linalg.eigh(c_1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ c_2 @ root).clamp(min=0).sqrt().sum()
    return ((m_1 - m_2).square().sum() + c_1.trace() + c_2.trace() - 2 * cross).item()


def from_afar(x, sigma=2.0):
    """Show pictures x (N,1,H,W) as they look from across a room, for the judge: blurred, then the
    levels pulled apart until white and black are back.

    A judge trained on sharp digits reads 2 of 10 real ones with the blur alone, 9 of 10 with this.
    """
    x = gaussian_blur(x, 2 * round(3 * sigma) + 1, sigma)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return (((x - low) / (high - low).clamp(min=1e-6) - 0.5) * 4 + 0.5).clamp(0, 1)


def nearest(x, others):
    """Return each picture's distance to the nearest of others: root mean square over its pixels.

    x: float (N,1,H,W). others: uint8 (M,1,H,W), as in a Dataset. Returns float32 (N,).
    """
    best = []
    x = x.flatten(1)
    for part in x.split(CHUNK):
        found = [torch.cdist(part, o.flatten(1).float() / 255).amin(1) for o in others.split(5000)]
        best.append(torch.stack(found).amin(0))
    return torch.cat(best) / x.shape[1] ** 0.5


class Measure:
    """The measure, with a judge and the real digits to hold samples against.

    judge: Classifier in eval mode. train, test: Dataset, the judge's own kind of digits.
    """

    def __init__(self, judge, train: Dataset, test: Dataset):
        self.judge, self.train, self.test = judge, train, test
        self.real = statistics(features(judge, test.images_at(slice(None))))
        self.floors, self.unseen = {}, None  # the same for every set of samples

    def floor(self, n: int) -> float:
        """Return the distance that n real training digits have to the test set: the mean of ten
        draws of n, or of as many as there are apart."""
        if n not in self.floors:
            order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
            draws = [part for part in order.split(n) if len(part) == n][:10] or [order]
            found = [self.distance(self.train.images_at(part)) for part in draws]
            self.floors[n] = sum(found) / len(found)
        return self.floors[n]

    def distance(self, x) -> float:
        """Return the Fréchet distance of pictures x (N,1,28,28) to the test set."""
        return frechet(statistics(features(self.judge, x)), self.real)

    def __call__(self, x, labels=None) -> dict:
        """Measure pictures x, float (N,1,28,28) in [0, 1]; labels: int64 (N,), what was asked.

        Returns n, accuracy (where labels are), confident (share predict with over 90% certainty),
        distance, floor, ratio = distance / floor, and copying. Raises ValueError for other shapes.
        """
        if x.dim() != 4 or x.shape[1:] != (1, 28, 28) or len(x) < 2:
            raise ValueError(f"wanted pictures (N,1,28,28), N >= 2; got {tuple(x.shape)}")
        with torch.no_grad():
            logits = torch.cat([self.judge(part) for part in x.split(CHUNK)])
        certainty, digit = logits.softmax(1).max(1)
        distance, floor = self.distance(x), self.floor(len(x))
        found = {"n": len(x)}
        if labels is not None:
            found["accuracy"] = (digit == labels.to(digit.device)).float().mean().item()
        near = nearest(x[:COPIES], self.train.images).mean().item() / self._unseen()
        return {
            **found, "confident": (certainty > 0.9).float().mean().item(),
            "distance": distance, "floor": floor, "ratio": distance / floor,
            "copying": near,
        }

    def _unseen(self):
        """Return the mean distance of real digits, never trained on, to the nearest of `train`."""
        if self.unseen is None:
            some = torch.randperm(len(self.test), generator=torch.Generator().manual_seed(0))
            x = self.test.images_at(some[:COPIES])
            self.unseen = nearest(x, self.train.images).mean().item()
        return self.unseen


@torch.no_grad()
def loss_at(model, x_0, prompts, times, seed=0) -> list[float]:
    """Return the mean of |eps_hat - eps|² at each t of `times`, conditioned, in eval mode.

    model: under the contract of models.py. x_0: (B,C,H,W), never trained on. prompts: list of B
    str. times: ints in 1..T. The noise is the same at every t.
    """
    eps = noise_like(x_0, torch.Generator().manual_seed(seed))
    found = []
    for t in times:
        at = torch.full((len(x_0),), t, device=x_0.device)
        eps_hat = model(q_sample(model.schedule, x_0, at, eps), at, model.embed(prompts))
        found.append((eps_hat - eps).square().mean().item())
    return found


def score(train: Dataset, test: Dataset, seed=0, **recipe) -> float:
    """Train a fresh classifier on `train` alone; return the share of `test` it reads.

    For a classification accuracy score `train` holds samples and what they were asked to be.
    recipe: fields of Recipe; the precision is float32.
    """
    cfg = Recipe(**{**recipe, "seed": seed, "precision": "float32"})
    torch.manual_seed(seed)
    network = Classifier(cfg.width).to(train.images.device)
    for _ in fit(Training(network, classification_loss, cfg, train.images.device), train):
        pass
    return (predict(network.eval(), test) == test.labels).float().mean().item()
