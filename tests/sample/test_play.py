"""The playground without its page: what is run, how it is made again, and what visitors send."""

import base64
import importlib.util
import io
import json
import shlex
import socket
import subprocess
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image

import minidiff
from minidiff.editing.views import VIEWS
from minidiff.theory.solvers import SAMPLERS
from sample.examples import DRAWN
from sample.play import calls, inputs, models, pictures, tasks

SCRIPTS = {"class": "class_cond"}  # target: its script, where that has another name
TASKS = {task.title: task for task in tasks.TASKS}


def sent(image, hole=None):
    """Return what the easel sends: an image and a hole of its size."""
    def png(picture):
        file = io.BytesIO()
        picture.save(file, "png")
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    return json.dumps({"image": png(image), "hole": png(hole) if hole else ""})


def drawing():
    """Return a drawing of the easel's size, and a hole in its lower half."""
    image = Image.open(DRAWN).convert("RGB").resize((inputs.SIDE, inputs.SIDE))
    hole = Image.new("RGBA", image.size)
    hole.paste((229, 9, 127, 255), (0, 224, 448, 448))
    return image, hole


def values_of(task, model, **given):
    """Return the values of a task's controls as they start, with an image on the easel."""
    easel = {"easel": sent(drawing()[0]), "hole": sent(*drawing())}
    return {**tasks.starts(task, model), **easel, "steps": 3, "n": 2, **given}


def by_command(command):
    """Return the images that a Make command makes, run in this process."""
    make, target, args = shlex.split(command)
    assert make == "make" and args.startswith("ARGS=")
    name = target.removeprefix("sample-")
    script = import_module(f"sample.{SCRIPTS.get(name, name)}")
    words = shlex.split(args.removeprefix("ARGS=").replace("$$", "$"))
    script.main([*words, "--device", "cpu", "--npz", "again.npz"])
    return torch.from_numpy(np.load("again.npz")["images"])


def by_python(lines):
    """Return the images that lines of Python make."""
    names = {}
    exec(lines, names)
    return names["images"]


@pytest.mark.parametrize(("title", "kind", "given"), [
    ("Generate", "class", {"prompt": "38", "seed": 5}),
    ("Generate", "class", {"prompt": "3", "sampler": "dpm2m", "gamma": 1.5}),
    ("Generate", "doodles", {"prompt": 'a "red" dog\'s $HOME', "second": True, "n": 1}),
    ("Generate", "flow", {"prompt": "7", "second": True, "n": 1}), ("Generate", "uncond", {}),
    ("Denoise", "class", {"t": 140}), ("Denoise", "doodles", {"t": 300}),
    ("Image to image", "class", {"prompt": "8", "strength": 0.35}),
    ("Image to image", "uncond", {}), ("Image to image", "doodles", {"strength": 0.5, "n": 1}),
    ("Inpaint", "class", {"prompt": "3", "resample": 2}),
    ("Anagram", "class", {}), ("Anagram", "doodles", {"view": "jigsaw", "n": 1}),
    ("Hybrid", "class", {"sigma": 2.0}), ("Hybrid", "uncond", {"low": "", "high": ""}),
])
def test_what_is_shown_is_made_again(workplace, title, kind, given):
    """By the Make command and by the lines of Python, bit for bit."""
    task, model = TASKS[title], models.load(kind, "cpu")
    call = task.call(model, kind, values_of(task, model, **given))
    *_, last = call.states(model)
    images = call.finish(model, last.x_t)
    assert torch.equal(images, by_command(call.command())[-len(images):])
    assert torch.equal(images, by_python(call.python()))


