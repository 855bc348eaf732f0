"""How good are the digits? Numbers that a look at forty samples cannot give.

The loss does not say. Most of its mean comes from small t, where the noise is too faint to be
distinguished from the edges of the strokes. Which digit it becomes, and whether its strokes join,
is decided at large t, where the loss is a hundred times smaller. A model whose loss there is a
third lower makes better digits, though its mean loss is lower by a few percent at most (`loss_at`).

So a judge, the classifier, evaluates many samples:

    accuracy     does the judge read the digit of the prompt?
    distance     are its features of samples distributed like those of real digits?
    copying      are samples closer to training digits than unseen real digits are?
    score        can a classifier learn to recognise real digits from samples alone?

The distance is Fréchet's between two Gaussians that have the mean m and covariance C of each set of
features; Heusel et al. (6), where the features are Inception's and it is called FID:

    d² = |m_1 - m_2|² + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

One perfect image of each digit, repeated, has perfect accuracy; the distance notices. It is never 0
for a finite set: even n real digits have some. So compare it with the *floor*, the distance of n
real training digits with the same labels as the samples; only the ratio is meaningful, and only for
one judge and one n. Labels matter: ten digits equally often are nearer to the test set than digits
drawn at random are. A model that is prompted with them gets no credit for that.

Copying is the mean distance from a sample to the nearest training digit, pixel by pixel, divided by
the same for test digits, measured on a thousand of each: far below 1 means that the model has
memorised. The score trains a new classifier on samples alone and tests it on real digits; compare
it with one trained on as many real ones.

Sources: FID, arXiv:1706.08500; classification accuracy score, arXiv:1905.10887.

Exercises
1. Repeat one perfect image of each digit twenty times. What are their accuracy and distance?
   test_metrics.py: test_one_perfect_image_of_each_digit_repeated_is_accurate_but_far
2. Measure training digits with a little noise on them. Which of the four detects them?
   test_metrics.py: test_copies_of_training_digits_are_detected
3. Draw the floor's digits at random for prompted samples too. What ratio do real digits get?
   test_floor.py: test_real_digits_have_a_ratio_of_1
"""

from functools import cached_property

import torch

from minidiff.data.dataset import Dataset
from minidiff.editing.blur import gaussian_blur
from minidiff.evaluation.judge import ask, classification_loss, predict, read, shares
from minidiff.models.model import Model
from minidiff.network.classifier import Classifier
from minidiff.theory.diffusion import noise_like, q_sample
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe

CHUNK = 500  # images per network call
COPIES = 1000  # images whose nearest training digit is searched


def check_finite(x, what="the samples"):
    """Raise ValueError if a tensor holds NaN or infinity. what: what it is, in words."""
    if not x.isfinite().all():
        raise ValueError(f"{what} are not finite, so nothing is written: the weights are damaged, "
                         "or the number format overflows; try --precision float32, other weights")


@torch.no_grad()
def features(judge, x):
    """Return the judge's features of images x (N,1,28,28) in [0, 1], float64 (N, F) on the CPU,
    since not every device has float64."""
    return torch.cat([judge.features(part).cpu().double() for part in x.split(CHUNK)])


def statistics(found):
    """Return mean (F,) and covariance (F, F) of features (N, F). Raises ValueError if N < 2."""
    if found.dim() != 2 or len(found) < 2:
        raise ValueError(f"expected features (N, F), N >= 2, got {tuple(found.shape)}")
    check_finite(found, "the judge's features")
    return found.mean(0), found.T.cov()


def frechet(a, b) -> float:
    """Return the Fréchet distance d² of two (mean, covariance), see `statistics`. FID (6)."""
    # tr (C_1 C_2)^{1/2} = tr (C_1^{1/2} C_2 C_1^{1/2})^{1/2}: symmetric, so rounding keeps it real.
    (m_1, c_1), (m_2, c_2) = a, b
    values, vectors = torch.linalg.eigh(c_1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ c_2 @ root).clamp(min=0).sqrt().sum()
    return ((m_1 - m_2).square().sum() + c_1.trace() + c_2.trace() - 2 * cross).item()


def from_afar(x, sigma=2.0):
    """Return images x (N,C,H,W) as seen from across a room: blurred by sigma pixels; grey ones then
    with the contrast restored. Of ten real digits, a judge trained on sharp ones recognises 9 in
    this form, but only 2 if they are just blurred."""
    x = gaussian_blur(x, 2 * round(3 * sigma) + 1, sigma)
    if x.shape[1] > 1:  # the judge of colour images knows blurred ones
        return x
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return (((x - low) / (high - low).clamp(min=1e-6) - 0.5) * 4 + 0.5).clamp(0, 1)


def nearest(x, others):
    """Return each image's distance to the nearest of others, root mean square over its pixels,
    float32 (N,). x: float (N,1,H,W). others: uint8 (M,1,H,W), as in a Dataset."""
    def smallest(part):
        found = [torch.cdist(part, o.flatten(1).float() / 255).amin(1) for o in others.split(5000)]
        return torch.stack(found).amin(0)

    return torch.cat([smallest(part) for part in x.flatten(1).split(CHUNK)]) / x[0].numel() ** 0.5


