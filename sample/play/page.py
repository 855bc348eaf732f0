"""The page: a tab of each task, made of gradio's components."""

from functools import partial
from pathlib import Path

import gradio as gr

from figures.page import html
from minidiff.editing.views import VIEWS
from minidiff.system import errors
from minidiff.theory.solvers import SAMPLERS
from sample.play import models, tasks
from sample.play.easel import easel, first

HERE = Path(__file__).parent
BOOK = Path("docs") / "book"
AT_ONCE = 2  # samplings; the others wait in a queue
EMPTY = '<div class="stage empty"><p>Press the button, and watch noise become an image.</p></div>'
LOOK = """() => {  // on a phone the result is below the controls
  const shown = [...document.querySelectorAll(".result")].find(e => e.offsetParent);
  if (innerWidth < 700) shown.scrollIntoView({behavior: "smooth"});
}"""
CONTROLS = {  # name: its component
    "prompt": lambda: gr.Textbox(label="Prompt", max_lines=2, max_length=500),
    "n": lambda: gr.Slider(1, 16, 4, step=1, label="Images"),
    "second": lambda: gr.Checkbox(label="Enlarge with the second stage"),
    "strength": lambda: gr.Slider(0, 1, 0.6, step=0.05, label="Strength: how much is made anew"),
    "t": lambda: gr.Slider(1, 300, 180, step=1, label="t: how much noise is added"),
    "easel": easel, "hole": partial(easel, hole=True),
    "resample": lambda: gr.Slider(1, 20, 5, step=1, label="Resampling: times each step is taken"),
    "upright": lambda: gr.Textbox(label="As it is", max_lines=2, max_length=500),
    "turned": lambda: gr.Textbox(label="Turned", max_lines=2, max_length=500),
    "view": lambda: gr.Dropdown(sorted(VIEWS.keys() - {"identity"}), label="How it is turned"),
    "high": lambda: gr.Textbox(label="From near", max_lines=2, max_length=500),
    "low": lambda: gr.Textbox(label="From far", max_lines=2, max_length=500),
    "sigma": lambda: gr.Slider(0.5, 4, 1.4, step=0.1, label="σ of the blur between them, pixels"),
    "steps": lambda: gr.Slider(1, 300, 20, step=1, label="Steps"),
    "gamma": lambda: gr.Slider(0, 15, 3, step=0.5, label="γ: guidance towards the prompt"),
    "sampler": lambda: gr.Dropdown(list(SAMPLERS), label="Sampler"),
    "seed": lambda: gr.Number(0, label="Seed", precision=0, minimum=0),
}
LATER = ("resample", "sigma", *tasks.COMMON)  # these are below "More"


def build(device="auto"):
    """Return the page, a gr.Blocks. device: of all models."""
    known = models.choices()
    with gr.Blocks(title="minidiff", delete_cache=(3600, 3600)) as page:
        with gr.Row(elem_classes="masthead", equal_height=True):
            gr.HTML("<h1>minidiff</h1><p>Images out of noise, step by step.</p>", min_width=280)
            place = gr.Dropdown(known, value=known[0][1], label="Model", min_width=280)
        tabs = [tab(task, place, device) for task in tasks.TASKS]
        wired = [part for parts in tabs for part in parts]
        gr.on([page.load, place.change], partial(suited, device=device), place, wired,
              show_progress="hidden")
    return page.queue(default_concurrency_limit=AT_ONCE, max_size=64)


def tab(task, place, device):
    """Add the tab of a task; return its controls that depend on the model."""
    with gr.Tab(task.title):
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                gr.HTML(f"<p>{task.about}</p>")
                parts = {name: CONTROLS[name]() for name in task.controls if name not in LATER}
                if task.script == "":
                    gr.Examples([[s] for s in tasks.SENTENCES], parts["prompt"], label="Sentences")
                with gr.Row():
                    go = gr.Button("Run", variant="primary", scale=3)
                    stop = gr.Button("Stop", scale=1, min_width=70)
                with gr.Accordion("More", open=False):
                    names = [n for n in (*task.controls, *tasks.COMMON) if n in LATER]
                    parts |= {name: CONTROLS[name]() for name in names}
            with gr.Column(scale=3, min_width=300):
                shown = gr.HTML(EMPTY, elem_classes="result")
                with gr.Accordion("Make it again, bit for bit", open=False):
                    command = gr.Code("", language="shell", label="In a terminal", lines=1,
                                      wrap_lines=True)
                    lines = gr.Code("", language="python", label="In Python", lines=4,
                                    wrap_lines=True)
                gr.HTML("".join(map(formula, task.sections)))
        work = partial(run, task, [*parts], device)
        event = go.click(work, [place, *parts.values()], [shown, command, lines],
                         concurrency_id="sampling", show_progress="hidden",
                         api_visibility="private")
        go.click(None, js=LOOK)
        stop.click(None, cancels=event)
    return parts.values()


def run(task, names, device, place, *values):
    """Sample as the controls say: yield the images as HTML, the Make command, and the Python."""
    try:
        model = models.load(place, device)
        call = task.call(model, place, dict(zip(names, values)))
        again = call.command(), call.python()
        for found in tasks.watched(task, model, call):
            yield found, *again
    except Exception as e:
        if (sentence := errors.sentence(e)) is None:
            raise
        raise gr.Error(sentence, duration=None, print_exception=False) from e


def suited(place, device):
    """Return what every tab's controls start from with a model."""
    try:
        model = models.load(place, device)
    except (ValueError, OSError) as e:
        raise gr.Error(errors.sentence(e), duration=None, print_exception=False) from e
    found = []
    for task in tasks.TASKS:
        values = tasks.starts(task, model)
        for name in order(task):
            found.append(update(name, values.get(name), model))
    return found


def order(task):
    """Return the names of a task's controls as `tab` makes them."""
    names = (*task.controls, *tasks.COMMON)
    return [*(n for n in names if n not in LATER), *(n for n in names if n in LATER)]


def update(name, value, model):
    """Return what a control becomes with a model: hidden, if the model has no use for it."""
    T = model.schedule.T if model.schedule else 1000
    useless = {*model.ignored, *(() if model.conditional else ("gamma", "prompt"))}
    if name in ("easel", "hole"):
        return first(models.kind_of(model))
    more = {"steps": {"maximum": min(T, 300)}, "t": {"maximum": T}}.get(name, {})
    if name in ("prompt", "upright", "turned", "high", "low") and models.kind_of(model) == "digits":
        more = {"info": "a digit"}
    return gr.update(value=value, visible=name not in useless, **more)


def formula(section) -> str:
    """Return a section's idea and formula as HTML, with links into the book."""
    links = []
    for place in section.code:
        file, _, symbol = place.partition(": ")
        page = file.removesuffix(".py").replace("/", "-") + ".html"
        text = f"<code>{file}: {symbol}</code>"
        if (BOOK / page).is_file():
            text = f'<a href="/book/{page}#{symbol}" target="_blank">{text}</a>'
        links.append(text)
    idea = f"{section.number} {section.title}. {section.idea}"
    return (f'<div class="formula"><p>{html.rich(idea)}</p>'
            f"<p><b>{html.rich(section.formula)}</b></p><p>{' · '.join(links)}</p></div>")
