"""What the tabs do: from the values of their controls to a Call, and from its States to HTML.

Nothing here knows gradio. A task says which controls it has, what they start from, which Call they
mean, and how its result is shown; page.py makes a tab of each.
"""

from collections.abc import Callable
from typing import NamedTuple

from figures.page.studio import Section
from figures.part_a import anagram, guidance, hybrid, inpaint, iterative, one_step, sdedit
from minidiff.api import edits
from minidiff.editing.blur import best_blur
from minidiff.editing.views import VIEWS
from minidiff.evaluation.metrics import check_finite
from minidiff.theory.schedule import evenly
from sample.examples import EXAMPLES
from sample.play import pictures
from sample.play.calls import Call
from sample.play.inputs import received
from sample.play.models import kind_of

SENTENCES = ("a man wearing a green hat", "an oil painting of a snowy mountain village",
             "a photo of a dog", "a lithograph of a skull", "an oil painting of an old man",
             "an oil painting of people around a campfire")
MOST = 64  # images at once
COMMON = ("steps", "gamma", "sampler", "seed")  # below "More", in every tab


class Task(NamedTuple):
    """A tab. script: whose examples it starts from. controls: names of page.CONTROLS. call: from a
    model, its place and the controls' values to a Call. result: from a model, the Call and the
    States to HTML. sections: of the page of figures, whose formulas are shown."""

    title: str
    script: str
    about: str
    controls: tuple[str, ...]
    call: Callable
    result: Callable
    sections: tuple[Section, ...]


def options(model, values) -> dict:
    """Return the options of sampling that the model has a use for."""
    unused = {*model.ignored, *(() if model.conditional else ("gamma",))}
    given = {"steps": int(values["steps"]), "gamma": float(values["gamma"]),
             "sampler": values["sampler"], "seed": int(values["seed"])}
    return {name: value for name, value in given.items() if name not in unused}


def generated(model, place, values) -> Call:
    """Return the Call of the tab Generate. Digits are prompts of their own: "314" is three."""
    text = " ".join(values["prompt"].split())
    prompts = tuple(text.replace(" ", "")) if kind_of(model) == "digits" else (text,)
    known = {"prompts": prompts or ("",)} if model.conditional else {}
    if (count := len(prompts) * int(values["n"])) > MOST:
        raise ValueError(f"that would be {count} images; the page makes at most {MOST} at once, so "
                         "use fewer digits, or fewer images of each")
    given = {**known, **options(model, values)}
    return Call("sample", place, model.kind, int(values["n"]), given, bool(values["second"]))


def edited(model, place, values) -> Call:
    """Return the Call of the tab Image to image."""
    photo, _ = received(values["easel"])
    given = {"photo": photo, "prompt": prompt_of(model, values), "strength": values["strength"]}
    return Call("edit", place, model.kind, int(values["n"]), {**given, **options(model, values)})


def denoised(model, place, values) -> Call:
    """Return the Call of the tab Denoise: from the step nearest to t. A flow has no t."""
    photo, _ = received(values["easel"])
    given, start = options(model, values), 0
    if model.schedule:
        t, levels = values["t"], evenly(model.schedule.T, given["steps"])[:-1]
        start = min(range(len(levels)), key=lambda k: abs(levels[k] - t))
    given = {"photo": photo, "prompt": prompt_of(model, values), "start": start, **given}
    return Call("edit", place, model.kind, 1, given, script="denoise")


def inpainted(model, place, values) -> Call:
    """Return the Call of the tab Inpaint."""
    photo, mask = received(values["hole"])
    if not mask:
        raise ValueError('there is no hole; choose "hole" and brush over what should be replaced')
    given = {"photo": photo, "mask": mask, "prompt": prompt_of(model, values),
             "resample": int(values["resample"]), **options(model, values)}
    return Call("inpaint", place, model.kind, int(values["n"]), given)


def two_ways(model, place, values) -> Call:
    """Return the Call of the tab Anagram."""
    given = {"prompts": (values["upright"].strip(), values["turned"].strip()),
             "views": (values["view"],), **options(model, values)}
    return Call("anagram", place, model.kind, int(values["n"]), given)


def two_distances(model, place, values) -> Call:
    """Return the Call of the tab Hybrid."""
    given = {"low": values["low"].strip(), "high": values["high"].strip(),
             "sigma": float(values["sigma"]), **options(model, values)}
    return Call("hybrid", place, model.kind, int(values["n"]), given)


def prompt_of(model, values) -> str:
    """Return the prompt of an edit; "" for a model without prompts."""
    return values["prompt"].strip() if model.conditional else ""


def as_grid(model, call, states, images) -> str:
    """Return a result as a grid, above snapshots of the first image."""
    said = call.arguments.get("prompt") or ", ".join(call.arguments.get("prompts", ()))
    return pictures.grid(pictures.images_of(images, said)) + pictures.strip(states)


