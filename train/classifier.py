"""Train the digit classifier, and measure it on the test digits and on strokes.

    python -m train.classifier --dataset mnist      also prints its accuracy on strokes
"""

from minidiff.data import dataset
from minidiff.evaluation import judge
from minidiff.files.images import save_grid
from minidiff.system.cli import program
from train.launch import Job, launch


def loss(model, x_0, labels, generator, cfg):
    """Return the loss: cross entropy on jittered digits."""
    return judge.classification_loss(model, x_0, labels, generator)


def draw(model, cfg, test, name_file, caption):
    """Print the accuracy on its test set and on strokes; draw what it gets wrong."""
    for found in (test, dataset.load("strokes", "test")):
        found = found.to(model.device)
        wrong = (judge.predict(model, found) != found.labels).nonzero().flatten()
        accuracy = 1 - len(wrong) / len(found)
        line = f"accuracy on {found.name} test digits: {accuracy:.2%} of {len(found):,}"
        print(line, flush=True)
        if len(wrong):
            save_grid(name_file(f"mistakes-{found.name}"), found.images_at(wrong[:100]),
                      f"the first mistakes: {line}; {caption}")


JOB = Job("classifier", {}, loss, draw)

if __name__ == "__main__":
    with program():
        launch(JOB)
