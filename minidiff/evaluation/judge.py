"""The judge: how the classifier is trained, and what it reads in images.

It is trained with the usual cross entropy, on images that are each shifted, rotated and stretched a
little, since a judge should not depend on where exactly something is. Of digits it is asked one
question, of doodles four: subject, medium, colour, time of day. Their losses are averaged, each
over the images that have an answer.

Exercises
1. What is its loss before the first step? Estimate, then look.
   test_judge.py: test_it_learns_to_read
2. Let `jitter` move a whole batch the same way. Which test notices? What is lost in training?
   test_judge.py: test_jitter_moves_little_and_each_image_differently
"""

import torch
import torch.nn.functional as F

from minidiff.data import catalog
from minidiff.data.prompts import SMALL, Vocabulary
from minidiff.editing.blur import gaussian_blur
from minidiff.files import checkpoint, runs
from minidiff.models import zoo
from minidiff.network.registry import rebuild

DIGITS = {"mnist", "strokes"}  # sets of the same things: a model of one can be judged by the other


def jitter(x, generator=None):
    """Return images x (B,C,H,W) shifted (by up to 1.6 of 28 pixels), rotated, stretched, sheared.
    What comes in at an edge repeats it."""
    off = torch.rand(len(x), 2, 3, generator=generator, device=x.device) - 0.5
    size = torch.tensor([0.15, 0.15, 0.225], device=x.device)
    matrix = torch.eye(2, 3, device=x.device) + off * size
    grid = F.affine_grid(matrix, x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="border")


def blurred(x, generator=None, most=2.0):
    """Return images as seen from a distance: blurred, all by the same sigma, random in 0.1 .. most
    pixels. The judge of hybrids must read them."""
    share = torch.rand((), generator=generator, device=x.device).item()
    return gaussian_blur(x, 2 * round(3 * most) + 1, 0.1 + (most - 0.1) * share)


def classification_loss(model, x_0, answers, generator=None):
    """Return the mean cross entropy of the questions, a float32 scalar. x_0: (B,C,H,W) in [0, 1].
    answers: int64 (B, questions), -1 where there is none. Of colour images half are blurred."""
    x = jitter(x_0, generator)
    if x.shape[1] > 1:
        x = torch.cat([x[: len(x) // 2], blurred(x[len(x) // 2 :], generator)])
    groups = ask(model, x)
    losses = [F.cross_entropy(logits.float(), column, ignore_index=-1, reduction="sum")
              / (column >= 0).sum().clamp(min=1) for logits, column in zip(groups, answers.T)]
    return sum(losses) / len(losses)


def ask(judge, x):
    """Return the logits of each question about images x (B,C,H,W) in [0, 1]: a tuple of (B, number
    of answers). judge: a Classifier, or its Model."""
    return judge(x).split(getattr(judge, "network", judge).answers, 1)


@torch.no_grad()
def predict(judge, dataset, chunk=500):
    """Return the answers to each question about a Dataset's images, int64 (N, questions). judge: in
    eval mode."""
    parts = torch.arange(len(dataset)).split(chunk)
    return torch.cat([read(judge, dataset.images_at(p)) for p in parts])


@torch.no_grad()
def read(judge, x):
    """Return the answers to each question about images x (B,C,H,W) in [0, 1]: int64 (B, questions).
    """
    return torch.stack([logits.argmax(1) for logits in ask(judge, x)], 1)


def accuracy(judge, dataset) -> dict:
    """Return the share of right answers to each question about a Dataset's images."""
    dataset = dataset.judged()
    return dict(zip(dataset.questions, shares(predict(judge, dataset), dataset.labels)))


def shares(answers, labels) -> list[float]:
    """Return the share of right answers to each question, 0 where nothing is asked. answers,
    labels: int64 (N, questions); -1 in the latter asks nothing."""
    return ((answers == labels).sum(0) / (labels >= 0).sum(0).clamp(min=1)).tolist()


def asked(prompt: str, questions: dict) -> list[int]:
    """Return what a prompt asks for: for each question the index of an answer, -1 if it names none.

    questions: {name: possible answers}. An answer that shares more words with the prompt is
    preferred, then a shorter one: "a man" is a man, and not a man wearing a hat.
    """
    def words(text):
        return set(Vocabulary(known).split(text)) & {*known}

    found = []
    for names in questions.values():
        known = tuple(word for name in names for word in name.split()
                      if word not in SMALL or word == name)
        known = known if any(map(str.isalpha, known)) else names
        score = [(len(words(name) & words(prompt)), -len(words(name))) for name in names]
        best = max(range(len(names)), key=score.__getitem__)
        found.append(best if score[best][0] else -1)
    return found


@torch.no_grad()
def reads(model, x, prompt):
    """Return whether the judge of a model's images reads the digit, or the subject, of the prompt
    in each image x (N,C,H,W) of its data range: bool (N,). None if the prompt names none, or if
    there is no such judge."""
    questions = catalog.questions(model.dataset)
    answer = asked(prompt, questions)[0] if questions else -1
    if answer < 0:
        return None
    try:
        judge = rebuild(find(data=model.dataset)[0])
    except ValueError:
        return None
    return read(judge, model.to_unit(x).clamp(0, 1).cpu())[:, 0] == answer


def find(place="", data=None):
    """Return the checkpoint of the judge that `place` means, a dict, and its description; by
    default of the newest run that knows the images or, if there is none, of the shipped judge.

    data: the set that the samples' model was trained on. Raises ValueError if the judge does not
    know it.
    """
    files = [zoo.find("classifier", place)]
    if data and not place:
        files += [folder / runs.LAST for folder in reversed(runs.folders("classifier"))
                  if (folder / runs.LAST).is_file()]
        files += zoo.snapshots("classifier")[-1:] + zoo.snapshots(f"classifier-{data}")[-1:]
    known = ((file, zoo.load_kind("classifier", file)) for file in files)
    file, found = next((k for k in known if alike(k[1]["dataset"], data)), (None, None))
    if not found:
        file, found = files[0], zoo.load_kind("classifier", files[0])
    if data:
        cure = f'train one: make train-classifier ARGS="--dataset {data}", or name another: --judge'
        check_data("the judge", found["dataset"], data, cure)
    return found, f"{zoo.origin(file)} ({checkpoint.summary(found)})"


def alike(own, data) -> bool:
    """Return whether a network that was trained on the set `own` knows the images of `data`."""
    return own == data or {own, data} <= DIGITS


def check_data(what, own, data, cure):
    """Check that a network can be used on a model's images; `own` and `data` are the sets that the
    two were trained on. what: the network, in words. cure: what the user can do. Prints a note if
    both are sets of digits; raises ValueError for anything else that differs."""
    if not alike(own, data):
        raise ValueError(f"{what} was trained on {own}, the model on {data}; {cure}")
    if own != data:
        print(f"note: {what} was trained on {own}, the model on {data}; both are digits")
