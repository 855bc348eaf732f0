"""Build the page: one HTML file next to its figures, with nothing to fetch.

Formulas are plain Unicode with <sub>, which every browser draws offline. Part A's figures are
sheets of pixels (sheet.py); labels and captions are typeset here, from what is stored in the file.
The other figures carry their caption themselves; on a phone it is repeated below. page.css and
figure.css are for light and dark, wide and narrow; page.js marks the section that is being read in
the contents, which work without it.
"""

import html
import os
import re
from pathlib import Path

from figures.page.sheet import labels_of
from minidiff.files.atomic import atomic_write
from minidiff.files.images import Image, caption_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PARTS = {"A": "what a trained model can do", "B": "train it"}


def rich(text):
    """Return text as HTML: `code` as code, and elsewhere what follows a "_" as a subscript."""
    parts = html.escape(text, quote=False).split("`")
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    parts[::2] = [re.sub(r"(?<=\S)_([A-Za-z0-9σ]+)", r"<sub>\1</sub>", p) for p in parts[::2]]
    return "".join(parts)


def build(out, sections, part_b, intro, model=""):
    """Write out/index.html. sections: list of (Section, name, files). part_b: names of part B.
    intro: the first paragraph. model: of `make figures`, "" for the default."""
    body, links, part = [], [], None
    for section, name, files in sections:
        now, title = "AB"[name in part_b], ""
        if now != part:
            part, title = now, f"Part {now}"
            body.append(f"<h2>{title}: {PARTS[now]}</h2>")
        body.append(_section(out, section, name, files, f"MODEL={model} " if model else ""))
        links.append(f'<li>{f"<b>{title}</b>" if title else ""}<a href="#{name}">'
                     f"<span>{section.number}</span>{html.escape(section.title)}</a></li>")
    style, look, script = ((HERE / name).read_text(encoding="utf-8")
                           for name in ("page.css", "figure.css", "page.js"))
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>minidiff: the page</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}{look}</style>\n</head>\n<body>\n<header>\n<h1>Diffusion, drawn</h1>\n"
        f'<p>{html.escape(intro)}</p>\n</header>\n<nav aria-label="Contents"><ol>\n'
        + "\n".join(links) + "\n</ol></nav>\n<main>\n" + "\n".join(body)
        + f"\n</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )
    with atomic_write(out / "index.html", text=True) as f:
        f.write(text)


def _section(out, section, name, files, model):
    code = ", ".join(_link(out, place) for place in section.code)
    number = f"<span>{section.number}</span>" if section.number else ""
    return "\n".join([
        f'<section id="{name}">\n<h3>{number}{html.escape(section.title)}</h3>',
        f"<p>{rich(section.idea)}</p>",
        f'<div class="formula">{rich(section.formula)}</div>' if section.formula else "",
        *(figure(out, file) for file in files),
        f"<p><strong>What to notice.</strong> {rich(section.notice)}</p>",
        _table(section.table),
        f'<div class="made">Drawn by <code>make figures {model}ONLY={name}</code>; make your own:',
        f"<pre><code>{html.escape(section.command)}</code></pre>",
        f"Implemented in {code}.</div>\n</section>",
    ])


def figure(folder, file):
    """Return a figure in a folder as HTML, with its labels and its caption."""
    caption = html.escape(caption_of(folder / file))
    with Image.open(folder / file) as image:
        size = f'width="{image.width}" height="{image.height}"'
    labels, film = labels_of(folder / file)
    img = f'<a href="{file}"><img src="{file}" {size} loading="lazy" alt="%s"></a>'
    below = f"<figcaption>{caption}</figcaption></figure>"
    if labels is None:
        return f'<figure class="chart">{img % caption}{below}'
    rows, columns, n = labels["rows"], labels["columns"], labels["n"]
    named = any(rows)
    alt = html.escape(_alt(rows, columns, n, film))
    head = "".join(f"<span>{rich(name)}</span>" for name in columns)
    side = "".join(f"<span>{rich(name)}</span>" for name in rows)
    return (f'<figure{" class=film" if film else ""}><div class="scroll" tabindex="0">'
            f'<div class="sheet{" named" if named else ""}" style="--n:{n}">'
            + (f'<div class="columns">{head}</div>' if head else "")
            + (f'<div class="rows">{side}</div>' if named else "")
            + f"{img % alt}</div></div>{below}")


def _alt(rows, columns, n, film):
    """Return what a sheet shows, in words."""
    what = "Film" if film else "Images"
    parts = [f"{what} in {len(rows)} {'row' if len(rows) == 1 else 'rows'} and {n} columns"]
    for name, labels in (("rows", rows), ("columns", columns)):
        if any(labels):
            parts.append(f"{name}: {', '.join(labels)}".replace("\n", " "))
    return "; ".join(parts)


def _link(out, place):
    """Return a link to "minidiff/editing/image_to_image.py: sdedit", relative to the page."""
    file = place.split(":")[0]
    target = Path(os.path.relpath(ROOT / file, out)).as_posix()
    return f'<a href="{html.escape(target)}"><code>{html.escape(place)}</code></a>'


def _table(rows):
    if not rows:
        return ""
    head, *rest = ["".join(f"<{tag}>{rich(cell)}</{tag}>" for cell in row)
                   for tag, row in zip(["th"] + ["td"] * len(rows), rows)]
    lines = "".join(f"<tr>{row}</tr>" for row in [head, *rest])
    return f'<div class="wide"><table>{lines}</table></div>'