def test_the_result_shows_the_images_themselves(workplace):
    """Each PNG in the page holds an image's own pixels; while it samples, those of each state."""
    task, model = TASKS["Generate"], models.load("class", "cpu")
    call = task.call(model, "class", values_of(task, model, prompt="38"))
    *steps, end = tasks.watched(task, model, call)
    assert len(steps) == 4 and "step 3 of 3, t = 0 of 300" in steps[-1]
    *_, last = call.states(model)
    expected = (last.x_t.clamp(0, 1) * 255).round().byte()[:, 0].numpy()
    for text in (steps[-1], end):
        assert np.array_equal(shown(text)[:4], expected)
    assert (shown(steps[0])[:4] != expected).any()


def shown(text):
    """Return the pixels of the PNGs in a piece of HTML."""
    found = [part.partition('"')[0] for part in text.split("data:image/png;base64,")[1:]]
    return np.stack([np.asarray(Image.open(io.BytesIO(base64.b64decode(p)))) for p in found])


def test_one_step_and_many_start_from_the_same_noise(workplace):
    """Denoise: the noisy image is at the step nearest to t, the one-step image is the prediction
    made from it."""
    task, model = TASKS["Denoise"], models.load("class", "cpu")
    call = task.call(model, "class", values_of(task, model, steps=30, t=138))
    states = list(call.states(model))
    assert states[0].t == 140 and len(states) == 15
    eps_hat = model(states[0].x_t, torch.tensor([140]), model.embed([""]))
    jump = minidiff.predict_x_0(model.schedule, states[0].x_t, torch.tensor([140]), eps_hat)
    jump = jump.detach()
    assert torch.allclose(states[1].x_0_hat, jump.clamp(0, 1), atol=1e-5)
    text = task.result(model, call, states, call.finish(model, states[-1].x_t))
    cells = shown(text)
    assert len(cells) == 4 and "noisy, t = 140" in text and "in 14 steps" in text
    assert np.abs(cells[2] / 255 - jump[0, 0].clamp(0, 1).numpy()).max() <= 0.51 / 255


