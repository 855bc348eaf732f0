"""The lectures' formulas, plain text that reads well in an editor, as MathML for the book.

    x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)     DDPM (15)

Factors side by side are a product. A "/" between spaces is a fraction, all factors before it over
the one after it; without spaces it stays a slash. Three spaces begin a new cell. Diagrams, tables,
code and everything else that is not certainly a formula are left as they are.
"""

import re
from html import escape

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "eta": "η", "mu": "μ",
         "lambda": "λ", "phi": "φ", "pi": "π", "sigma": "σ", "tau": "τ", "theta": "θ", "sum": "∑"}
ACCENTS = {"bar": "¯", "hat": "^", "tilde": "~"}
WRITTEN = {"-": "−", "*": "·", "<-": "←", "...": "…", "<=": "≤", ">=": "≥",
           "<": "&lt;", ">": "&gt;", "∣": "|"}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀ", "0123456789+−T")
SIGN = re.compile(r" *(<-|[<>]=|\.\.\.?|[-−+·*/=<>≤≥←~≈∈…,%∣]) *")
NAME = re.compile(r"(?:sum|mean|min|max) over \w+ of\b|½|∇|\d+(?:[.,]\d+)*(?:e-\d+)?"
                  r"|[^\W\d_](?:_?[^\W_])*")
GROUP = re.compile(r"(sqrt)?([(\[{])([^()\[\]{}]*)([)\]}])")
SIDES = re.compile(r"((?:[^=←~≈<>≤≥∈,(]|\((?:[^()=]|\([^()=]*\))*\))*?) *((?:<-|[=←~≈<>≤≥∈]) .+)"
                   r"|()([-+−] .+|\|.+|\w_\w - \w_\w)")
KNOWN = rf"(?:{'|'.join(GREEK)}|sqrt|exp|log|cos|sin|tan|tr|over|of)\b"  # may be neighbours
PROSE = re.compile(rf"(?<!\w)(?!{KNOWN})[a-z]{{2,}} (?!{KNOWN})[a-z]{{2,}}(?!\w)")
KEY = "[\ue000-\uf8ff]"  # a character in place of a part that is done


def math(text):
    """Return one formula as a <math> element. Raises ValueError where it cannot be read."""
    done = []  # of (MathML, the same without its brackets)

    def key(full, bare=None):
        done.append((full, bare or full))
        return chr(0xE000 + len(done) - 1)

    def shown(keys, bare=False):
        gap = '<mspace width=".17em"></mspace>'
        parts = [gap if k == " " else done[ord(k) - 0xE000][bare and len(keys) == 1] for k in keys]
        return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"

    def row(flat):
        flat = NAME.sub(lambda m: key(_name(m[0])), flat)
        flat = re.sub(r"\|([^|]*)\|", lambda m: key(
            f"<mrow><mo>|</mo>{row(m[1])}<mo>|</mo></mrow>"), flat)
        flat = re.sub(f"({KEY})([_^])({KEY})", lambda m: key(
            "<{0}>{1}{2}</{0}>".format("msub" if m[2] == "_" else "msup", shown(m[1]),
                                       shown(m[3], bare=True))), flat)
        flat = re.sub(f"{KEY}{KEY}+", lambda m: key(shown(m[0])), flat)  # f(t): one factor
        flat = re.sub(f"({KEY}(?: {KEY})*) / ({KEY})", lambda m: key(
            f"<mfrac>{shown(m[1], bare=True)}{shown(m[2], bare=True)}</mfrac>"), flat)
        flat = SIGN.sub(lambda m: key("<mo{}>{}</mo>".format(
            "" if m[1] in "-−+" else ' form="infix"', WRITTEN.get(m[1], m[1]))), flat.strip())
        if not re.fullmatch(f"(?:{KEY}| )+", flat):
            raise ValueError(f"not read as a formula: {text!r}")
        return shown(re.sub(" +", " ", flat))

    def group(found):
        root, opens, inside, closes = found.groups()
        bare = row(inside)
        full = f"<mrow><mo>{opens}</mo>{bare}<mo>{closes}</mo></mrow>"
        return key(f"<msqrt>{bare}</msqrt>") if root else key(full, bare)

    flat = re.sub(r"(?<=[\w)\]}²]) \| (?=\S)", " ∣ ", text)  # "given"; others enclose a length
    flat = re.sub("[⁰¹²³⁴-⁹⁺⁻ᵀ]+", lambda m: f"^{{{m[0].translate(RAISED)}}}", flat)
    while GROUP.search(flat):
        flat = GROUP.sub(group, flat)
    return f'<math displaystyle="true">{row(flat)}</math>'


def _name(text):
    """Return x_0_hat as an x with hat and index, 0.1 as a number, q_sample as it is."""
    if " over " in text:
        return f"<munder>{_name(text.split()[0])}{_name(text.split()[2])}</munder>"
    text = re.sub(r"^ab(?=_|$)", "alpha_bar", text)
    base, *low = re.sub(r"^([A-Za-z])(?=\d+$)", r"\1_", text).split("_")
    accents, low = [ACCENTS[s] for s in low if s in ACCENTS], [s for s in low if s not in ACCENTS]
    if len(low) > 1 or low and low[0].isalpha() and low[0] not in GREEK and len(low[0]) > 1:
        return f"<mtext>{text}</mtext>"
    tag = "mi" if base[0].isalpha() or base == "∇" else "mo" if base == "sum" else "mn"
    found = f"<{tag}>{GREEK.get(base, base)}</{tag}>"
    for accent in accents:
        found = f'<mover accent="true">{found}<mo stretchy="false">{accent}</mo></mover>'
    return f"<msub>{found}{_name(low[0])}</msub>" if low else found


def _sides(cell):
    """Return both sides of a relation as MathML, its sign with the second; () for other text."""
    found = None if PROSE.search(cell) else SIDES.fullmatch(cell)
    try:
        shown = [math(side) if side else "" for side in found.groups() if side is not None]
        return [re.sub("(<math[^>]*><mrow>)(<mo>)", r"\1<mi></mi>\2", s) for s in shown]  # goes on
    except (ValueError, AttributeError):
        return ()


def display(block, rich, kept=escape):
    """Return an indented block as tables of formulas where each line has one, else as it is.

    rich: turns the words next to a formula into HTML. kept: the same for what is left as it is.
    """
    shown = ""
    for part in re.split(r"\n\s*\n", block.rstrip()):
        rows = [_cells(re.split(" {3,}", line.strip()), rich) for line in part.splitlines()]
        shown += (f'<div class="formula"><table>{"".join(rows)}</table></div>\n' if all(rows)
                  else f"<pre>{kept(part)}</pre>\n")
    return shown


def _cells(cells, rich):
    """Return a table's row if the first cell or, after a name, the second is a formula."""
    read = [_sides(cell) for cell in cells]
    words = [f"<span>{''.join(r) or rich(c)}</span>" for r, c in zip(read, cells)]
    k = next((k for k, found in enumerate(read[:2]) if found), None)
    row = [] if k is None else [*words[:k], *read[k], "".join(words[k + 1:])]
    return row and f"<tr><td>{'</td><td>'.join(row)}</td></tr>"
