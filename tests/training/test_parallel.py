"""parallel.py: several processes do what one does, and a lost one ends all of them in order.

The processes are real, started by torchrun on the CPU. They take seconds to start, so there are
only two jobs, of two and of three processes, and the tests look at what they left behind.
"""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import train.launch
from minidiff.data import strokes
from minidiff.files import checkpoint, runs
from minidiff.models.model import NoiseModel
from minidiff.network import registry
from minidiff.network.unet import UNet
from minidiff.training import parallel
from minidiff.training.loop import Training, fit
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, small
from train.class_cond import JOB
from train.launch import launch

ROOT = Path(__file__).parents[2]
WAIT = 1800  # seconds until a job counts as hung, however slow the machine is
WORDS = [*TINY, "--T", "20", "--sample-steps", "2", "--precision", "float32", "--warmup", "0"]
SIZES = (6, 5, 1)  # of batches for two processes: halves; unequal shares; an empty one


def gradients():
    """Return loss, gradients and running statistics of one step on a batch of each size."""
    found = {}
    for B in SIZES:
        cfg = Recipe(batch_size=max(B, 2), T=20, p_uncond=0.5, precision="float32")
        torch.manual_seed(1)
        model = NoiseModel(UNet(4, time=1, classes=10), cfg.T)
        training = Training(model, partial(JOB.loss, cfg=cfg), cfg)
        for p in training.network.parameters():  # far from the first weights, where norms are 1
            p.data += 0.1 * torch.randn_like(p)
        x_0, labels = torch.rand(B, 1, 28, 28), torch.randint(10, (B,))
        loss = training.update(x_0, labels, 1e-3)
        named = training.network.named_parameters()
        found[B] = {"loss": loss, **{f"gradient of {name}": p.grad for name, p in named},
                    **dict(training.network.named_buffers())}
    return found


def worker():
    """What each process of a job does: train, write its number to a file, and take the steps above.
    Process 1 hangs after `stop` steps, so that the others wait for it when it is killed."""
    folder, stop, *words = sys.argv[1:]
    rank = os.environ["RANK"]
    small()

    def hanging(training, data):
        update = training.update

        def _update(*args):
            while rank == "1" and training.step == int(stop):
                Path(f"{folder}.pid").write_text(f"{os.getpid()}\n")
                time.sleep(0.1)
            return update(*args)

        training.update = _update
        return fit(training, data)

    train.launch.fit = hanging
    launch(JOB, [*words, "--run-dir", folder])
    torch.save(gradients(), f"{folder}-{rank}.pt")