def test_words_reach_the_script_as_they_were_typed(tmp_path):
    """Through both shells and Make: quotes, dollars, backslashes, hashes, an empty text."""
    words = ["--prompts", "a 'red' \"dog\"", "$HOME `ls` $(x)", "\\", "#1; echo x", "", "é"]
    (tmp_path / "Makefile").write_text("x:\n\t@printf '%s\\n' $(ARGS)\n")
    done = subprocess.run(f"make -s x ARGS={calls.quoted(words)}", shell=True, cwd=tmp_path,
                          capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == words
    assert eval(calls.literal(tuple(words))) == words


def test_a_model_that_the_target_would_not_load_is_named():
    """Each target has a model of its own; every other one is --model."""
    def command(name, kind):
        return calls.Call(name, kind, kind, 1, {"prompts": ("a dog",), "seed": 0}).command()

    assert command("sample", "deepfloyd").startswith(
        "make sample-class ARGS='--model deepfloyd --prompts \"a dog\"")
    assert all("--model" not in command("sample", kind) for kind in models.KINDS)
    assert "--model doodles" in command("anagram", "doodles")
    assert "--model" not in command("anagram", "class")


def test_a_drawing_becomes_a_file_and_a_hole_a_mask(workplace):
    """Under names made from their pixels; where nothing is brushed there is no mask."""
    image, hole = drawing()
    photo, mask = inputs.received(sent(image, hole))
    assert np.array_equal(np.asarray(Image.open(photo)), np.asarray(image))
    light = np.asarray(Image.open(mask)) > 127
    assert light[224:].all() and not light[:224].any()
    assert inputs.received(sent(image, Image.new("RGBA", hole.size))) == (photo, "")
    assert inputs.received(sent(image)) == (photo, "")


def test_old_drawings_go(workplace, monkeypatch):
    """The newest few stay."""
    monkeypatch.setattr(inputs, "KEPT", 2)
    kept = [inputs.received(sent(Image.new("RGB", (448, 448), (k, 0, 0))))[0] for k in range(4)]
    assert {p.as_posix() for p in inputs.FOLDER.iterdir()} <= {*kept} and len(
        list(inputs.FOLDER.iterdir())) == 2


@pytest.mark.parametrize(("value", "message"), [
    ("", "the easel is empty"), ("{}", "the easel is empty"), ("[1]", "not an image"),
    ('{"image": 3}', "not an image"), ('{"image": "/etc/passwd"}', "not an image"),
    ('{"image": "data:image/png;base64,AAAA"}', "not an image"), ("[" * 10**5, "not an image"),
    (sent(Image.new("RGB", (9, 9))), "not an image"), ("x" * 5_000_000, "too large"),
    (sent(Image.new("RGB", (448, 448)))[:900], "not an image"),
])
def test_what_is_no_drawing_is_refused(workplace, value, message):
    """In one sentence, and nothing is written."""
    with pytest.raises(ValueError, match=message):
        inputs.received(value)
    assert not inputs.FOLDER.exists()


@pytest.mark.parametrize("kind", [*models.KINDS])
def test_every_control_starts_from_a_value_that_works(kind):
    """Every tab has a start for each of its controls with every model; only a flow can't be
    edited, which is one sentence."""
    model = models.load(kind, "cpu")
    for task in tasks.TASKS:
        start = tasks.starts(task, model)
        assert {*start} == {*task.controls, *tasks.COMMON} - {"easel", "hole"}
        assert start["sampler"] in SAMPLERS and start.get("view", "hflip") in VIEWS
        if model.conditional and "prompt" in start:
            model.embed(list(start["prompt"]) if model.vocabulary.labels else [start["prompt"]])


def test_what_cannot_be_made_is_one_sentence(workplace):
    """Too many images, a missing hole, a flow's edit, a model that is not in the list."""
    model, flow = models.load("class", "cpu"), models.load("flow", "cpu")
    task = TASKS["Inpaint"]
    for call, message in (
        (lambda: TASKS["Generate"].call(model, "class", values_of(
            TASKS["Generate"], model, prompt="1" * 99)), "198 images; the page makes at most 64"),
        (lambda: task.call(model, "class", values_of(task, model, hole=sent(drawing()[0]))),
         "there is no hole"),
        (lambda: TASKS["Denoise"].call(flow, "flow", values_of(TASKS["Denoise"], flow)).states(
            flow), "a flow has no noise levels"),
        (lambda: models.load("/etc/passwd"), "there is no model"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_an_own_run_is_offered_and_the_shipped_model_stays(trained, monkeypatch):
    """Both by places that the commands understand."""
    monkeypatch.chdir(trained)
    places = [place for _, place in models.choices()]
    assert "runs/class/001" in places and "class" not in places and "doodles" in places
    assert sum("class-epoch" in place for place in places) == 1
    assert models.load("runs/class/001", "cpu").schedule.T == 20


def test_words_that_the_model_does_not_know_are_named_and_nothing_is_markup(workplace):
    """A prompt is text, never HTML."""
    task, model = TASKS["Generate"], models.load("doodles", "cpu")
    call = task.call(model, "doodles", values_of(task, model, prompt="a <b>dog</b>", n=1, steps=1))
    *_, text = tasks.watched(task, model, call)
    assert "does not know: b." in text and "<b>" not in text and "&lt;b&gt;" in text
    assert "<i>" not in pictures.turning(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), "hflip",
                                         ("<i>", '"<i>'))


def test_a_port_in_use_and_a_missing_gradio_are_one_sentence(command, monkeypatch):
    """Exit status 2, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = command("sample.play", "--port", str(port), "--no-browser")
    assert status == 2 and said.count("\n") == 1
    assert f"127.0.0.1 port {port} cannot be used" in said and f"--port {port + 1}" in said
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *more: None if name == "gradio" else found(name, *more))
    status, said = command("sample.play", "--port", str(port), "--no-browser")
    assert status == 2 and said == "minidiff: gradio is not installed; run: make play\n"
