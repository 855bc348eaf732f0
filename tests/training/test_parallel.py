"""parallel.py: several processes do what one does, and a lost one ends all of them in order.

Processes are real, started by torchrun on the CPU. They take seconds to start, so there are two
jobs, side by side, of two and of three, and the tests look at what they left.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import train.class_cond
from minidiff.data import strokes
from minidiff.files import checkpoint, runs
from minidiff.network import registry
from minidiff.network.unet import UNet
from minidiff.training import parallel
from minidiff.training.loop import Training
from minidiff.training.recipe import Recipe
from tests.conftest import TINY, small
from train.launch import launch

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent
WORDS = [*TINY, "--T", "20", "--sample-steps", "2", "--precision", "float32", "--warmup", "0"]
SIZES = (6, 5, 1)  # of batches for two processes: halves; unequal shares; an empty one


def gradients():
    """Return loss, gradients and running statistics of one step on a batch of each size."""
    found = {}
    for B in SIZES:
        cfg = Recipe(batch_size=max(B, 2), T=20, p_uncond=0.5, precision="float32")
        torch.manual_seed(1)
        training = Training(UNet(4, time=1, classes=10), train.class_cond.loss(cfg, CPU), cfg, CPU)
        for p in training.network.parameters():  # far from the first weights, where norms are 1
            p.data += 0.1 * torch.randn_like(p)
        x_0, labels = torch.rand(B, 1, 28, 28), torch.randint(10, (B,))
        loss = training.update(x_0, labels, 1e-3)
        named = training.network.named_parameters()
        found[B] = {"loss": loss, **{f"gradient of {name}": p.grad for name, p in named},
                    **dict(training.network.named_buffers())}
    return found


def worker():
    """What each process of a job does: train, note its number, and take the steps above. Process 1
    is slow, so that whoever kills it finds the others waiting for it."""
    folder, slow, *words = sys.argv[1:]
    rank = os.environ["RANK"]
    Path(f"{folder}-{rank}.pid").write_text(str(os.getpid()))
    small()

    def loss(cfg, device):
        loss_fn = train.class_cond.loss(cfg, device)
        pause = float(slow) if rank == "1" else 0
        return lambda *args: (time.sleep(pause), loss_fn(*args))[1]

    launch(train.class_cond.JOB._replace(loss=loss), [*words, "--launch-dir", folder])
    torch.save(gradients(), f"{folder}-{rank}.pt")


def launch(folder, processes, *words, slow=0.0):
    """Start a job of so many processes."""
    script = folder.with_suffix(".py")
    script.write_text("from minidiff.cli import main\nfrom tests.test_parallel import worker\n"
                      "main(worker)\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               f"--nproc-per-node={processes}", str(script), str(folder), str(slow), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=env)


def kill(folder, rank, job):
    """Kill one process of a job with signal 9 once its first epoch is kept."""
    deadline = time.monotonic() + 120
    while not (folder / runs.LAST).is_file():
        assert job.poll() is None and time.monotonic() < deadline, job.communicate()
        time.sleep(0.02)
    os.kill(int(Path(f"{folder}-{rank}.pid").read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A folder with three runs, and what two jobs said. alone: by one process. joined: begun by
    one, resumed by two. cut: begun by three, one of them killed, resumed by one."""
    place = tmp_path_factory.mktemp("parallel")
    cut = launch(place / "cut", 3, *WORDS, slow=0.3)
    job, drawn = train.class_cond.JOB, []

    def stop_at_the_second(*args):
        drawn.append(args)
        if len(drawn) == 2:
            raise KeyboardInterrupt
        job.draw(*args)

    with pytest.MonkeyPatch.context() as patch:
        small(patch.setattr)
        with pytest.raises(KeyboardInterrupt):
            launch(job._replace(draw=stop_at_the_second), [*WORDS, "--launch-dir", str(place / "joined")])
        joined = launch(place / "joined", 2, "--resume")
        launch(job, [*WORDS, "--launch-dir", str(place / "alone")])
        kill(place / "cut", 1, cut)
        told = {name: (*p.communicate(timeout=180), p.returncode)
                for name, p in {"joined": joined, "cut": cut}.items()}
        assert checkpoint.load(place / "cut" / runs.LAST)["epoch"] == 1
        launch(job, ["--resume", "--launch-dir", str(place / "cut")])
    return place, told


def test_a_step_of_two_processes_is_the_step_of_one(jobs):
    """Loss, every gradient and BatchNorm's running statistics on the same whole batch, to float32's
    rounding; equal bit for bit between the processes. Also for unequal and for empty shares."""
    place, told = jobs
    assert told["joined"][-1] == 0, told["joined"]
    first, second = (torch.load(place / f"joined-{rank}.pt") for rank in (0, 1))
    for B, expected in gradients().items():
        largest = max(v.abs().max() for name, v in expected.items() if "gradient" in name)
        for name, value in expected.items():
            near = 1e-6 * (largest if "gradient" in name else 1)
            assert torch.allclose(first[B][name], value, rtol=1e-4, atol=near), (B, name)
            assert torch.equal(first[B][name], second[B][name]), (B, name)


@pytest.mark.parametrize("name", ["joined", "cut"])
def test_a_training_is_the_same_under_any_number_of_processes(jobs, name):
    """Begun by one and resumed by two, or begun by three, killed, and resumed by one: losses and
    guesses agree with a launch by one process, far closer than an epoch moves them; so do the files.

    Guesses are in training mode: there they do not hear the biases before BatchNorm, whose true
    gradient is 0, so that Adam makes whole steps of its rounding errors.
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
    """kill -9 of one in three: no hang, no traceback of ours, and one of the two that are left says
    how to go on. (That it does go on is the test above.)"""
    place, told = jobs
    out, err, status = told["cut"]
    assert status == 1 and out.count("epoch 1: mean loss") == 1 and "done" not in out
    assert err.count("stopped: one of 3 processes was lost") == 1
    again = f"torchrun --nproc-per-node=3 -m train.cut --resume --launch-dir {place}/cut"
    assert again in err
    assert err.count("Traceback") == 1 and "ChildFailedError" in err  # torchrun's own report


def test_only_the_writer_speaks(jobs):
    """What a job of two prints, it prints once, and names both processes."""
    out, err, _ = jobs[1]["joined"]
    assert out.count("\nrun  ") == out.count("done: look at") == 1 and ", 2 processes" in out
    assert "Error" not in err and "Traceback" not in err


def test_too_many_processes_are_refused(monkeypatch):
    """More than a batch has pictures, more than the machine has GPUs, a device without exchange."""
    monkeypatch.setattr(parallel, "size", lambda: 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="batch of 2 .* among 3 processes; start at most 2"):
        parallel.shared(UNet(1), 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, told in (("cuda", "3 processes for 2 GPUs"), ("mps", "cuda or cpu, not mps")):
        weight = SimpleNamespace(device=torch.device(name))
        with pytest.raises(ValueError, match=told):
            parallel.shared(SimpleNamespace(parameters=lambda w=weight: iter([w])), 4)


def test_one_process_is_left_alone():
    """Without torchrun nothing is wrapped, agreed upon or muted."""
    network = UNet(1)
    with parallel.joined(), parallel.writer_first():
        assert parallel.shared(network, 2) is network and parallel.agreed(3) == 3
    assert parallel.writer() and parallel.once() and parallel.named("cpu") == "cpu"
    assert type(network.enter[0][1]) is torch.nn.BatchNorm2d