def as_comparison(model, call, states, images) -> str:
    """Return a noisy image, and it blurred, denoised in one step, and in many."""
    first, t = states[0].x_t.cpu(), states[0].t
    x_0 = edits.photo_of(model, call.arguments["photo"])
    sigma, blurred = best_blur(first, x_0)
    cells = [pictures.figure(first[0], f"noisy, t = {t}"),
             pictures.figure(blurred[0], f"the best blur, σ = {sigma:g}"),
             pictures.figure(states[1].x_0_hat[0], "in one step"),
             pictures.figure(images[0], f"in {len(states) - 1} steps")]
    return pictures.grid(cells)


def as_turned(model, call, states, images) -> str:
    """Return images that a click turns."""
    (view,), prompts = call.arguments["views"], call.arguments["prompts"]
    seen = model.to_unit(VIEWS[view].see(model.from_unit(images)))
    cells = [pictures.turning(a, b, view, prompts) for a, b in zip(images, seen)]
    return pictures.grid(cells) + pictures.note("Click an image to turn it.")


def as_distant(model, call, states, images) -> str:
    """Return images with a slider for the viewing distance."""
    said = f"{call.arguments['high']}; from a distance: {call.arguments['low']}"
    return pictures.distant(pictures.images_of(images, said)) + pictures.note(
        f"Near: {call.arguments['high']}. Far: {call.arguments['low']}.")


TASKS = (
    Task("Generate", "", "A sentence, or digits, become images.", ("prompt", "n", "second"),
         generated, as_grid, (iterative.SECTION, guidance.SECTION)),
    Task("Denoise", "denoise", "Noise is added to an image, and removed again in three ways.",
         ("easel", "t", "prompt"), denoised, as_comparison, (one_step.SECTION, iterative.SECTION)),
    Task("Image to image", "sdedit", "A drawing or a photo becomes an image of the same shape.",
         ("easel", "prompt", "strength", "n"), edited, as_grid,
         (sdedit.SECTION, iterative.SECTION)),
    Task("Inpaint", "inpaint", "What you brush over is made anew; the rest stays as it is.",
         ("hole", "prompt", "n", "resample"), inpainted, as_grid, (inpaint.SECTION,)),
    Task("Anagram", "anagram", "One image that shows something else when it is turned.",
         ("upright", "turned", "view", "n"), two_ways, as_turned, (anagram.SECTION,)),
    Task("Hybrid", "hybrid", "One image that shows something else from a distance.",
         ("high", "low", "sigma", "n"), two_distances, as_distant, (hybrid.SECTION,)),
)


def starts(task, model) -> dict:
    """Return what the controls of a task start from, with this model."""
    example = EXAMPLES.get((task.script, kind_of(model)), {})
    suited, T = model.options(), model.schedule.T if model.schedule else 300
    words = getattr(model, "vocabulary", None) and (model.examples or model.vocabulary.words)
    words = SENTENCES if words is None else words
    first = {"digits": "0123456789", "other": (*words, "")[0]}.get(kind_of(model), SENTENCES[0])
    prompts = (example.get("prompts") or (*words[:2], "", ""))[:2]
    found = {
        "prompt": first if not task.script else example.get("prompt", ""), "n": 4,
        "second": kind_of(model) == "doodles", "strength": 0.6, "t": 0.6 * T, "resample": 5,
        "upright": prompts[0], "turned": prompts[1],
        "view": example.get("view", ("rotate180",))[0], "sigma": example.get("sigma", 1.4),
        "low": example.get("low", prompts[0]), "high": example.get("high", prompts[1]),
        "steps": suited.steps, "gamma": example.get("gamma", suited.gamma),
        "sampler": suited.sampler, "seed": 0,
    }
    if not task.script and kind_of(model) == "digits":
        found["n"] = 1 if model.conditional else 9
    return {name: found[name] for name in (*task.controls, *COMMON) if name in found}


def unknown(model, call) -> str:
    """Return a note that names the words of the prompts which the model does not know."""
    vocabulary = getattr(model, "vocabulary", None)
    if not vocabulary or vocabulary.labels:
        return ""
    given = [call.arguments.get(name, "") for name in ("prompt", "low", "high")]
    words = [w for text in (*given, *call.arguments.get("prompts", ()))
             for w in vocabulary.split(text) if w not in vocabulary.words]
    named = ", ".join(dict.fromkeys(words))
    return f"The model does not know: {named}. It was ignored." if words else ""


def watched(task, model, call):
    """Run a Call: yield HTML while it samples, and at last that of the result."""
    found, kept = call.states(model), []
    T = model.schedule.T if model.schedule else None
    for k, state in enumerate(found):
        kept.append(state)
        cells = pictures.images_of(state.x_t)
        yield pictures.grid(cells) + pictures.progress(k, len(found), state, T)
    images = call.finish(model, kept[-1].x_t)
    check_finite(images)
    yield task.result(model, call, kept, images) + pictures.note(unknown(model, call))
