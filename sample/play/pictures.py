"""Images as HTML: each is a PNG of its own size inside the page, enlarged by the browser.

Nothing is interpolated and nothing lost: the bytes in the page are those of the image.
"""

import base64
import io
from html import escape
from math import ceil, sqrt

from PIL import Image

SNAPSHOTS = 8  # of sampling, below the result


def png(image) -> str:
    """Return an image float (C,H,W) in [0, 1] as the address of a PNG that it holds itself."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte()
    pixels = pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def img(image, alt="") -> str:
    """Return the HTML of one image (C,H,W), enlarged without smoothing."""
    return f'<img class="pixels" src="{png(image)}" alt="{escape(alt)}">'


def figure(image, caption, alt="") -> str:
    """Return an image with a caption, a text, below it."""
    below = f"<figcaption>{escape(caption)}</figcaption>"
    return f"<figure>{img(image, alt or caption)}{below}</figure>"


def grid(cells, kind="") -> str:
    """Return pieces of HTML as a square of cells. kind: a class of play.css."""
    columns = ceil(sqrt(len(cells)))
    return (f'<div class="stage {kind}" style="--columns:{columns}">{"".join(cells)}</div>')


def images_of(x, alt="") -> list[str]:
    """Return the HTML of each of images (N,C,H,W)."""
    return [img(image, alt) for image in x]


def progress(k, total, state, T) -> str:
    """Return what is below the images while they are sampled. T: of the model's schedule; None for
    a flow, whose t runs from 0 to 1."""
    at = f"t = {state.t} of {T}" if T else f"t = {float(state.t):.2f}"
    return (f'<div class="status"><progress value="{k}" max="{total - 1}"></progress>'
            f"<span>step {k} of {total - 1}, {at}</span></div>")


def strip(states) -> str:
    """Return snapshots of the first image: x_t, and below it the prediction x_0_hat."""
    states = [s for s in states if s.x_0_hat is not None]
    if not states:
        return ""
    keep = sorted({round(k * (len(states) - 1) / (SNAPSHOTS - 1)) for k in range(SNAPSHOTS)})
    rows = [("x<sub>t</sub>", [states[k].x_t[0] for k in keep]),
            ("x̂<sub>0</sub>", [states[k].x_0_hat[0] for k in keep])]
    shown = "".join(f'<span>{name}</span>{"".join(images_of(row))}' for name, row in rows)
    return f'<div class="strip" style="--columns:{len(keep)}">{shown}</div>'


def note(text) -> str:
    """Return a remark below the images."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def turning(image, seen, view, names) -> str:
    """Return an image that a click turns. seen: the image through its view. names: what it shows
    before and after."""
    before, after = (f'<figcaption class="{c}">{escape(name)}</figcaption>'
                     for c, name in zip(("before", "after"), names))
    return (f'<label class="turn {escape(view)}" title="click to turn it"><input type="checkbox">'
            f'<figure><span>{img(image, names[0])}{img(seen, names[1])}</span>{before}{after}'
            f"</figure></label>")


def distant(cells) -> str:
    """Return images with a slider for the distance they are seen from."""
    moved = ("const far = this.closest('.far'); far.style.setProperty('--distance', this.value); "
             "far.classList.toggle('tiny', this.value > 4)")
    return (f'<div class="far">{grid(cells)}<label class="range"><span>near</span><input '
            f'type="range" min="1" max="14" step="0.1" value="1" aria-label="viewing distance" '
            f'oninput="{moved}"><span>far</span></label></div>')