def start(folder, processes, *words, stop=-1):
    """Start a job with this many processes."""
    script = folder.with_suffix(".py")
    script.write_text("from minidiff.system.cli import program\n"
                      "from tests.training.test_parallel import worker\n"
                      "with program():\n    worker()\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               f"--nproc-per-node={processes}", str(script), str(folder), str(stop), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=env)


def kill(folder, job):
    """Kill the process that hangs, with signal 9."""
    deadline, file = time.monotonic() + WAIT, Path(f"{folder}.pid")
    while not (file.is_file() and file.read_text().endswith("\n")):
        assert job.poll() is None and time.monotonic() < deadline, job.communicate()
        time.sleep(0.02)
    os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A folder with three runs, and what two jobs printed. alone: by one process. joined: started
    by one, resumed by two. cut: started by three, one of them killed in epoch 2, resumed by one."""
    place = tmp_path_factory.mktemp("parallel")
    cut = start(place / "cut", 3, *WORDS, stop=4)  # three steps an epoch
    drawn = []

    def stop_at_the_second(*args):
        drawn.append(args)
        if len(drawn) == 2:
            raise KeyboardInterrupt
        JOB.draw(*args)

    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        with pytest.raises(KeyboardInterrupt):
            launch(JOB._replace(draw=stop_at_the_second),
                   [*WORDS, "--run-dir", str(place / "joined")])
        joined = start(place / "joined", 2, "--resume")
        launch(JOB, [*WORDS, "--run-dir", str(place / "alone")])
        kill(place / "cut", cut)
        printed = {name: (*p.communicate(timeout=WAIT), p.returncode)
                   for name, p in {"joined": joined, "cut": cut}.items()}
        assert checkpoint.load(place / "cut" / runs.LAST)["epoch"] == 1
        launch(JOB, ["--resume", "--run-dir", str(place / "cut")])
    return place, printed


def test_a_step_of_two_processes_is_the_step_of_one(jobs):
    """Loss, every gradient and BatchNorm's running statistics on the same whole batch, up to
    float32's rounding; equal bit for bit between the processes. Also for unequal and for empty
    shares."""
    place, printed = jobs
    assert printed["joined"][-1] == 0, printed["joined"]
    first, second = (torch.load(place / f"joined-{rank}.pt") for rank in (0, 1))
    for B, expected in gradients().items():
        largest = max(v.abs().max() for name, v in expected.items() if "gradient" in name)
        for name, value in expected.items():
            near = 1e-6 * (largest if "gradient" in name else 1)
            assert torch.allclose(first[B][name], value, rtol=1e-4, atol=near), (B, name)
            assert torch.equal(first[B][name], second[B][name]), (B, name)


@pytest.mark.parametrize("name", ["joined", "cut"])
def test_a_training_is_the_same_under_any_number_of_processes(jobs, name):
    """Started by one and resumed by two, or started by three, killed, and resumed by one: losses
    and predictions agree with a run by one process, and differ far less than an epoch changes
    them; the files agree too.

    Predictions are made in training mode: there they do not depend on the biases before BatchNorm,
    whose true gradient is 0, so that Adam turns rounding errors into whole steps.
    """
    folders = [jobs[0] / "alone", jobs[0] / name]
    ours, theirs = ([r["loss"] for r in runs.read_log(folder)] for folder in folders)
    assert ours == pytest.approx(theirs, rel=1e-4) and len(ours) == 2
    assert {p.name for p in folders[0].iterdir()} == {p.name for p in folders[1].iterdir()}
    epoch_1, *ends = folders[0] / "weights-epoch-01.pt", *(f / runs.LAST for f in folders)
    x, t, c = strokes.dataset(8, 3)[0] / 255, torch.linspace(0.1, 1, 8), torch.eye(10)[:8]
    with torch.no_grad():
        before, ours, theirs = (registry.rebuild(checkpoint.load(file)).train()(x, t, c)
                                for file in (epoch_1, *ends))
    assert (ours - theirs).abs().max() < 1e-4 * (ours - before).abs().max()


def test_a_killed_process_ends_the_job_with_one_sentence(jobs):
    """kill -9 of one in three: no hang, no traceback of ours, and one of the two others prints how
    to resume. (The test above shows that it works.)"""
    place, printed = jobs
    out, err, status = printed["cut"]
    assert status == 1 and out.count("epoch 1: mean loss") == 1 and "done" not in out
    assert err.count("stopped: one of 3 processes was lost") == 1
    again = f"torchrun --nproc-per-node=3 -m train.cut --resume --run-dir {place}/cut"
    assert again in err
    assert err.count("Traceback") == 1 and "ChildFailedError" in err  # torchrun's own report


def test_only_the_writer_prints(jobs):
    """A job of two prints every line once, and names both processes."""
    out, err, _ = jobs[1]["joined"]
    assert out.count("\nrun  ") == out.count("done: look at") == 1 and ", 2 processes" in out
    assert "Error" not in err and "Traceback" not in err


def test_too_many_processes_are_refused(monkeypatch):
    """More than a batch has images or the machine has GPUs, or a device that cannot exchange."""
    monkeypatch.setattr(parallel, "size", lambda: 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="batch of 2 .* among 3 processes; start at most 2"):
        parallel.shared(UNet(1), 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, message in (("cuda", "3 processes for 2 GPUs"), ("mps", "cuda or cpu, not mps")):
        weight = SimpleNamespace(device=torch.device(name))
        with pytest.raises(ValueError, match=message):
            parallel.shared(SimpleNamespace(parameters=lambda w=weight: iter([w])), 4)


def test_one_process_is_left_alone():
    """Without torchrun nothing is wrapped, broadcast or silenced."""
    network = UNet(1)
    with parallel.joined(), parallel.writer_first():
        assert parallel.shared(network, 2) is network and parallel.agreed(3) == 3
    assert parallel.writer() and parallel.once() and parallel.named("cpu") == "cpu"
    assert type(network.enter[0][1]) is torch.nn.BatchNorm2d


@pytest.mark.parametrize(("change", "wrong"), [
    ({"RANK": None}, "RANK"), ({"WORLD_SIZE": "two"}, "WORLD_SIZE"), ({"MASTER_ADDR": ""}, "MA"),
    ({"TORCHELASTIC_RUN_ID": None}, "TORCHELASTIC_RUN_ID"), ({"LOCAL_RANK": "-1"}, "LOCAL_RANK"),
])
def test_variables_of_torchrun_that_are_half_set_are_one_sentence(monkeypatch, change, wrong):
    """They are checked before any process waits for another."""
    whole = {name: "1" if kind is int else "x" for name, kind in parallel.TORCHRUN.items()}
    for name, value in {**whole, "WORLD_SIZE": "2", **change}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"here {wrong}.* start with torchrun"), parallel.joined():
        pass


def test_one_process_of_any_launcher_trains_alone(monkeypatch):
    """Some set WORLD_SIZE to 1 and nothing else."""
    for name in parallel.TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "1")
    with parallel.joined():
        assert parallel.size() == 1
