"""The easel: a square to draw on, to drop a photo on and, for inpainting, to brush a hole on."""

from pathlib import Path

import gradio as gr

from sample.examples import DRAWN, INPUTS, PHOTO
from sample.play.inputs import SIDE, example

COLOURS = ("#000000", "#ffffff", "#d5342b", "#f2a33a", "#3c9a4b", "#3b74c9", "#8a5a33", "#9a9a9a")
SAMPLES = (DRAWN, PHOTO, *(INPUTS / name for name in ("house.png", "fish.png", "sunset.png",
                                                      "web-5.png")))
FIRST = {"digits": 0}  # kind of model: the sample that is there at first; else the photo


def first(kind) -> str:
    """Return the value with which Python asks the easel for the sample that suits a model."""
    return f'{{"example": {FIRST.get(kind, 1)}}}'


def easel(hole=False):
    """Return the component. Its value is JSON, which `inputs.received` reads. hole: a second brush,
    for the hole."""
    pens = "".join(f'<button class="pen" data-colour="{c}" style="--colour:{c}" '
                   f'aria-label="colour {c}"></button>' for c in COLOURS)
    if hole:
        pens = f'<button class="pen" data-hole="true">hole</button>{pens}'
    samples = "".join(f'<img class="sample" alt="{Path(file).stem}" src="{example(file)}">'
                      for file in SAMPLES)
    canvas = f'width="{SIDE}" height="{SIDE}"'
    return gr.HTML("", js_on_load=Path(__file__).with_name("easel.js").read_text(encoding="utf-8"),
                   html_template=f"""<div class="easel" data-hole="{str(hole).lower()}">
<div class="board"><canvas class="paint" {canvas}></canvas><canvas class="hole" {canvas}></canvas>
</div><div class="tools">{pens}</div><div class="tools"><input class="width" type="range" min="4"
max="60" value="26" aria-label="width of the brush"><button class="photo">Photo …</button>
<button class="undo">Undo</button><button class="clear">Clear</button><input type="file"
accept="image/*" hidden></div><div class="tools">{samples}</div><p class="said" role="status"></p>
</div>""")
