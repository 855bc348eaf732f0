"""Train the digit classifier, and let it read the test digits and strokes.

    python -m train.classifier --dataset mnist      also prints how many strokes it reads
"""

from minidiff import classifier, data
from minidiff.cli import main
from minidiff.images import save_grid
from train.run import Job, run


def loss(cfg, device):
    """Return the loss: cross entropy on jittered digits."""
    return classifier.classification_loss


def draw(network, cfg, test, path, caption):
    """Print the share it reads of its test set and of strokes; draw what it gets wrong."""
    device = next(network.parameters()).device
    for found in (test, data.load("strokes", "test")):
        found = found.to(device)
        wrong = (classifier.read(network, found) != found.labels).nonzero().flatten()
        share = 1 - len(wrong) / len(found)
        line = f"{found.name} test digits read: {share:.2%} of {len(found):,}"
        print(line, flush=True)
        if len(wrong):
            save_grid(path(f"mistakes-{found.name}"), found.pictures(wrong[:100]),
                      f"the first misread: {line}; {caption}")


JOB = Job("classifier", {}, loss, draw)

if __name__ == "__main__":
    main(lambda: run(JOB))
