"""From the description in a checkpoint to a network: its class, arguments and weights."""

from minidiff.network.classifier import Classifier
from minidiff.network.unet import UNet

NETWORKS = {"classifier": Classifier}  # every other kind of model has a UNet


def build(kind: str, arguments: dict):
    """Return the network of a kind of model, with fresh weights. arguments: of its class."""
    return NETWORKS.get(kind, UNet)(**arguments)


def rebuild(checkpoint: dict):
    """Return the network that a checkpoint describes, with its weights, in float32 and eval mode.
    Raises ValueError where they do not fit the description."""
    try:
        network = build(checkpoint["kind"], checkpoint["network"])
        network.load_state_dict(checkpoint["weights"])
    except (RuntimeError, TypeError, AttributeError, ValueError) as e:
        file, given = getattr(checkpoint, "file", "the checkpoint"), checkpoint["network"]
        raise ValueError(f"{file}: its weights do not fit its network {given}") from e
    return network.eval()
