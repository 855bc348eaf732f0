"""A network becomes a model that a sampler can use; a name or a file becomes a network.

A sampler wants to know nothing of UNets. The contract between the two halves of this project:

    eps_hat = model(x_t, t, cond)     x_t (B,C,H,W) float; t (B,) int64 in 1..T
    model.schedule                    how much signal is left at each t
    model.image_shape                 (C, H, W)
    model.data_range                  (low, high) of a clean picture
    cond = model.embed(prompts)       prompts: list of str; "" is the null prompt

The digit models' prompts are "0".."9" and "". A model without classes takes only "".

Where does a network come from? `find` knows: a file, a run's folder, or the newest run of a kind.

Next: gallery.py
"""

from pathlib import Path

import torch

from minidiff import checkpoint, machine, runs, schedule


class DigitModel:
    """A UNet under the contract. network: UNet with time. T: steps of its linear schedule.

    The network is used in whatever mode it is in; `load_model` hands it over in eval mode.
    """

    image_shape = (1, 28, 28)
    data_range = (0.0, 1.0)

    def __init__(self, network, T: int):
        self.network = network
        self.device = next(network.parameters()).device
        self.schedule = schedule.linear(T).to(self.device)

    def __call__(self, x_t, t, cond=None):
        """Return eps_hat, like x_t (B,1,28,28). t: (B,) int64 in 1..T. cond: from `embed`."""
        return self.network(x_t, t / self.schedule.T, cond)

    def embed(self, prompts: list[str]):
        """Turn prompts into a condition: one-hot rows, zeros for ""; None for a model without
        classes.

        Returns float32 (len(prompts), classes) or None. Raises ValueError for a prompt it does
        not know.
        """
        allowed = ["", *map(str, range(self.network.classes))]
        for prompt in prompts:
            if prompt not in allowed:
                known = " ".join(repr(p) for p in allowed)
                raise ValueError(f"unknown prompt {prompt!r}; this model knows: {known}")
        if not self.network.classes:
            return None
        index = torch.tensor([allowed.index(p) for p in prompts], device=self.device)
        eye = torch.eye(len(allowed), device=self.device)[:, 1:]  # row 0, the null prompt: zeros
        return eye[index]


def find(kind: str, place: str = "") -> Path:
    """Return the checkpoint file meant by `place`: a file, a folder, or "" for the newest run."""
    path = Path(place) if place else runs.newest(kind)
    return path / runs.LAST if path.is_dir() else path


def load_model(kind: str, place: str = "", device="cpu"):
    """Load a time-conditioned model and the checkpoint it came from: (DigitModel, dict).

    kind: "uncond". place: as in `find`. Raises ValueError for a checkpoint of another kind.
    """
    found = load_kind(kind, place)
    if not isinstance(found["config"], dict) or not isinstance(found["config"].get("T"), int):
        raise ValueError(f"the checkpoint of this {kind} model does not tell its number of steps T")
    device = torch.device(device)
    network = checkpoint.rebuild(found).to(device, memory_format=machine.memory_format(device))
    return DigitModel(network, found["config"]["T"]), found


def load_kind(kind: str, place: str = "") -> dict:
    """Load the checkpoint meant by `place`. Raises ValueError if it is of another kind."""
    file = find(kind, place)
    found = checkpoint.load(file)
    if found["kind"] != kind:
        raise ValueError(f"{file} holds a {found['kind']!r} model, but {kind!r} is wanted here")
    return found