class Measure:
    """The metrics, with a judge and the real images to compare samples with.

    judge: Classifier in eval mode, or None: then only copying is measured. train, test: Dataset,
    the judge's own kind of images.
    """

    def __init__(self, judge, train: Dataset, test: Dataset):
        self.judge, self.train, self.test = judge, train, test
        if judge:
            self.train, self.test = train.judged(), test.judged()
        self.floors, self.unseen = {}, None  # the same for every set of samples

    @cached_property
    def real(self):
        """The `statistics` of the test set, computed when they are first needed."""
        return statistics(features(self.judge, self.test.images_at(slice(None))))

    def floor(self, n: int, labels=None) -> float:
        """Return the distance of n real training images to the test set: as many of each digit (or
        subject) as in labels, int64 (n,) or (n, questions), or drawn at random. It is the mean
        over ten disjoint sets, or over as many as there are."""
        counts = (n,)
        if labels is not None:
            counts = tuple((labels.view(n, -1)[:, 0] + 1).bincount().tolist())
        if counts not in self.floors:
            order = _shuffled(self.train)
            classes = torch.zeros_like(order)
            if labels is not None:
                classes = self.train.labels[order, 0] + 1  # -1: no answer
            found = [self.distance(self.train.images_at(i)) for i in _parts(order, classes, counts)]
            self.floors[counts] = sum(found) / len(found)
        return self.floors[counts]

    def distance(self, x) -> float:
        """Return the Fréchet distance of images x (N,C,H,W) to the test set."""
        return frechet(statistics(features(self.judge, x)), self.real)

    def __call__(self, x, labels=None) -> dict:
        """Measure images x, float (N,C,H,W) in [0, 1]. labels: int64 (N,), the digits prompted, or
        (N, questions), what was asked for, -1 where nothing was.

        Returns n, accuracy (given labels; of several questions one each, and `all` of them),
        confident (share of which the judge is over 90% sure), distance, floor, ratio = distance /
        floor, copying. Raises ValueError for other shapes, or images that are not finite.
        """
        if x.shape[1:] != self.test.shape or len(x) < 2:
            shape = ",".join(map(str, self.test.shape))
            raise ValueError(f"expected images (N,{shape}), N >= 2, got {tuple(x.shape)}")
        check_finite(x)
        copying = nearest(x[:COPIES], self.train.images).mean().item() / self._unseen()
        found = {"n": len(x)}
        if not self.judge:
            return {**found, "copying": copying}
        if labels is not None:
            labels = labels.view(len(x), -1).to(x.device)
            found.update(self.accuracy(x, labels))
        distance, floor = self.distance(x), self.floor(len(x), labels)
        return {
            **found, "confident": self.confident(x),
            "distance": distance, "floor": floor, "ratio": distance / floor,
            "copying": copying,
        }

    @torch.no_grad()
    def accuracy(self, x, labels) -> dict:
        """Return the share of images x that show what labels (N, questions) ask for."""
        answers = torch.cat([read(self.judge, part) for part in x.split(CHUNK)])
        found = shares(answers, labels)
        if len(found) == 1:
            return {"accuracy": found[0]}
        right = (answers == labels) | (labels < 0)
        return {**dict(zip(self.test.questions, found)), "all": right.all(1).float().mean().item()}

    @torch.no_grad()
    def confident(self, x) -> float:
        """Return the share of images x whose digit or subject the judge is over 90% sure of."""
        logits = torch.cat([ask(self.judge, part)[0] for part in x.split(CHUNK)])
        return (logits.softmax(1).amax(1) > 0.9).float().mean().item()

    def _unseen(self):
        """Return the mean distance of real digits, never trained on, to the nearest of `train`."""
        if self.unseen is None:
            x = self.test.images_at(_shuffled(self.test)[:COPIES])
            self.unseen = nearest(x, self.train.images).mean().item()
            if not self.unseen:
                raise ValueError("every test image is a copy of a training image, so copying cannot"
                                 " be measured; remove the duplicates from the data")
        return self.unseen


def _shuffled(dataset):
    return torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))


def _parts(order, classes, counts, most=10):
    """Return up to `most` disjoint parts of order (N,), each with counts[k] entries of class k.
    classes: int64 (N,). A class that is too small for one part is used repeatedly."""
    groups = [(order[classes.cpu() == k], count) for k, count in enumerate(counts) if count]
    most = max(1, min(most, *(len(group) // count for group, count in groups)))
    return [torch.cat([group[torch.arange(k * count, (k + 1) * count) % len(group)]
                       for group, count in groups if len(group)]) for k in range(most)]


@torch.no_grad()
def loss_at(model, x_0, prompts, times, seed=0) -> list[float]:
    """Return the mean of |eps_hat - eps|² at each t of `times`, ints in 1..T, with the same noise.
    model: NoiseModel in eval mode. x_0: (B,C,H,W), never trained on. prompts: list of B str."""
    eps = noise_like(x_0, torch.Generator().manual_seed(seed))
    found = []
    for t in times:
        at = torch.full((len(x_0),), t, device=x_0.device)
        eps_hat = model(q_sample(model.schedule, x_0, at, eps), at, model.embed(prompts))
        found.append((eps_hat - eps).square().mean().item())
    return found


def score(train: Dataset, test: Dataset, seed=0, **recipe) -> float:
    """Train a new classifier on `train` alone, samples labelled with their prompts; return its
    accuracy on `test`, in the first question. recipe: fields of Recipe, always in float32."""
    cfg = Recipe(**{**recipe, "seed": seed, "precision": "float32"})
    torch.manual_seed(seed)
    train, test = train.judged(), test.judged()
    answers = [*map(len, train.questions.values())][:1]
    network = Classifier(cfg.width, train.shape[0], answers).to(train.images.device)
    for _ in fit(Training(Model(network), classification_loss, cfg), train):
        pass
    return (predict(network.eval(), test)[:, 0] == test.labels[:, 0]).float().mean().item()
