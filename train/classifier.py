"""Train the judge: a classifier of digits, or of doodles, and measure it on images it never saw.

    python -m train.classifier --dataset mnist      also prints its accuracy on strokes
    python -m train.classifier --dataset doodles    reads subject, medium, colour, time of day
"""

import re

import torch

from minidiff.data import catalog
from minidiff.evaluation import judge
from minidiff.files.images import save_grid
from minidiff.system.cli import program
from train.launch import Job, launch


def network(data):
    """Return the arguments of its network besides width, for a training set."""
    if data.labels.dtype == torch.uint8:  # conditions
        raise ValueError(f"{data.name} has no classes, so there is nothing for a judge to read")
    if data.shape[0] == 1 and [*map(len, data.questions.values())] == [10]:
        return {}
    return {"channels": data.shape[0], "answers": [len(names) for names in data.questions.values()]}


def loss(model, x_0, answers, generator, cfg):
    """Return the loss: cross entropy on jittered images."""
    return judge.classification_loss(model, x_0, answers, generator)


def draw(model, cfg, test, name_file, caption):
    """Print the accuracy for each question on the test set and on another; draw the mistakes."""
    others = {"mnist": [("strokes", "test")], "doodles": [("doodles", "held_out")]}
    sets = [("test", test)] + [
        (split, catalog.load(name, split).judged().to(model.device))
        for name, split in others.get(test.name, ())
    ]
    for split, found in sets:
        wrong = (judge.predict(model, found) != found.labels) & (found.labels >= 0)
        each = ", ".join(f"{name} {share:.2%}"
                         for name, share in judge.accuracy(model, found).items())
        line = f"accuracy on {len(found):,} {found.name}, {split}: {each}"
        print(line, flush=True)
        mistakes = wrong.any(1).nonzero().flatten()[:100]
        if len(mistakes):
            name = re.sub(r"\W+", "-", found.name)  # of a folder it has slashes and colons
            save_grid(name_file(f"mistakes-{name}-{split}"), found.images_at(mistakes),
                      f"the first mistakes: {line}; {caption}")


JOB = Job("classifier", network, loss, draw, judge=True)

if __name__ == "__main__":
    with program():
        launch(JOB)
