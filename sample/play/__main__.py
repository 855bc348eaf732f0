"""The playground: diffusion in the browser.

    make play
    make play ARGS="--port 8000 --no-browser"

It needs gradio, the extra "play", which the target installs.
"""

import os
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from minidiff.system import cli
from minidiff.system.hardware import DEVICES


@dataclass(frozen=True)
class PlayOptions:
    """Where the page is served, and who can see it. Raises ValueError for values out of range."""

    host: str = cli.flag("127.0.0.1", "address to serve at; 0.0.0.0: for everyone in your network")
    port: int = cli.flag(7860, "its port", least=1, most=65535)
    browser: bool = cli.flag(True, "open the page in the browser")
    share: bool = cli.flag(False, "a public address for 72 hours, through gradio's servers")
    device: str = cli.flag("auto", "auto: cuda, else mps, else cpu", DEVICES)

    def __post_init__(self):
        cli.check(self)


def check_free(host, port):
    """Raise ValueError if the address cannot be served at."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(found[0][4])
    except OSError as e:
        raise ValueError(f"{host} port {port} cannot be used ({e.strerror}); choose another, such "
                         f"as --port {port + 1 if port < 65535 else 7860}") from e


def main(argv=None):
    """Serve the page until Ctrl-C."""
    about = "play with diffusion models in the browser"
    (options,), _ = cli.parse([PlayOptions], argv, "python -m sample.play", about)
    check_free(options.host, options.port)
    if not find_spec("gradio"):
        raise ValueError("gradio is not installed; run: make play")
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
    from sample.play.serve import serve  # it imports gradio

    serve(options)


if __name__ == "__main__":
    with cli.program():
        main()
