"""Build the page: one HTML file next to its figures, with nothing to fetch and no script.

Formulas are plain Unicode with <sub>, which every browser draws offline. A figure carries its
caption in the file; on a wide screen it can be read in the figure, on a phone it is repeated below.
"""

import html
import os
import re
from pathlib import Path

from minidiff.files.atomic import atomic_write
from minidiff.files.images import Image, caption_of

ROOT = Path(__file__).parent.parent.parent
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --page: #fdfdfb; --soft: #62626c;
        --line: #d9d9d4; --code: #f0f0ec; --link: #0b57a4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6ea; --page: #17171b; --soft: #a2a2ad; --line: #3a3a42; --code: #24242a;
          --link: #8ab8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; color: var(--ink); background: var(--page);
       font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2.5rem 0 .5rem; } a { color: var(--link); }
nav ol { columns: 16rem; padding: 0; list-style: none; }
.formula { padding: .6rem .8rem; overflow-x: auto; border-left: 3px solid var(--line);
           font-family: "Cambria Math", "STIX Two Math", Georgia, serif; white-space: pre-wrap; }
code { padding: .1em .3em; background: var(--code); border-radius: 3px; font-size: .88em; }
pre { padding: .6rem .8rem; overflow-x: auto; background: var(--code); border-radius: 4px; }
pre code { padding: 0; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { margin-top: .3rem; font-size: .85rem; color: var(--soft); }
@media (min-width: 48rem) { figcaption { display: none; } }
.made { font-size: .9rem; color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .35rem .6rem; border: 1px solid var(--line); text-align: left;
         vertical-align: top; }
"""


def rich(text):
    """Return text as HTML: `code` as code, and elsewhere what follows a "_" as a subscript."""
    parts = html.escape(text, quote=False).split("`")
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    parts[::2] = [re.sub(r"(?<=\S)_([A-Za-z0-9σ]+)", r"<sub>\1</sub>", p) for p in parts[::2]]
    return "".join(parts)


def build(out, sections, part_b, intro, model=""):
    """Write out/index.html. sections: list of (Section, name, files). part_b: names of part B.
    intro: the first paragraph. model: of `make figures`."""
    body, part = [], None
    for section, name, files in sections:
        now = "B" if name in part_b else "A"
        if now != part:
            title = "train it" if now == "B" else "what a trained model can do"
            body.append(f"<h2>Part {now}: {title}</h2>")
            part = now
        body.append(_section(out, section, name, files, f"MODEL={model} " if model else ""))
    links = "".join(f'<li><a href="#{name}">{html.escape(_heading(section))}</a></li>'
                    for section, name, _ in sections)
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>minidiff: the page</title>\n<link rel=\"icon\" href=\"data:,\">\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>minidiff: the page</h1>\n"
        f"<p>{html.escape(intro)}</p>\n"
        f"<nav><ol>{links}</ol></nav>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )
    with atomic_write(out / "index.html", text=True) as f:
        f.write(text)


def _heading(section):
    return f"{section.number} {section.title}"


def _section(out, section, name, files, model):
    code = ", ".join(_link(out, place) for place in section.code)
    return "\n".join([
        f'<section id="{name}">\n<h3>{html.escape(_heading(section))}</h3>',
        f"<p>{rich(section.idea)}</p>",
        f'<div class="formula">{rich(section.formula)}</div>' if section.formula else "",
        *(_figure(out, file) for file in files),
        f"<p><strong>What to notice.</strong> {rich(section.notice)}</p>",
        _table(section.table),
        f'<div class="made">Drawn by <code>make figures {model}ONLY={name}</code>; make your own:',
        f"<pre><code>{html.escape(section.command)}</code></pre>",
        f"Implemented in {code}.</div>\n</section>",
    ])


def _figure(out, file):
    caption = html.escape(caption_of(out / file))
    with Image.open(out / file) as figure:
        width, height = figure.size
    return (f'<figure><a href="{file}"><img src="{file}" width="{width}" height="{height}" '
            f'loading="lazy" alt="{caption}"></a><figcaption>{caption}</figcaption></figure>')


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
