"""Shared fixtures: closed-form Gaussian data, tiny data, an empty folder to run in; a browser."""

import json
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import train.class_cond
import train.classifier
import train.denoiser
import train.flow
import train.flow_uncond
import train.uncond
import train.upsampler
from minidiff.data import strokes
from minidiff.data.dataset import Dataset
from minidiff.files import checkpoint, runs
from minidiff.models.model import NoiseModel
from minidiff.network.unet import UNet
from train.launch import launch

TINY = ["--dataset", "strokes", "--width", "2", "--batch-size", "64", "--epochs", "2",
        "--early-epoch", "1", "--device", "cpu", "--precision", "float32"]  # never measured
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


class Gaussian:
    """Data N(mean, std²) for every pixel, whose ideal predictor is known.

    x_t is then Gaussian too, and E[eps | x_t] = sqrt(1 - ab) (x_t - sqrt(ab) m) / (ab s² + 1 - ab).
    """

    def __init__(self, schedule, mean=0.7, std=0.3):
        self.schedule, self.mean, self.std = schedule, mean, std

    def eps(self, x_t, t):
        ab = self.schedule.alpha_bar[t].view(-1, 1, 1, 1)
        return (
            (1 - ab).sqrt() * (x_t - ab.sqrt() * self.mean) / (ab * self.std**2 + 1 - ab)
        )


@pytest.fixture
def gaussian():
    return Gaussian


@pytest.fixture(scope="session")
def tiny():
    """130 strokes: two batches of 64 and a rest of 2."""
    return Dataset("strokes", *strokes.dataset(130, seed=5))


def small(set_attribute=setattr):
    """Make every strokes set 130 digits long, so that a whole training takes a second."""
    whole = strokes.dataset
    set_attribute(strokes, "dataset", lambda n, seed, size=28: whole(130, seed, size))


def devices():
    """Return the devices that are here: the CPU, and a GPU if there is one."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(),
             "mps": torch.backends.mps.is_available()}
    return [name for name in there if there[name]]


@pytest.fixture(params=devices())
def device(request):
    """Each device that is here, one after the other."""
    return torch.device(request.param)


def pytest_collection_modifyitems(items):
    """Mark the tests that run on every device, for `make gpu-check`."""
    for item in items:
        if "device" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.device)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current folder, no data set on disk, small sets of strokes."""
    small(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with one finished launch of each kind."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        patch.chdir(place)
        launch(train.uncond.JOB, [*TINY, "--T", "20"])
        launch(train.class_cond.JOB, [*TINY, "--T", "20"])
        launch(train.flow.JOB, [*TINY, "--sample-steps", "10"])
        launch(train.flow_uncond.JOB, [*TINY, "--sample-steps", "10"])
        launch(train.denoiser.JOB, TINY)
        launch(train.classifier.JOB, TINY)
        launch(train.upsampler.JOB, [*TINY, "--T", "20"])
    return place


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `python -m module words` in this process, without its start-up; return exit status and
    stderr of a command that ends by itself."""
    def run_it(module, *words):
        monkeypatch.setattr(sys, "argv", [module, *words])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as stop, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that it was imported before
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        return stop.value.code, capsys.readouterr().err

    return run_it


def attentive(T=300):
    """A model with random weights that depends on its class: with fresh ones it hardly does."""
    torch.manual_seed(0)
    network = UNet(4, time=True, classes=10)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.startswith("class"):
                p.mul_(30)
        for _ in range(30):  # BatchNorm needs statistics
            one_hot = torch.eye(10)[torch.randint(10, (16,))]
            network(torch.randn(16, 1, 28, 28), torch.rand(16), one_hot)
    return NoiseModel(network.eval(), T)


def weights(folder):
    """Return the weights a launch's folder has reached."""
    return checkpoint.load(Path(folder) / runs.LAST)["weights"]


def same(a, b):
    """Return whether two state dicts are equal bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


class Silent(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_):
        pass


HARNESS = """<!doctype html><link rel="icon" href="data:,">
<body><script>
async function look([file, width]) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:800px;border:0`; frame.src = file;
  document.body.append(frame);
  await new Promise(done => frame.onload = done);
  const page = frame.contentDocument, root = page.documentElement;
  for (const img of page.images) img.loading = "eager";
  await Promise.all([...page.images].map(img => img.complete ||
    new Promise(done => img.onload = img.onerror = done)));
  frame.contentWindow.scrollTo({top: root.scrollHeight, behavior: "instant"});
  frame.contentWindow.dispatchEvent(new Event("scroll"));  // not only with the next frame
  const nav = page.querySelector("nav");
  const result = {
    contents: nav && Math.max(0, nav.getBoundingClientRect().top),
    reading: [...page.querySelectorAll("nav [aria-current]")].map(a => a.hash),
    bent: [...page.images].filter(img => Math.abs(img.clientWidth / img.clientHeight
      * img.naturalHeight / img.naturalWidth - 1) > 0.03).map(img => img.src),
    pictures: page.images.length, width: root.clientWidth, scroll: root.scrollWidth,
    broken: [...page.images].filter(img => !img.naturalWidth).map(img => img.src),
    captions: [...page.querySelectorAll("figcaption")].filter(c => c.offsetHeight).length,
  };
  frame.remove();
  return result;
}
(async () => {
  const found = [];
  for (const place of PLACES) found.push(await look(place));
  document.body.innerHTML = "<pre>" + JSON.stringify(found) + "</pre>";
})();
</script>"""


def browse(folder, tmp_path, places):
    """Open a folder's pages in Chromium; places: (file, width in pixels). Return what was found in
    each, a list of dicts, and the console's messages."""
    site = tmp_path / "site"
    shutil.copytree(folder, site)
    (site / "harness.html").write_text(HARNESS.replace("PLACES", json.dumps(places)))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
             "--virtual-time-budget=60000", "--dump-dom",
             f"http://127.0.0.1:{server.server_port}/harness.html"],
            capture_output=True, text=True, timeout=1800,
        )
        server.shutdown()
    seen = json.loads(re.search(r"<pre>(.*)</pre>", done.stdout).group(1))
    return seen, re.findall(".*CONSOLE.*", done.stderr)
